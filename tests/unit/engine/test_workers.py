"""An engine's part of the registry: what it tells, and what it reads back."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters.memory import MemoryStore, memory_backstage
from mainspring_engine.domain.limits import REPLICA_BEAT_S, STREAM_GRACE_S
from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Offer, Route
from mainspring_engine.ports.log import GrantedLog
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.registry import Presence, Registry
from mainspring_engine.ports.store import AttachRow
from mainspring_engine.usecases.attachments import Attachment, Attachments
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.registry import Workers
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import NotFound, Unavailable, ValidationFailed
from mainspring_schema.agents import ToolDefinition
from mainspring_schema.frames import Attach
from mainspring_schema.operations import ListWorkers
from mainspring_schema.toolsets import ListToolsets, Toolset, Toolsets, check

WORKER = UUID(int=7)
ROUTE = Route()
OFFER = Offer(queues=frozenset({"default"}), capabilities=frozenset({""}), build="b")


class Hints:
    """Counts the hints, and passes each on to everybody, as the bus would."""

    def __init__(self) -> None:
        self.count = 0
        self.listeners: list[Workers] = []

    def workers_drained(self) -> None:
        self.count += 1
        for listener in self.listeners:
            listener.look()


class WatchedRoster(Roster):
    """Says when it was told who is drained."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    def hold_back(self, seats: tuple[Seat, ...], *, drained: frozenset[UUID]) -> None:
        super().hold_back(seats, drained=drained)
        if drained:
            self.told.set()


