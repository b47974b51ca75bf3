"""Duties: their rows are created, claimed when due, and the work is done."""

from collections.abc import Callable, Collection
from typing import Protocol

from mainspring_kernel.errors import MainspringError
from mainspring_scheduler.domain.duties import (
    PLANS,
    Claimed,
    Claims,
    Duty,
    Failed,
    Outcome,
    Report,
    repeats,
    settle,
)
from mainspring_scheduler.ports.duties import DutyStore


class Work(Protocol):
    """Whoever does the duties."""

    async def perform(self, duty: Duty) -> Report:
        """One bounded pass, safe to do twice and at the same time. Raises MainspringError."""
        ...


async def plant(store: DutyStore) -> None:
    """Brings the rows of all duties up to this version's plans and makes them due."""
    await store.plant([PLANS[duty] for duty in Duty])


async def claim_due(store: DutyStore, *, in_flight: Collection[Duty]) -> Claims:
    """Takes what is due, except what this process is still at: it never overtakes itself."""
    return await store.claim([duty for duty in Duty if duty not in in_flight])


async def serve(
    claimed: Claimed, *, store: DutyStore, work: Work, draw: Callable[[], float]
) -> Outcome:
    """Does a claimed duty and settles it.

    No transaction is open while the work is done: the claim is committed, and a hold that ends
    meanwhile only means that somebody else does it too, which every duty allows.
    """
    outcome = await _passes(claimed.name, work)
    settlement = settle(claimed, PLANS[claimed.name], outcome, draw=draw())
    if settlement is not None:
        await store.settle(settlement)
    return outcome


async def _passes(duty: Duty, work: Work) -> Outcome:
    handled = passes = 0
    while True:
        try:
            report = await work.perform(duty)
        except MainspringError as error:
            return Failed(code=error.code, detail=error.detail, retry_after_s=error.retry_after_s)
        handled += report.handled
        passes += 1
        if not repeats(report, passes):
            return Report(handled=handled, more=report.more)
