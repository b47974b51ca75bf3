"""Those who begin what a slot asks for."""

from collections.abc import Sequence
from typing import Protocol

from mainspring_scheduler.domain.slots import Ended, Schedule, Slot, Started
from mainspring_schema.posting import CancelTurn, OneTurn, Posted, PostMessage, TurnState
from mainspring_schema.workflows import (
    CancelWorkflow,
    GetWorkflow,
    StartWorkflow,
    WorkflowCancelReceipt,
    WorkflowView,
)
from mainspring_schema.workflows import Started as WorkflowStarted


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

    async def start(self, command: StartWorkflow) -> WorkflowStarted:
        """Starts it, or finds the one that its key started."""
        ...

    async def get(self, command: GetWorkflow) -> WorkflowView:
        """As it is. Raises NotFound."""
        ...

    async def cancel(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        """Nothing happens to an ended one. Raises NotFound."""
        ...
