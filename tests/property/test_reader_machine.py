"""Readers of one session that come and go as they like: each sees everything once and in order.

The hub, its followers and streams are the real ones, in virtual time; queues and pages are short,
so that few events are enough for an overflow and for a second page.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from typing import Final
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec import Struct
from typing_extensions import override

from mainspring_api.domain.cursor import Resume, StreamCursor
from mainspring_api.domain.frames import Frame, Framer
from mainspring_api.domain.limits import SSE_CYCLE_S, SSE_STREAMS_PER_SESSION_MAX
from mainspring_api.ports.log import Page
from mainspring_api.usecases.stream import beginnings, follower, session_stream, subscriber
from mainspring_api.usecases.stream.follower import Follower
from mainspring_api.usecases.stream.hub import Hub
from mainspring_api.usecases.stream.session_stream import Opening, open_stream
from mainspring_api.usecases.stream.subscriber import Subscriber
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.ids import (
    DEFAULT_ORG_ID,
    OrgId,
    Position,
    Prefix,
    SessionId,
    from_wire,
    parse_position_id,
)
from mainspring_schema.stream import LogBatch
from tests.api.backend import Backend
from tests.api.sessions_backend import FakeSession
from tests.sim.database import SimClock
from tests.sim.loop import SimLoop

SESSION: Final = SessionId(UUID(int=1))
ORG: Final = OrgId(DEFAULT_ORG_ID)
START: Final = Position(0, 0)
READ_S: Final = 0.1
SLOW_S: Final = 0.3
QUEUE: Final = 5
REST_S: Final = 60.0
"""More than the slowest reader takes, and less than a stream lasts."""
SETTINGS: Final = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow],
)
UNTIL_MISSED: Final = settings(SETTINGS, max_examples=400, phases=[Phase.generate])
"""It ends with the first finding, which nobody needs small."""
_FRAME: Final = re.compile(rb"event: \S+\nid: event_(\w+)\ndata: (.*)\n\n")
Seen = tuple[Position, str | None]
paces = st.sampled_from([0.0, SLOW_S])
writings = st.lists(
    st.sampled_from(["delta", "delta", "output.message.started", "turn.completed"]), max_size=9
)
waits = st.sampled_from([READ_S, 0.0, 1.0])


class LossyBackend(Backend):
    """Its bus loses, doubles and delays; its log takes time to answer, with what it had halfway."""

    def __init__(self) -> None:
        super().__init__()
        self.fate = "arrives"
        self.late: list[LogBatch] = []

    def _publish(self, session_id: UUID, batch: LogBatch, publish: bool) -> None:
        if self.fate == "late":
            self.late.append(batch)
        for _ in range({"arrives": 1, "twice": 2}.get(self.fate, 0)):
            super()._publish(session_id, batch, publish)

    def deliver_late(self) -> None:
        """The newest first."""
        while self.late:
            super()._publish(SESSION, self.late.pop(), True)

    async def read(
        self,
        session_id: SessionId,
        org_id: OrgId,
        *,
        after: Position | None,
        limit: int,
        events_only: bool = False,
    ) -> Page:
        await asyncio.sleep(READ_S)
        page = await super().read(
            session_id, org_id, after=after, limit=limit, events_only=events_only
        )
        await asyncio.sleep(READ_S)
        return page


class Reader:
    """A client that keeps its cursor; `seen` is what it was shown since its first attach."""

    def __init__(self, after: Position) -> None:
        self.after = after
        self.seen: list[Seen] = []
        self.task: asyncio.Task[None] | None = None

    @property
    def attached(self) -> bool:
        return self.task is not None and not self.task.done()

    def leave(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def read(self, hub: Hub, pace_s: float) -> None:
        at = self.seen[-1][0] if self.seen else self.after
        resume = Resume(position=at, epoch=1)
        try:
            stream = await open_stream(hub, Opening(session_id=SESSION, org_id=ORG, resume=resume))
        except Unavailable:
            return
        try:
            async with aclosing(stream.chunks()) as chunks:
                async for chunk in chunks:
                    self.seen.extend(shown(chunk))
                    await asyncio.sleep(pace_s)
        finally:
            await stream.close()


def shown(chunk: bytes) -> list[Seen]:
    """Of each frame its position, and for a delta the text so far."""
    found: list[Seen] = []
    for id_, data in _FRAME.findall(chunk):
        event_id = from_wire(Prefix.EVENT, f"event_{id_.decode()}")
        text = msgspec.json.decode(data, type=_Event).data.accumulated
        found.append((parse_position_id(event_id).position, text))
    return found


class _Data(Struct):
    accumulated: str | None = None


class _Event(Struct):
    data: _Data


class Readers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop, self.now = SimLoop(), 0.0
        self.backend = LossyBackend()
        self.hub = Hub(self.backend, self.backend, SimClock(self.loop), SeededDraws(3))
        self.running = self.loop.create_task(self.hub.run())
        self.all: list[Reader] = []
        self.message = ""
        self.text = ""
        self.backend.sessions[SESSION] = FakeSession(ORG)
        self.history: list[Seen] = [(START, None)]
        self._do(lambda: self._write("session.started"))

    # ── writing ─────────────────────────────────────────────────────────────────────────────────

    @rule(what=writings, fate=st.sampled_from(["arrives", "twice", "lost", "late"]), seconds=waits)
    def the_bus_changes(self, what: list[str], fate: str, seconds: float) -> None:
        self.backend.fate = fate
        self.write(what, seconds)

    @rule(what=writings, seconds=waits)
    def what_was_late_comes(self, what: list[str], seconds: float) -> None:
        self._do(self.backend.deliver_late)
        self.write(what, seconds)

    @rule(what=writings, seconds=st.sampled_from([READ_S, 1.0, SSE_CYCLE_S]))
    def the_log_is_away(self, what: list[str], seconds: float) -> None:
        self.backend.away = True
        self.write(what, seconds)
        self.backend.away = False

    def write(self, what: list[str], seconds: float) -> None:
        """In one go, nobody reads in between. Every rule does it, so that there is news."""

        def write_all() -> None:
            for type_ in what:
                self._write(type_)

        self._do(write_all)
        self.wait(seconds)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.loop.run(self.now)

    def _write(self, type_: str) -> None:
        seq, n = self.history[-1][0]
        if type_ != "delta":
            self.message = f"message_{seq + 1}" if type_ == "output.message.started" else ""
            self.text = ""
            self.backend.append(SESSION, type_, {"message_id": self.message})
            self.history.append((Position(seq + 1, 0), None))
        elif self.message:
            self.backend.stream(SESSION, self.message, f"{n} ", offset=len(self.text))
            self.text += f"{n} "
            self.history.append((Position(seq, n + 1), self.text))

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    @initialize(places=st.lists(st.integers(0, 1), min_size=3, max_size=3), pace_s=paces)
    def three_attach(self, places: list[int], pace_s: float) -> None:
        for place in places:
            self.attach(place, pace_s)

    @precondition(lambda self: len(self.all) < SSE_STREAMS_PER_SESSION_MAX)
    @rule(place=st.integers(0, 200), pace_s=paces, what=writings, seconds=waits)
    def another_attaches(self, place: int, pace_s: float, what: list[str], seconds: float) -> None:
        self.attach(place, pace_s)
        self.write(what, seconds)

    @rule(which=st.integers(0, 11), pace_s=paces, what=writings, seconds=waits)
    def one_leaves_or_comes_again(
        self, which: int, pace_s: float, what: list[str], seconds: float
    ) -> None:
        reader = self.all[which % len(self.all)]
        if reader.attached:
            reader.leave()
        else:
            self._begin(reader, pace_s)
        self.write(what, seconds)

    def attach(self, place: int, pace_s: float) -> None:
        self.all.append(Reader(self.history[place % len(self.history)][0]))
        self._begin(self.all[-1], pace_s)

    def _begin(self, reader: Reader, pace_s: float) -> None:
        if reader.task is not None and not reader.task.cancelled():
            reader.task.result()  # raises what ended it
        reader.task = self.loop.create_task(reader.read(self.hub, pace_s))

    def _do(self, work: Callable[[], None]) -> None:
        done: list[None] = []
        self.loop.call_soon(lambda: done.append(work()))
        self.loop.run(self.now, lambda: bool(done))

    # ── what must hold ──────────────────────────────────────────────────────────────────────────

    @invariant()
    def nothing_is_skipped_doubled_or_out_of_order(self) -> None:
        for reader in self.all:
            expected = self._behind(reader)
            assert reader.seen == expected[: len(reader.seen)]

    @override
    def teardown(self) -> None:
        """All is mended: who is attached sees all of it, who is not comes again and does, too."""
        try:
            self._rest(lambda: all(not one.attached or self._has_all(one) for one in self.all))
            for reader in self.all:
                if not reader.attached:
                    self._begin(reader, 0.0)
            self._rest(lambda: all(self._has_all(one) for one in self.all))
            self.nothing_is_skipped_doubled_or_out_of_order()
        finally:
            for reader in self.all:
                reader.leave()
            self.wait(REST_S)
            self.running.cancel()
            self.wait(0.0)
        assert self.hub.streams == 0
        assert not self.hub._followers
        assert self.loop.problems == []

    def _rest(self, rested: Callable[[], bool]) -> None:
        self.now += REST_S
        assert self.loop.run(self.now, rested)
        self.now = self.loop.time()

    def _has_all(self, reader: Reader) -> bool:
        return (reader.seen[-1][0] if reader.seen else reader.after) == self.history[-1][0]

    def _behind(self, reader: Reader) -> list[Seen]:
        return [seen for seen in self.history if seen[0] > reader.after]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, "SSE_QUEUE_FRAMES_MAX", QUEUE)
    for module in (session_stream, follower, beginnings):
        monkeypatch.setattr(module, "SSE_READ_ROWS", 4)


def test_every_reader_sees_everything_once_and_in_order() -> None:
    run_state_machine_as_test(Readers, settings=SETTINGS)


def _no_gap(_: StreamCursor, __: object, ___: Position) -> bool:
    return True


async def _no_sweep(_: Hub) -> None:
    return


def _no_word(place: Subscriber, frame: Frame) -> None:
    """On overflow the queue is emptied, and its stream not told."""
    if len(place._queue) >= QUEUE:
        place._queue.clear()
    place._queue.append(frame)
    place._wake.set()


def _no_tail(_: Follower, position: Position, __: Framer) -> Position:
    return position


@pytest.mark.parametrize(
    ("owner", "name", "without"),
    [
        pytest.param(StreamCursor, "_follows", _no_gap, id="a gap is read"),
        pytest.param(Hub, "sweep", _no_sweep, id="heads are compared"),
        pytest.param(Subscriber, "push", _no_word, id="an overflow is read again"),
        pytest.param(Follower, "establish", _no_tail, id="history joins the tail"),
    ],
)
def test_a_safeguard_that_is_away_is_missed(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, without: object
) -> None:
    monkeypatch.setattr(owner, name, without)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Readers, settings=UNTIL_MISSED)
