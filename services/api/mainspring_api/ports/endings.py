"""News of plain tasks and workflows that ended, as the bus brings them."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from mainspring_schema.wake import WorkflowEnded

Deliver = Callable[[WorkflowEnded], None]


class Endings(Protocol):
    """Hints: who waits looks itself, now and then also without one."""

    def of(self, task_id: UUID) -> AbstractContextManager[asyncio.Event]:
        """Within it the event is set once an end of this task is told."""
        ...

    def of_workflow(self, workflow_id: UUID, deliver: Deliver) -> AbstractContextManager[None]:
        """Within it the end of this workflow is delivered."""
        ...
