"""What the use cases need, in the words of the domain."""

from collections.abc import Collection, Sequence
from typing import Protocol

from mainspring_scheduler.domain import Claimed, Duty, Plan, Report, Settlement


class DutyStore(Protocol):
    """The rows that replicas share. Each operation is one short transaction of its own.

    Due times are dated by the store's clock alone. All of them raise Unavailable.
    """

    async def plant(self, plans: Sequence[Plan]) -> None:
        """Makes the rows be there with these periods, and due now: a start catches up."""
        ...

    async def claim(self, duties: Collection[Duty]) -> list[Claimed]:
        """Takes those of `duties` that are due; nobody else gets them until their hold ends."""
        ...

    async def settle(self, settlement: Settlement) -> None:
        """Says when a duty comes next; unknown duties are passed over."""
        ...


class DutyCalls(Protocol):
    """The services that do the work."""

    async def perform(self, duty: Duty) -> Report:
        """One bounded pass, safe to do twice and at the same time. Raises MainspringError."""
        ...
