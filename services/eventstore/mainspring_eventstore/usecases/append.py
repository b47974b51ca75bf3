"""Appends deltas: one flight under way per lane, and what arrived meanwhile rides the next."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context

from msgspec import Struct

from mainspring_eventstore.domain import limits as bounds
from mainspring_eventstore.ports.bus import Publisher
from mainspring_eventstore.ports.log import Appended, LogStore
from mainspring_kernel import limits
from mainspring_kernel.errors import MainspringError, TooManyRequests, Unavailable
from mainspring_kernel.tracing import TraceContext
from mainspring_schema.events import StoredDelta
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_schema.stream import LogBatch


class Waiting(Struct, frozen=True, kw_only=True):
    """A delta that rides a coming flight."""

    item: DeltaAppend
    trace: TraceContext | None
    verdict: "asyncio.Future[AppendVerdict]"


class Appender:
    """Takes deltas in, commits them in flights and copies what was committed to the bus.

    All deltas of a session go through one lane, so that they are applied in the order given.
    """

    def __init__(
        self, store: LogStore, publisher: Publisher, *, epoch: int, lanes: int = bounds.LANES
    ) -> None:
        self._lanes = tuple(_Lane(store, publisher, epoch) for _ in range(lanes))

    async def append(
        self, items: Sequence[DeltaAppend], *, trace: TraceContext | None = None
    ) -> tuple[AppendVerdict, ...]:
        """The verdicts, in order. Raises TooManyRequests with nothing appended where too many wait.

        Any other error leaves open what was appended; the same items may be given again.
        """
        if any(len(lane.waiting) + len(items) > bounds.LANE_FRAGMENTS_MAX for lane in self._lanes):
            message = "too many deltas wait for the database"
            raise TooManyRequests(message)
        loop = asyncio.get_running_loop()
        waits = [Waiting(item=item, trace=trace, verdict=loop.create_future()) for item in items]
        for wait in waits:
            self._lanes[wait.item.session_id.int % len(self._lanes)].board(wait)
        return tuple(await asyncio.gather(*[wait.verdict for wait in waits]))

    async def drain(self) -> None:
        """Returns when every delta taken in is committed or has failed."""
        for lane in self._lanes:
            await lane.drain()


class _Lane:
    def __init__(self, store: LogStore, publisher: Publisher, epoch: int) -> None:
        self.waiting: deque[Waiting] = deque()
        self._store = store
        self._publisher = publisher
        self._epoch = epoch
        self._flying: asyncio.Task[None] | None = None

    def board(self, wait: Waiting) -> None:
        self.waiting.append(wait)
        if self._flying is None:
            # A context of its own: a flight belongs to no single caller's trace.
            self._flying = asyncio.create_task(self._fly(), name="delta-lane", context=Context())

    async def drain(self) -> None:
        while self._flying is not None:
            await asyncio.wait([self._flying])

    async def _fly(self) -> None:
        try:
            while self.waiting:
                size = min(len(self.waiting), limits.APPEND_FLIGHT_ITEMS_MAX)
                await self._commit([self.waiting.popleft() for _ in range(size)])
        finally:
            self._flying = None

    async def _commit(self, flight: list[Waiting]) -> None:
        try:
            appended = await self._store.append_deltas([wait.item for wait in flight])
        except Unavailable as error:
            _fail(flight, error)
        except Exception as error:  # noqa: BLE001 -- one bad item must not fail its neighbours
            await self._bisect(flight, error)
        else:
            self._publish(flight, appended)
            for wait, done in zip(flight, appended, strict=True):
                if not wait.verdict.done():
                    wait.verdict.set_result(done.answer.verdict)

    async def _bisect(self, flight: list[Waiting], error: Exception) -> None:
        if len(flight) == 1:
            _fail(flight, error)
            return
        middle = len(flight) // 2
        await self._commit(flight[:middle])
        await self._commit(flight[middle:])

    def _publish(self, flight: Sequence[Waiting], appended: Sequence[Appended]) -> None:
        by_session: dict[object, list[tuple[Waiting, Appended]]] = {}
        for wait, done in zip(flight, appended, strict=True):
            if done.answer.verdict is AppendVerdict.COMMITTED:
                by_session.setdefault(wait.item.session_id, []).append((wait, done))
        for pairs in by_session.values():
            wait, done = pairs[0]
            if done.org_id is not None:
                deltas = tuple(_stored(one.item, its) for one, its in pairs)
                batch = LogBatch(epoch=self._epoch, deltas=deltas)
                self._publisher.publish(done.org_id, wait.item.session_id, batch, trace=wait.trace)


def _fail(flight: Sequence[Waiting], error: Exception) -> None:
    shown = error if isinstance(error, MainspringError) else MainspringError(str(error))
    for wait in flight:
        if not wait.verdict.done():
            wait.verdict.set_exception(shown)


def _stored(item: DeltaAppend, done: Appended) -> StoredDelta:
    return StoredDelta(
        seq=done.answer.seq,
        n=done.answer.n,
        ts_ms=done.answer.ts_ms,
        turn_id=item.turn_id,
        anchor=item.anchor,
        attempt=item.attempt,
        channel=item.channel,
        offset=item.offset,
        fragment=item.fragment,
        reset=item.reset,
    )
