"""What other owners let api do inside its own transaction, in memory.

In Postgres these are granted functions; their owners' memory twins stand in for them, under the one
lock that all twins share.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from mainspring_schema.grants import ForkHead, OpenHead


class LogGrant(Protocol):
    """The event store's."""

    def open(self, heads: Sequence[OpenHead]) -> None:
        """New logs, each with its first event. Raises Conflict where one exists."""
        ...

    def fork(self, fork: ForkHead) -> None:
        """A log behind an event of another one's. Raises NotFound, Conflict."""
        ...


class HoldGrant(Protocol):
    """The engine's."""

    def hold(self, task_id: UUID, fence: int) -> tuple[UUID, UUID] | None:
        """Session and organization of a task that is held at this fence."""
        ...
