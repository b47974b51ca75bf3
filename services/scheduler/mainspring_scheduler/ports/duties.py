"""The rows of duties, and those who do what recurs."""

from collections.abc import Collection, Sequence
from typing import Protocol

from mainspring_scheduler.domain.duties import AskedDuty, Claims, Duty, Plan, Report, Settlement


class DutyStore(Protocol):
    """The rows that replicas share. Each operation is one short transaction of its own.

    Due times are dated by the store's clock alone. All of them raise Unavailable.
    """

    async def plant(self, plans: Sequence[Plan]) -> None:
        """Makes the rows be there with these periods, and due now: a start catches up."""
        ...

    async def claim(self, duties: Collection[Duty]) -> Claims:
        """Takes those of `duties` that are due; nobody else gets them until their hold ends.

        The duty of schedules is due only while a schedule is, so an idle stack never pays for it.
        """
        ...

    async def settle(self, settlement: Settlement) -> None:
        """Says when a duty comes next; unknown duties are passed over."""
        ...


class DutyCalls(Protocol):
    """The services that do the work of their duties."""

    async def perform(self, duty: AskedDuty) -> Report:
        """One bounded pass, safe to do twice and at the same time. Raises MainspringError."""
        ...
