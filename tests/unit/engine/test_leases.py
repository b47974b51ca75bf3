"""What keeps attempts alive, while the store comes and goes."""

import asyncio
import math
from collections.abc import Collection
from typing import cast
from uuid import UUID

import msgspec
import pytest
from typing_extensions import override

from mainspring_engine.domain.intents import Died, Intent
from mainspring_engine.domain.limits import (
    OUTAGE_S,
    POSTGRES_SETTLE_S,
    STREAM_GRACE_S,
    SWEEP_BATCH_ROWS_MAX,
    UNSETTLED_REST_S,
    WORKER_DEATHS_MAX,
)
from mainspring_engine.domain.plain import PlainIntent
from mainspring_engine.domain.rows import Effect, OpenTask, TaskKind, TaskState
from mainspring_engine.ports.outside import Witness
from mainspring_engine.ports.store import ExpiredTask, Handed, Renewal, Store
from mainspring_engine.usecases.attachments import Attachment, Attachments, HeldTask
from mainspring_engine.usecases.lane import Lane, Lanes, Ticket
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.outage import Outage
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.time import DatabaseTime
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import MainspringError, Unavailable
from mainspring_schema.frames import Acknowledgement, Held, Task, Verdict

WORKER, HELD = UUID(int=1), Held(UUID(int=2), 1)
LATER = Held(UUID(int=3), 1)


class StoreThatWasAway:
    """Unreachable once; then it grants every start."""

    def __init__(self) -> None:
        self.asked = 0

    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[()]:
        del renewals
        return ()

    async def start(self, starts: tuple[Renewal, ...]) -> tuple[Verdict, ...]:
        self.asked += 1
        if self.asked == 1:
            detail = "Postgres is away"
            raise Unavailable(detail)
        return (Verdict.COMMITTED,) * len(starts)


class StoreThatListens:
    """Remembers which attempts were acknowledged for their workers, and what those hold."""

    def __init__(self, *held: ExpiredTask) -> None:
        self.acknowledged: list[Handed] = []
        self.held = held

    async def acknowledge(self, handed: tuple[Handed, ...]) -> None:
        self.acknowledged += handed

    async def held_by(self, incarnation: UUID) -> tuple[ExpiredTask, ...]:
        del incarnation
        return self.held


