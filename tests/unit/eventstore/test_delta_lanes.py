"""Natural batching of deltas: what flies together, what is told, what a bad item may harm."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from mainspring_eventstore.domain import limits
from mainspring_eventstore.ports.log import Appended, LogStore
from mainspring_eventstore.usecases.append import Appender
from mainspring_kernel.errors import MainspringError, TooManyRequests, Unavailable
from mainspring_kernel.tracing import TraceContext
from mainspring_schema.grants import AppendVerdict, DeltaAnswer, DeltaAppend
from mainspring_schema.stream import LogBatch

ORG = UUID(int=7)
TRACE = TraceContext(1, 2, True)


class GatedStore:
    """Commits a flight when the test lets it; refuses fragments that say so."""

    def __init__(self) -> None:
        self.flights: list[list[str]] = []
        self.landed = asyncio.Semaphore(0)
        self.started = asyncio.Semaphore(0)
        self.failure: Exception | None = None

    async def append_deltas(self, items: Sequence[DeltaAppend]) -> tuple[Appended, ...]:
        self.flights.append([item.fragment for item in items])
        self.started.release()
        await self.landed.acquire()
        if self.failure is not None:
            raise self.failure
        if any(item.fragment == "poison" for item in items):
            message = "no such thing"
            raise MainspringError(message)
        return tuple(_answer(number, item) for number, item in enumerate(items, 1))


def _answer(number: int, item: DeltaAppend) -> Appended:
    if item.fragment == "again":
        answer = DeltaAnswer(item=number, verdict=AppendVerdict.DUPLICATE)
    else:
        committed = AppendVerdict.COMMITTED
        answer = DeltaAnswer(item=number, verdict=committed, seq=4, n=number, ts_ms=9)
    return Appended(answer=answer, org_id=ORG)


class Published:
    def __init__(self) -> None:
        self.batches: list[tuple[UUID, UUID, LogBatch, TraceContext | None]] = []

    def publish(
        self, org_id: UUID, session_id: UUID, batch: LogBatch, *, trace: TraceContext | None
    ) -> None:
        self.batches.append((org_id, session_id, batch, trace))


def delta(fragment: str, session: int = 2) -> DeltaAppend:
    return DeltaAppend(
        session_id=UUID(int=session),
        turn_id=UUID(int=5),
        anchor="m1",
        attempt=1,
        channel="text",
        offset=0,
        fragment=fragment,
    )


@pytest.fixture
def store() -> GatedStore:
    return GatedStore()


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def appender(store: GatedStore, published: Published) -> Appender:
    ours: LogStore = store  # pyright: ignore[reportAssignmentType] -- appending is all it needs
    return Appender(ours, published, epoch=3, lanes=2)


async def test_what_arrives_during_a_flight_rides_the_next_one(
    appender: Appender, store: GatedStore
) -> None:
    first = asyncio.create_task(appender.append([delta("a")]))
    await store.started.acquire()
    others = [asyncio.create_task(appender.append([delta(f)])) for f in ("b", "c", "d")]
    store.landed.release()
    await first
    await store.started.acquire()
    store.landed.release()
    await asyncio.gather(*others)

    assert store.flights == [["a"], ["b", "c", "d"]]


async def test_lanes_fly_side_by_side(appender: Appender, store: GatedStore) -> None:
    both = asyncio.create_task(appender.append([delta("a", session=2), delta("b", session=3)]))
    await store.started.acquire()
    await store.started.acquire()

    assert sorted(store.flights) == [["a"], ["b"]]

    store.landed.release()
    store.landed.release()
    assert await both == (AppendVerdict.COMMITTED, AppendVerdict.COMMITTED)


async def test_only_what_was_committed_is_published_once_per_session(
    appender: Appender, store: GatedStore, published: Published
) -> None:
    store.landed.release()

    items = [delta("a", 2), delta("again", 2), delta("x", 4), delta("b", 2)]
    verdicts = await appender.append(items, trace=TRACE)

    committed, duplicate = AppendVerdict.COMMITTED, AppendVerdict.DUPLICATE
    assert verdicts == (committed, duplicate, committed, committed)
    assert [
        (org, session.int, batch.epoch, [d.fragment for d in batch.deltas], trace)
        for org, session, batch, trace in published.batches
    ] == [(ORG, 2, 3, ["a", "b"], TRACE), (ORG, 4, 3, ["x"], TRACE)]


async def test_a_bad_item_fails_alone(
    appender: Appender, store: GatedStore, published: Published
) -> None:
    for _ in range(20):
        store.landed.release()
    good = [asyncio.create_task(appender.append([delta(f)])) for f in ("a", "b", "c")]
    bad = asyncio.create_task(appender.append([delta("poison")]))
    more = asyncio.create_task(appender.append([delta("d")]))

    with pytest.raises(MainspringError):
        await bad

    assert await asyncio.gather(*good, more) == [(AppendVerdict.COMMITTED,)] * 4
    assert [d.fragment for _, _, batch, _ in published.batches for d in batch.deltas] == [
        "a",
        "b",
        "c",
        "d",
    ]


async def test_an_outage_fails_the_flight_and_is_not_bisected(
    appender: Appender, store: GatedStore
) -> None:
    store.failure = Unavailable("Postgres is away")
    store.landed.release()

    with pytest.raises(Unavailable):
        await appender.append([delta("a"), delta("b")])

    assert len(store.flights) == 1


async def test_a_caller_that_goes_away_cancels_no_commit(
    appender: Appender, store: GatedStore, published: Published
) -> None:
    gone = asyncio.create_task(appender.append([delta("a")]))
    await store.started.acquire()
    gone.cancel()
    store.landed.release()

    await appender.drain()

    assert len(published.batches) == 1


async def test_too_many_waiting_deltas_are_refused_untouched(
    appender: Appender, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LANE_FRAGMENTS_MAX", 2)
    first = asyncio.create_task(appender.append([delta("a")]))
    await store.started.acquire()
    waiting = asyncio.create_task(appender.append([delta("b"), delta("c")]))
    await asyncio.wait({waiting}, timeout=0)

    with pytest.raises(TooManyRequests):
        await appender.append([delta("d")])

    store.landed.release()
    store.landed.release()
    await asyncio.gather(first, waiting)
    assert store.flights == [["a"], ["b", "c"]]


async def test_drain_waits_for_everything_taken_in(appender: Appender, store: GatedStore) -> None:
    first = asyncio.create_task(appender.append([delta("a")]))
    await store.started.acquire()
    second = asyncio.create_task(appender.append([delta("b")]))
    draining = asyncio.create_task(appender.drain())
    store.landed.release()
    await first

    assert not draining.done()

    store.landed.release()
    await draining
    assert await second == (AppendVerdict.COMMITTED,)
