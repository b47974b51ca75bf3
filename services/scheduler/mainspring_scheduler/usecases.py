"""What the scheduler can do: plant its duties, take what is due, and serve one of them."""

from collections.abc import Callable, Collection

from mainspring_kernel.errors import MainspringError
from mainspring_scheduler.domain import (
    PLANS,
    Claimed,
    Duty,
    Failed,
    Outcome,
    Report,
    repeats,
    settle,
)
from mainspring_scheduler.ports import DutyCalls, DutyStore


async def plant(store: DutyStore) -> None:
    """Brings the rows of all duties up to this version's plans and makes them due."""
    await store.plant([PLANS[duty] for duty in Duty])


async def claim_due(store: DutyStore, *, in_flight: Collection[Duty]) -> list[Claimed]:
    """Takes what is due, except what this process is still at: it never overtakes itself."""
    wanted = [duty for duty in Duty if duty not in in_flight]
    return await store.claim(wanted) if wanted else []


async def serve(
    claimed: Claimed, *, store: DutyStore, calls: DutyCalls, draw: Callable[[], float]
) -> Outcome:
    """Does a claimed duty and settles it.

    No transaction is open while the call is made: the claim is committed, and a hold that ends
    meanwhile only means that somebody else does it too, which every duty allows.
    """
    outcome = await _passes(claimed.name, calls)
    settlement = settle(claimed, PLANS[claimed.name], outcome, draw=draw())
    if settlement is not None:
        await store.settle(settlement)
    return outcome


async def _passes(duty: Duty, calls: DutyCalls) -> Outcome:
    handled = passes = 0
    while True:
        try:
            report = await calls.perform(duty)
        except MainspringError as error:
            return Failed(code=error.code, detail=error.detail, retry_after_s=error.retry_after_s)
        handled += report.handled
        passes += 1
        if not repeats(report, passes):
            return Report(handled=handled, more=report.more)