class StoreOfALast:
    """Holds one attempt that was the last allowed one, until its lease is ended."""

    def __init__(self, *, back: bool) -> None:
        self.back = back
        self.over: tuple[ExpiredTask, ...] = ()
        self.lapsed: list[Handed] = []

    async def acknowledge(self, handed: tuple[Handed, ...]) -> None:
        del handed

    async def held_by(self, incarnation: UUID) -> tuple[ExpiredTask, ...]:
        del incarnation
        return (_LAST,)

    async def lapse(self, handed: tuple[Handed, ...]) -> tuple[Verdict, ...]:
        self.lapsed += handed
        self.over = () if self.back else (_LAST,)
        return (Verdict.STALE if self.back else Verdict.COMMITTED,) * len(handed)

    async def expired(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[ExpiredTask, ...]:
        del limit, but
        return self.over


class StoreWithLosses:
    """Effects that had begun when their workers were lost: each must be decided."""

    def __init__(self, count: int) -> None:
        self.lost = [lost(UUID(int=100 + n)) for n in range(count)]

    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[()]:
        del renewals
        return ()

    async def expired(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[ExpiredTask, ...]:
        return tuple([one for one in self.lost if one.task.id not in but][:limit])


class StoreThatRefuses(StoreWithLosses):
    """It is there, but takes nothing while it refuses: read-only, or full."""

    def __init__(self) -> None:
        super().__init__(1)
        self.refuses = True
        self.lapsed = 0

    @override
    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[()]:
        self._check()
        return await super().renew(renewals)

    @override
    async def expired(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[ExpiredTask, ...]:
        self._check()
        return await super().expired(limit, but=but)

    async def acknowledge(self, handed: tuple[Handed, ...]) -> None:
        del handed
        self._check()

    async def held_by(self, incarnation: UUID) -> tuple[ExpiredTask, ...]:
        del incarnation
        return (_LAST,)

    async def lapse(self, handed: tuple[Handed, ...]) -> tuple[Verdict, ...]:
        self.lapsed += len(handed)
        return (Verdict.STALE,) * len(handed)

    def _check(self) -> None:
        if self.refuses:
            detail = "it is read-only"
            raise Unavailable(detail)


def lost(task_id: UUID) -> ExpiredTask:
    task = OpenTask(
        id=task_id, kind=TaskKind.TOOL, state=TaskState.LEASED, fence=1,
        effect=Effect.AT_MOST_ONCE, started=True, cancelling=False,
        deaths=0, failures=0, uncounted=0,
    )  # fmt: skip
    ids = dict.fromkeys(("session_id", "workflow_id", "org_id"), UUID(int=9))
    return ExpiredTask(task=task, acknowledged=True, **ids)


_LAST = msgspec.structs.replace(
    lost(UUID(int=50)),
    task=msgspec.structs.replace(
        lost(UUID(int=50)).task, effect=Effect.PURE, deaths=WORKER_DEATHS_MAX - 1
    ),
)


class Heard:
    """Lanes that keep what comes in."""

    def __init__(self) -> None:
        self.died: list[UUID] = []
        self.tickets: list[Ticket] = []

    def put(self, intent: Intent, ticket: Ticket) -> None:
        assert isinstance(intent, Died)
        self.died.append(intent.task.id)
        self.tickets.append(ticket)


NOBODY = cast("Lane[PlainIntent]", cast("object", None))


def leases_over(
    store: object, attachments: Attachments, clock: ManualClock, lanes: object | None = None
) -> Leases:
    return Leases(
        store=cast("Store", store),
        attachments=attachments,
        lanes=cast("Lanes", lanes or Lanes((), submits=NOBODY, ends=NOBODY)),
        clock=clock,
        time=DatabaseTime(clock),
        witness=cast("Witness", cast("object", None)),
        woken=lambda: None,
    )


def push(attachment: Attachment, held: Held) -> None:
    ids = dict.fromkeys(("session_id", "org_id"), UUID(int=9))
    attachment.held[held.task_id] = HeldTask(held=held, workflow_id=UUID(int=9), **ids)
    attachment.outbox.task(Task(held=held, traceparent="", payload=b"", **ids))


async def test_a_start_is_answered_once_the_store_is_back() -> None:
    clock, attachments = ManualClock(), Attachments()
    store, outbox = StoreThatWasAway(), FrameOutbox()
    attachment = Attachment(WORKER, 1, outbox)
    attachments.add(attachment)
    leases = leases_over(store, attachments, clock)
    work = asyncio.create_task(leases.work())

    leases.start(attachment, HELD)
    await clock.until_sleeping()
    clock.advance(STREAM_GRACE_S)
    frame = await outbox.next_frame()

    work.cancel()
    assert frame is not None
    assert frame.starts == (Acknowledgement(held=HELD, verdict=Verdict.COMMITTED),)
    assert store.asked == 2


async def test_what_an_idle_worker_holds_by_no_table_is_let_go() -> None:
    """Else it is watched as one that holds something, and is deaf between its idle beats.

    What the tables say it holds it may have got after it spoke, so it stays.
    """
    clock, attachments = ManualClock(), Attachments()
    attachment = Attachment(WORKER, 1, FrameOutbox())
    attachments.add(attachment)
    for held in (HELD, LATER):
        ids = dict.fromkeys(("session_id", "org_id", "workflow_id"), UUID(int=9))
        attachments.hold(attachment, HeldTask(held=held, since_s=clock.mono(), **ids))
    store = StoreThatListens(lost(LATER.task_id))
    clock.advance(1)

    await leases_over(store, attachments, clock).look_over(attachment, clock.mono())

    assert [task.held for task in attachment.held.values()] == [LATER]


async def test_a_broken_stream_speaks_for_the_tasks_that_left_on_it() -> None:
    clock, store, outbox = ManualClock(), StoreThatListens(), FrameOutbox()
    attachment = Attachment(WORKER, 4, outbox)
    push(attachment, HELD)
    await outbox.next_frame()  # being written: a tool may kill its worker before that is known
    push(attachment, LATER)

    broken = asyncio.create_task(leases_over(store, Attachments(), clock).broken(attachment))
    await clock.until_sleeping()
    before = list(store.acknowledged)
    clock.advance(STREAM_GRACE_S)
    await broken

    assert before == []
    assert store.acknowledged == [Handed(held=HELD, incarnation=WORKER, attach_number=4)]


async def test_a_task_that_waited_for_a_frame_was_not_handed_out() -> None:
    clock, store = ManualClock(), StoreThatListens()
    attachment = Attachment(WORKER, 1, FrameOutbox())
    push(attachment, HELD)

    await leases_over(store, Attachments(), clock).fell_silent(attachment)

    assert store.acknowledged == []


async def test_a_silent_stream_speaks_for_its_tasks_at_once() -> None:
    clock, store, outbox = ManualClock(), StoreThatListens(), FrameOutbox()
    attachment = Attachment(WORKER, 1, outbox)
    push(attachment, HELD)
    await outbox.next_frame()

    await leases_over(store, Attachments(), clock).fell_silent(attachment)

    assert [one.held for one in store.acknowledged] == [HELD]


@pytest.mark.parametrize("back", [False, True])
async def test_the_last_death_is_decided_behind_the_grace_unless_its_worker_is_back(
    back: bool,
) -> None:
    clock, lanes, store = ManualClock(), Heard(), StoreOfALast(back=back)
    leases = leases_over(store, Attachments(), clock, lanes)
    leases.beaten = True

    broken = asyncio.create_task(leases.broken(Attachment(WORKER, 4, FrameOutbox())))
    await clock.until_sleeping()
    clock.advance(STREAM_GRACE_S)
    await broken

    held = Held(_LAST.task.id, _LAST.task.fence)
    assert store.lapsed == [Handed(held=held, incarnation=WORKER, attach_number=4)]
    assert lanes.died == ([] if back else [_LAST.task.id])


async def refused_for(seconds: float) -> tuple[Leases, Heard, ManualClock]:
    """Leases over a store that serves again, and had refused a pass over them before."""
    clock, lanes, store = ManualClock(), Heard(), StoreThatRefuses()
    leases = leases_over(store, Attachments(), clock, lanes)
    leases.beaten = True
    with pytest.raises(Unavailable):
        await leases.expire()
    clock.advance(seconds)
    store.refuses = False
    return leases, lanes, clock


async def test_no_lease_runs_out_behind_an_outage_until_workers_had_time_to_renew() -> None:
    leases, lanes, clock = await refused_for(OUTAGE_S)

    at_once = await leases.expire()
    clock.advance(POSTGRES_SETTLE_S - 0.1)
    early = await leases.expire()
    before = list(lanes.died)
    clock.advance(0.1)
    await leases.expire()

    assert (at_once, early, before) == ((0, False), (0, False), [])
    assert len(lanes.died) == 1


async def test_a_refusal_too_short_to_lose_a_lease_by_puts_off_nothing() -> None:
    leases, lanes, _ = await refused_for(OUTAGE_S - 0.1)

    await leases.expire()

    assert len(lanes.died) == 1


async def test_a_store_that_answers_late_was_away_since_it_was_asked() -> None:
    clock = ManualClock()
    outage = Outage(clock)

    def ask() -> None:
        with outage.watched():
            clock.advance(OUTAGE_S)
            raise Unavailable

    with pytest.raises(Unavailable):
        ask()
    during = outage.excuses
    outage.served()

    assert during
    assert outage.excuses


async def test_a_stream_that_broke_in_an_outage_has_its_grace_behind_it() -> None:
    clock, store, outbox = ManualClock(), StoreThatRefuses(), FrameOutbox()
    attachment = Attachment(WORKER, 1, outbox)
    push(attachment, HELD)
    await outbox.next_frame()
    leases = leases_over(store, Attachments(), clock)
    leases.beaten = True

    broken = asyncio.create_task(leases.broken(attachment))
    for _ in range(math.ceil(OUTAGE_S / STREAM_GRACE_S) + 1):
        await clock.until_sleeping()
        clock.advance(STREAM_GRACE_S)
    store.refuses = False
    await leases.expire()
    served_s = clock.mono()
    while clock.mono() < served_s + POSTGRES_SETTLE_S:
        await clock.until_sleeping()
        assert store.lapsed == 0
        clock.advance(STREAM_GRACE_S)
    await broken

    assert store.lapsed == 1


async def test_losses_that_cannot_be_decided_hold_up_nobody_behind_them() -> None:
    clock, lanes = ManualClock(), Heard()
    store = StoreWithLosses(SWEEP_BATCH_ROWS_MAX + 1)
    leases = leases_over(store, Attachments(), clock, lanes)
    leases.beaten = True
    tasks = [one.task.id for one in store.lost]

    full = await leases.expire()
    rest = await leases.expire()
    for ticket in lanes.tickets:
        ticket.failed(MainspringError("a state that nobody can read"))
    nothing = await leases.expire()
    clock.advance(UNSETTLED_REST_S)
    again = await leases.expire()

    assert (full, rest, nothing) == ((SWEEP_BATCH_ROWS_MAX, True), (1, False), (0, False))
    assert lanes.died[: len(tasks)] == tasks
    assert again == full