class Site:
    """Some engines over one registry, each with its roster."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        log = cast("GrantedLog", cast("object", None))
        lock = threading.RLock()
        self.store = MemoryStore(lock=lock, log=log, clock=self.clock)
        self.registry = memory_backstage(self.store, lock=lock, clock=self.clock).registry
        self.hints = Hints()

    def engine(
        self, number: int, registry: Registry | None = None, attachments: Attachments | None = None
    ) -> tuple[Workers, WatchedRoster]:
        roster = WatchedRoster()
        workers = Workers(
            registry=registry or self.registry,
            roster=roster,
            attachments=attachments or Attachments(),
            announcer=cast("Announcer", cast("object", self.hints)),
            clock=self.clock,
            replica=UUID(int=number),
        )
        self.hints.listeners.append(workers)
        return workers, roster

    async def attach(self, workers: Workers, roster: Roster, *, number: int = 1) -> Seat:
        """As a stream does: into the store, into the registry, onto its seat."""
        await self.store.attach(
            (AttachRow(incarnation=WORKER, attach_number=number, name="w", build="b"),)
        )
        seat = Seat(WORKER, number, OFFER, 3)
        seat.drained = await workers.registered(
            Attach(
                incarnation=WORKER, attach_number=number, name="w", build="b",
                queues=("default",), capabilities=("",), slots=3,
            )
        )  # fmt: skip
        roster.add(seat)
        return seat


@asynccontextmanager
async def working(*engines: Workers) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(engine.work()) for engine in engines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def announcing(body: bytes, *, number: int) -> Attach:
    return Attach(
        incarnation=UUID(int=number), attach_number=1, name="w", build="b", queues=("default",),
        capabilities=("toolset:shop/refund",), slots=1, toolset=body,
    )  # fmt: skip


def shop(*tools: str) -> Toolset:
    made = (ToolDefinition(name=name, description="x") for name in tools)
    return Toolset(name="shop", tools=tuple(made))


async def test_what_a_worker_announces_is_told_by_every_engine() -> None:
    site = Site()
    (first, _), (second, _) = site.engine(1), site.engine(2)
    await first.registered(announcing(check(shop("refund")), number=8))
    await first.registered(announcing(check(shop("refund", "charge")), number=9))
    await second.registered(announcing(check(shop("refund")), number=8))

    found = await second.answer(ListToolsets(names=("shop", "bank")))

    assert found == Toolsets(toolsets=(shop("refund", "charge"),))


async def test_what_no_agent_can_be_given_is_refused() -> None:
    workers, _ = Site().engine(1)

    with pytest.raises(ValidationFailed, match="one name"):
        await workers.registered(
            announcing(msgspec.msgpack.encode(shop("refund", "refund")), number=8)
        )

    assert await workers.answer(ListToolsets()) == Toolsets(toolsets=())


async def test_a_drained_worker_of_this_engine_gets_nothing_until_it_is_resumed() -> None:
    site = Site()
    workers, roster = site.engine(1)
    await site.attach(workers, roster)
    await site.registry.beat(UUID(int=1))

    view = await workers.drain(WORKER, drained=True)
    while_drained = roster.pick(ROUTE)
    resumed = await workers.drain(WORKER, drained=False)

    assert (view.status, resumed.status) == ("draining", "active")
    assert while_drained is None
    assert roster.pick(ROUTE) is not None


async def test_a_drain_at_one_engine_holds_at_the_other_that_has_the_stream() -> None:
    site = Site()
    (near, _), (far, roster) = site.engine(1), site.engine(2)
    await site.attach(far, roster)
    async with working(far):
        await site.clock.until_sleeping()

        await near.drain(WORKER, drained=True)

        await roster.told.wait()
        assert roster.free() == ()
        assert site.hints.count == 1


async def test_without_the_hint_the_next_beat_brings_the_drain() -> None:
    site = Site()
    (near, _), (far, roster) = site.engine(1), site.engine(2)
    site.hints.listeners.clear()
    await site.attach(far, roster)
    async with working(far):
        await site.clock.until_sleeping()
        await near.drain(WORKER, drained=True)
        before = roster.free()

        site.clock.advance(REPLICA_BEAT_S)
        await roster.told.wait()

        assert before
        assert roster.free() == ()


async def test_a_drained_worker_that_attaches_anew_is_still_drained() -> None:
    site = Site()
    (first, roster), (second, other) = site.engine(1), site.engine(2)
    await site.attach(first, roster)
    await first.drain(WORKER, drained=True)

    seat = await site.attach(second, other, number=2)

    assert seat.drained
    assert other.free() == ()


class SlowRegistry:
    """Holds one beat back until it is let go."""

    def __init__(self, inner: Registry) -> None:
        self.inner = inner
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def beat(self, replica: UUID) -> frozenset[UUID]:
        drained = await self.inner.beat(replica)
        self.asked.set()
        await self.go.wait()
        return drained


async def test_an_answer_on_its_way_does_not_undo_what_an_attach_has_learnt() -> None:
    site = Site()
    slow = SlowRegistry(site.registry)
    workers, roster = site.engine(1, cast("Registry", cast("object", slow)))
    async with working(workers):
        await slow.asked.wait()
        ordinary, _ = site.engine(1)
        await site.attach(ordinary, Roster())
        await site.registry.drain(WORKER, drained=True)
        seat = await site.attach(ordinary, roster, number=2)

        slow.go.set()
        await site.clock.until_sleeping()
        await asyncio.sleep(0)

        assert seat.drained


async def test_draining_nobody_is_not_found() -> None:
    workers, _ = Site().engine(1)

    with pytest.raises(NotFound):
        await workers.drain(WORKER, drained=True)


class AwayOnce:
    """Unreachable for the first telling, if it is to be, or refuses it."""

    def __init__(
        self, inner: Registry, *, away: bool = True, error: type[Exception] = Unavailable
    ) -> None:
        self.inner = inner
        self.error = error
        self.tries = 0 if away else 1
        self.done = asyncio.Event()

    async def beat(self, replica: UUID) -> frozenset[UUID]:
        return await self.inner.beat(replica)

    async def tell(self, presences: tuple[Presence, ...]) -> None:
        self.tries += 1
        if self.tries == 1:
            detail = "Postgres is away"
            raise self.error(detail)
        await self.inner.tell(presences)
        self.done.set()


async def telling(site: Site, registry: AwayOnce, *, attaches: int = 1) -> Workers:
    """An engine that tells by way of this registry, once its worker has attached so often."""
    workers, roster = site.engine(1, cast("Registry", cast("object", registry)))
    ordinary, _ = site.engine(1)
    for number in range(1, attaches + 1):
        await site.attach(ordinary, roster, number=number)
    return workers


async def test_what_became_of_a_stream_is_told_once_the_store_is_back() -> None:
    site = Site()
    away = AwayOnce(site.registry)
    workers = await telling(site, away)
    async with working(workers):
        workers.tell(Presence(incarnation=WORKER, attach_number=1, attached=False))
        await site.clock.until_sleeping(2)
        site.clock.advance(STREAM_GRACE_S)
        await away.done.wait()

    found = await site.registry.worker(WORKER)
    assert found is not None
    assert found.left_ms is not None


async def test_what_cannot_be_told_keeps_nobody_else_from_being_told() -> None:
    site = Site()
    refusing = AwayOnce(site.registry, error=ValueError)
    workers = await telling(site, refusing)
    async with working(workers):
        workers.tell(Presence(incarnation=UUID(int=9), attach_number=1, attached=False))
        await site.clock.until_sleeping(1)
        workers.tell(Presence(incarnation=WORKER, attach_number=1, attached=False))
        await refusing.done.wait()

    assert refusing.tries == 2
    found = await site.registry.worker(WORKER)
    assert found is not None
    assert found.left_ms is not None


async def test_a_late_word_of_an_older_attach_does_not_replace_a_newer_one() -> None:
    site = Site()
    told = AwayOnce(site.registry, away=False)
    workers = await telling(site, told, attaches=2)
    workers.tell(Presence(incarnation=WORKER, attach_number=2, attached=True, silent=True))
    workers.tell(Presence(incarnation=WORKER, attach_number=1, attached=False))
    async with working(workers):
        await told.done.wait()

    found = await site.registry.worker(WORKER)
    assert found is not None
    assert found.silent_ms is not None
    assert found.left_ms is None


async def test_a_worker_whose_attach_was_lost_with_its_commit_is_told_to_attach_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site, attachments = Site(), Attachments()
    workers, roster = site.engine(1, attachments=attachments)
    outbox = FrameOutbox()
    await site.attach(workers, roster)
    attachments.add(Attachment(WORKER, 1, FrameOutbox()))
    attachments.add(Attachment(UUID(int=8), 1, outbox))

    async with working(workers):
        await site.clock.until_sleeping()
        frame = await outbox.next_frame()

    assert frame is not None
    assert frame.leaving
    assert caplog.text.count("does not know 1 workers") == 1


async def test_a_page_tells_what_lies_behind_it() -> None:
    site = Site()
    workers, roster = site.engine(1)
    await site.attach(workers, roster)
    await site.registry.beat(UUID(int=1))

    page = await workers.page(ListWorkers(limit=1))

    assert [worker.id for worker in page.workers] == [WORKER]
    assert page.next is None
