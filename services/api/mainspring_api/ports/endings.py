"""News of plain tasks and workflows that ended, as the bus brings them."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from mainspring_schema.wake import WorkflowEnded

Deliver = Callable[[WorkflowEnded | None], None]
"""None: it has ended, and no news of it came."""


class Endings(Protocol):
    """Hints: what is told here may be lost, so somebody looks for all who wait, now and then."""

    @property
    def leaving(self) -> bool:
        """Whether this server drains: then nobody waits any longer."""
        ...

    def drain(self) -> None:
        """Tells all who wait that this server leaves; they answer with what is."""
        ...

    def of(self, task_id: UUID) -> AbstractContextManager[asyncio.Event]:
        """Within it the event is set once an end of this task is told."""
        ...

    def any_of(
        self, task_ids: Iterable[UUID], workflow_ids: Iterable[UUID]
    ) -> AbstractContextManager[asyncio.Event]:
        """Within it the event is set once an end of one of them is told."""
        ...

    def of_workflow(self, workflow_id: UUID, deliver: Deliver) -> AbstractContextManager[None]:
        """Within it the end of this workflow is delivered."""
        ...

    def awaited(self) -> tuple[UUID, ...]:
        """What somebody waits for at this moment."""
        ...

    def overlooked(self, id_: UUID) -> None:
        """It is not open: who waits for it looks itself."""
        ...
