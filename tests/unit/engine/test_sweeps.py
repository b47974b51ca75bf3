"""Due timers on their way through the lanes."""

import asyncio
from typing import cast
from uuid import UUID

from mainspring_engine.domain.intents import Intent, TimerDue
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.store import DueTimer, Store
from mainspring_engine.usecases.lane import Lanes, Ticket
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.sweeps import SweepKind, Sweeps, Swept
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.limits import SWEEP_BATCH_ROWS_MAX
from mainspring_schema.frames import Verdict


class Rows:
    """A store where timers are due until somebody takes them away."""

    def __init__(self, count: int) -> None:
        self.due = [
            DueTimer(
                id=UUID(int=n),
                workflow_id=UUID(int=n),
                session_id=UUID(int=n),
                org_id=UUID(int=0),
                kind="wait",
            )
            for n in range(count)
        ]

    async def due_timers(self, limit: int) -> tuple[DueTimer, ...]:
        return tuple(self.due[:limit])


class Queue:
    """A lane that commits when it is told to."""

    def __init__(self) -> None:
        self.fired: list[tuple[UUID, Ticket]] = []
        self.filled = asyncio.Event()

    def put(self, intent: Intent, ticket: Ticket) -> None:
        assert isinstance(intent, TimerDue)
        self.fired.append((intent.timer_id, ticket))
        self.filled.set()


def sweeps_of(rows: Rows, queue: Queue) -> Sweeps:
    return Sweeps(
        store=cast("Store", cast("object", rows)),
        lanes=cast("Lanes", cast("object", queue)),
        leases=cast("Leases", object()),
        announcer=cast("Announcer", object()),
        clock=ManualClock(),
    )


async def test_a_timer_in_a_lane_is_not_fired_by_the_next_sweep() -> None:
    rows, queue = Rows(3), Queue()
    sweeps = sweeps_of(rows, queue)

    first = asyncio.create_task(sweeps.sweep(SweepKind.TIMERS))
    await queue.filled.wait()
    second = await sweeps.sweep(SweepKind.TIMERS)

    assert [id_ for id_, _ in queue.fired] == [timer.id for timer in rows.due]
    assert second == Swept(0, more=False)
    for _, ticket in queue.fired:
        ticket.done(Verdict.COMMITTED)
    assert await first == Swept(3, more=False)


async def test_a_sweep_ends_after_its_commits_and_a_refused_timer_may_fire_again() -> None:
    rows, queue = Rows(SWEEP_BATCH_ROWS_MAX + 1), Queue()
    sweeps = sweeps_of(rows, queue)

    sweep = asyncio.create_task(sweeps.sweep(SweepKind.TIMERS))
    await queue.filled.wait()
    assert not sweep.done()
    _, last = queue.fired.pop()
    last.failed(MainspringError("no"))
    for _, ticket in queue.fired:
        ticket.done(Verdict.COMMITTED)
    assert await sweep == Swept(SWEEP_BATCH_ROWS_MAX, more=True)

    rows.due = rows.due[SWEEP_BATCH_ROWS_MAX - 1 :]
    queue.fired.clear()
    queue.filled.clear()
    again = asyncio.create_task(sweeps.sweep(SweepKind.TIMERS))
    await queue.filled.wait()
    assert [id_ for id_, _ in queue.fired] == [timer.id for timer in rows.due]
    for _, ticket in queue.fired:
        ticket.done(Verdict.COMMITTED)
    await again
