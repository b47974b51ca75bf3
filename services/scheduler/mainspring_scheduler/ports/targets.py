"""Those who begin what a slot asks for."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from mainspring_scheduler.domain.slots import Ended, Schedule, Slot, Started
from mainspring_schema.posting import CancelTurn, OneTurn, Posted, PostMessage, TurnState
from mainspring_schema.schedules import WorkflowTarget


class Targets(Protocol):
    """Turns and workflows, as far as slots begin them.

    All of it may be asked twice and at the same time: what is begun bears the ids and the key of
    its slot, so it is begun once.
    """

    async def start(self, schedule: Schedule, slot: Slot) -> Started:
        """Begins it, or finds it begun. Raises MainspringError."""
        ...

    async def look(self, slots: Sequence[Slot]) -> Sequence[Ended | None]:
        """How running ones came out, in the order asked; None while at work.

        Raises MainspringError.
        """
        ...

    async def cancel(self, slot: Slot) -> None:
        """Asks a running one to end; it ends a little later. Raises MainspringError."""
        ...


class Turns(Protocol):
    """Api, which folds configurations and owns sessions. Raises MainspringError."""

    async def post(self, command: PostMessage) -> Posted:
        """Brings a message in, and makes its session first where that is asked."""
        ...

    async def states(self, turns: Sequence[OneTurn]) -> Sequence[TurnState]:
        """In the order asked."""
        ...

    async def cancel(self, command: CancelTurn) -> None:
        """Nothing happens where another turn is at work by now."""
        ...


class Workflows(Protocol):
    """The engine, which starts workflows by key. Raises MainspringError."""

    async def start(
        self, org_id: UUID, workflow_id: UUID, *, key: str, target: WorkflowTarget
    ) -> UUID:
        """The id of the workflow with this key: this one, or that of an earlier call."""
        ...

    async def outcome(self, org_id: UUID, workflow_id: UUID) -> Ended | None:
        """None while at work."""
        ...

    async def cancel(self, org_id: UUID, workflow_id: UUID, *, reason: str) -> None:
        """Nothing happens to an ended one."""
        ...
