"""Dead letters, and what operators decided about them.

A dead letter never changes. A resolution is what an operator decided: discarded, or to be taken up
by a new turn. The new turn's id is chosen with the order, so that it begins once however often it
is tried. Postgres and memory pass the same contract suite; every operation raises Unavailable where
the store cannot be reached.
"""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_schema.messages import Controls
from mainspring_schema.operations import LetterFilter, LetterView, Refusal


class Resolve(Struct, frozen=True, kw_only=True):
    """`workflow_id` is that of the turn or task which takes it up; None discards the letter.

    `delay_ms` is counted from the store's present.
    """

    org_id: UUID
    task_id: UUID
    workflow_id: UUID | None = None
    delay_ms: int = 0


class Requeue(Struct, frozen=True, kw_only=True):
    """A dead letter to be taken up now, with what its new turn begins from.

    `taken_up`: the turn is there already, only its resolution does not say so yet. A plain task
    begins from its payload, and is taken up by another one that names it as its source.
    """

    task_id: UUID
    org_id: UUID
    session_id: UUID
    workflow_id: UUID
    dead_workflow_id: UUID
    state: bytes
    config_hash: bytes
    controls: Controls | None
    taken_up: bool
    of_plain: bool = False


class Settled(Struct, frozen=True, kw_only=True):
    """What became of a requeue. Without a refusal it was taken up."""

    task_id: UUID
    refusal: Refusal | None = None


class Letters(Protocol):
    """See the module."""

    async def page(
        self,
        org_id: UUID,
        wanted: LetterFilter,
        *,
        after: UUID | None,
        limit: int,
        but: tuple[str, ...] = (),
    ) -> tuple[LetterView, ...]:
        """Newest first by the ids of their tasks, at most `limit`, none of the kinds `but`."""
        ...

    async def letter(self, org_id: UUID, task_id: UUID) -> LetterView | None: ...

    async def resolve(self, orders: tuple[Resolve, ...]) -> tuple[bool, ...]:
        """Whether the order was taken: the letter is there, and open or its requeue was refused.

        At most one order per letter, and one letter per `workflow_id`: not taken for a second.
        """
        ...

    async def due(self, task_ids: tuple[UUID, ...] | None, limit: int) -> tuple[Requeue, ...]:
        """Ordered requeues that are due, or of these letters whenever they are due.

        Each counts as tried: for REQUEUE_RETRY_S it is not due again.
        """
        ...

    async def keep_pace(self) -> None:
        """Moves what is left of an order that is REQUEUE_LATE_S late, so that it is due from now.

        An order is what one call of `resolve` took for one organization. What was tried stays.
        """
        ...

    async def settle(self, settled: tuple[Settled, ...]) -> None: ...

    async def reopen(self, task_id: UUID, workflow_id: UUID) -> None:
        """Takes back the order for `workflow_id`, unless it is settled: the letter is open."""
        ...
