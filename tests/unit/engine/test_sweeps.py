"""Due timers and lost signals on their way through the lanes."""

import asyncio
from collections.abc import Collection
from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.domain.intents import Intent, SignalCame, TimerDue
from mainspring_engine.domain.limits import (
    LEASE_SWEEP_REST_S_MAX,
    SIGNAL_TRIES_MAX,
    SIGNALS_LOOK_S,
    SWEEP_BATCH_ROWS_MAX,
    UNSETTLED_REST_S,
)
from mainspring_engine.domain.rows import Head, View
from mainspring_engine.domain.workflow import children
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.store import DueTimer, Store
from mainspring_engine.ports.workflows import UntakenSignal
from mainspring_engine.usecases.lane import Lanes, Ticket
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.sweeps import SweepKind, Sweeps, Swept
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import MainspringError, Unavailable
from mainspring_schema.frames import Verdict
from mainspring_schema.grants import SessionStatus


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

    async def due_timers(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[DueTimer, ...]:
        return tuple([timer for timer in self.due if timer.id not in but][:limit])


class Queue:
    """A lane that commits when it is told to."""

    def __init__(self) -> None:
        self.fired: list[tuple[UUID, Ticket]] = []
        self.filled = asyncio.Event()

    def put(self, intent: Intent, ticket: Ticket) -> None:
        assert isinstance(intent, TimerDue)
        self.fired.append((intent.timer_id, ticket))
        self.filled.set()


def sweeps_of(rows: Rows, queue: Queue, clock: ManualClock | None = None) -> Sweeps:
    return Sweeps(
        store=cast("Store", cast("object", rows)),
        lanes=cast("Lanes", cast("object", queue)),
        leases=cast("Leases", object()),
        announcer=cast("Announcer", object()),
        clock=clock or ManualClock(),
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


async def test_a_sweep_ends_after_its_commits_and_what_met_an_absent_store_fires_again() -> None:
    rows, queue = Rows(SWEEP_BATCH_ROWS_MAX + 1), Queue()
    sweeps = sweeps_of(rows, queue)

    sweep = asyncio.create_task(sweeps.sweep(SweepKind.TIMERS))
    await queue.filled.wait()
    assert not sweep.done()
    _, last = queue.fired.pop()
    last.failed(Unavailable("gone"))
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


async def test_timers_that_cannot_be_decided_hold_up_nobody_behind_them() -> None:
    rows, queue, clock = Rows(SWEEP_BATCH_ROWS_MAX + 1), Queue(), ManualClock()
    sweeps = sweeps_of(rows, queue, clock)

    async def fired() -> list[UUID]:
        queue.fired.clear()
        queue.filled.clear()
        sweep = asyncio.create_task(sweeps.sweep(SweepKind.TIMERS))
        await queue.filled.wait()
        for _, ticket in queue.fired:
            ticket.failed(MainspringError("a state that nobody can read"))
        await sweep
        return [id_ for id_, _ in queue.fired]

    first = await fired()
    behind = await fired()
    nothing = await sweeps.sweep(SweepKind.TIMERS)
    clock.advance(UNSETTLED_REST_S)
    again = await fired()

    assert first == again == [timer.id for timer in rows.due[:SWEEP_BATCH_ROWS_MAX]]
    assert behind == [rows.due[-1].id]
    assert nothing == Swept(0, more=False)


class Lying:
    """A store with signals that their lanes did not take."""

    def __init__(self, *signals: UntakenSignal) -> None:
        self.signals = signals
        self.looks = 0
        self.deleted: set[UUID] = set()
        """Sessions."""

    @property
    def workflows(self) -> "Lying":
        return self

    async def untaken(self, *, older_than_ms: int, limit: int) -> tuple[UntakenSignal, ...]:
        del older_than_ms, limit
        self.looks += 1
        return self.signals

    async def load(self, sessions: tuple[UUID, ...]) -> dict[UUID, View]:
        return {
            id_: View(
                head=Head(
                    session_id=id_, org_id=ORG, last_seq=1, hash=b"", ts_ms=0,
                    status=SessionStatus.IDLE, closed=id_ in self.deleted,
                ),
                workflow=None,
            )
            for id_ in sessions
        }  # fmt: skip


class NoLeases:
    async def expire(self) -> tuple[int, bool]:
        return 0, False


class Mail:
    """What came into lanes."""

    def __init__(self) -> None:
        self.came: list[SignalCame] = []

    def put(self, intent: Intent, ticket: Ticket) -> None:
        del ticket
        assert isinstance(intent, SignalCame)
        self.came.append(intent)


def bringing(rows: Lying, mail: Mail, clock: ManualClock, leases: object | None = None) -> Sweeps:
    return Sweeps(
        store=cast("Store", cast("object", rows)),
        lanes=cast("Lanes", cast("object", mail)),
        leases=cast("Leases", leases or NoLeases()),
        announcer=cast("Announcer", object()),
        clock=clock,
    )


PARENT, CHILD, ORG = UUID(int=11), UUID(int=12), UUID(int=13)


def lying(kind: str, *, tries: int) -> UntakenSignal:
    to, source = (PARENT, CHILD) if kind == children.ENDED else (CHILD, PARENT)
    return UntakenSignal(session_id=to, org_id=ORG, source=source, kind=kind, tries=tries)


@pytest.mark.parametrize("kind", children.KINDS)
async def test_a_signal_whose_hint_was_lost_is_brought_to_its_lane(kind: str) -> None:
    mail, signal = Mail(), lying(kind, tries=SIGNAL_TRIES_MAX)

    await bringing(Lying(signal), mail, ManualClock()).sweep(SweepKind.LEASES)

    (came,) = mail.came
    assert (came.session_id, came.source, came.kind) == (signal.session_id, signal.source, kind)


@pytest.mark.parametrize("kind", [children.START, children.ENDED])
async def test_a_parent_is_told_of_a_child_whose_signal_was_given_up(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    mail = Mail()

    rows = Lying(lying(kind, tries=SIGNAL_TRIES_MAX + 1))
    await bringing(rows, mail, ManualClock()).sweep(SweepKind.LEASES)

    assert mail.came == [
        SignalCame(session_id=PARENT, org_id=ORG, source=CHILD, kind=children.LOST)
    ]
    assert f"{kind} was given up after {SIGNAL_TRIES_MAX} tries" in caplog.text


async def test_a_cancel_that_was_given_up_is_said_in_the_log_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mail = Mail()

    rows = Lying(lying(children.CANCEL, tries=SIGNAL_TRIES_MAX + 1))
    await bringing(rows, mail, ManualClock()).sweep(SweepKind.LEASES)

    assert mail.came == []
    assert "child:cancel was given up" in caplog.text


@pytest.mark.parametrize(
    ("kind", "said"), [(children.ENDED, 0), (children.CANCEL, 0), (children.START, 1)]
)
async def test_what_was_for_a_deleted_session_is_nothing_to_anybody_but_a_parent_that_waits(
    kind: str, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    mail, signal = Mail(), lying(kind, tries=SIGNAL_TRIES_MAX + 1)
    rows = Lying(signal)
    rows.deleted.add(signal.session_id)

    await bringing(rows, mail, ManualClock()).sweep(SweepKind.LEASES)

    assert (len(mail.came), len(caplog.messages)) == (said, said)


async def test_where_no_signal_lies_the_next_look_is_later() -> None:
    clock, rows = ManualClock(), Lying()
    sweeps = bringing(rows, Mail(), clock)

    await sweeps.sweep(SweepKind.LEASES)
    await sweeps.sweep(SweepKind.LEASES)
    before = rows.looks
    clock.advance(SIGNALS_LOOK_S)
    rows.signals = (lying(children.START, tries=1),)
    await sweeps.sweep(SweepKind.LEASES)
    await sweeps.sweep(SweepKind.LEASES)

    assert (before, rows.looks) == (1, 3)


class SlowLeases:
    """Each pass takes as long as it is told to."""

    def __init__(self, clock: ManualClock, *, took_s: float) -> None:
        self._clock = clock
        self.took_s = took_s
        self.passes = 0

    async def expire(self) -> tuple[int, bool]:
        self.passes += 1
        self._clock.advance(self.took_s)
        return 0, False


@pytest.mark.parametrize(("took_s", "rest_s"), [(0.1, 2.0), (3.0, LEASE_SWEEP_REST_S_MAX)])
async def test_long_passes_over_leases_get_rarer_but_never_stop(
    took_s: float, rest_s: float
) -> None:
    clock = ManualClock()
    leases = SlowLeases(clock, took_s=took_s)
    sweeps = bringing(Lying(), Mail(), clock, leases)

    await sweeps.sweep(SweepKind.LEASES)
    await sweeps.sweep(SweepKind.LEASES)
    clock.advance(rest_s - 0.5)
    await sweeps.sweep(SweepKind.LEASES)
    assert leases.passes == 2
    clock.advance(0.6)
    await sweeps.sweep(SweepKind.LEASES)
    assert leases.passes == 3


async def test_one_pass_over_leases_that_stood_still_puts_off_no_other() -> None:
    clock = ManualClock()
    leases = SlowLeases(clock, took_s=0.0)
    sweeps = bringing(Lying(), Mail(), clock, leases)

    for leases.took_s in (0.0, 9.0, 0.0):
        await sweeps.sweep(SweepKind.LEASES)

    assert leases.passes == 3
