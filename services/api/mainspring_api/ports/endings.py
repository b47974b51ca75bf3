"""News of plain tasks that ended, as the bus brings them."""

import asyncio
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID


class Endings(Protocol):
    """Hints: who waits looks at the task itself, now and then also without one."""

    def of(self, task_id: UUID) -> AbstractContextManager[asyncio.Event]:
        """Within it the event is set once an end of this task is told."""
        ...
