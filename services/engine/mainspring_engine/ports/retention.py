"""Removes records of workflows that are no longer promised to anybody.

Postgres and memory pass the same contract suite; every operation raises Unavailable where the store
cannot be reached, and may be repeated, also by several engines at once.
"""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.rows import Outcome


class Examined(Struct, frozen=True, kw_only=True):
    """A user's workflow. `now_ms` is the database's."""

    workflow_id: UUID
    outcome: Outcome
    state: bytes
    now_ms: int


class Trim(Struct, frozen=True, kw_only=True):
    """Records of a workflow whose places stand before `bound` as text."""

    workflow_id: UUID
    bound: str


class RetentionRows(Protocol):
    """What a fork copies is whole or refused: see `trim`."""

    async def examine(self, *, after: UUID, limit: int) -> tuple[Examined, ...]:
        """Workflows behind this id, in their order."""
        ...

    async def trim(self, trims: tuple[Trim, ...], *, limit: int) -> int:
        """Removes at most so many records; fewer removed: there are no more.

        The input of a generation goes first, in a commit of its own. Whoever copies a generation
        looks for its input in the same snapshot, so what it copies is whole.
        """
        ...
