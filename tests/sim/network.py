"""What lies between hosts: calls, statements, hints and worker streams, each able to fail."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from contextvars import Context
from functools import lru_cache
from typing import Any, Final

from mainspring_engine.domain.changes import Changes
from mainspring_engine.ports.outside import AttemptEnd, TurnEnd
from mainspring_engine.ports.store import Closed
from mainspring_engine.usecases.conversation import Conversations
from mainspring_kernel.errors import DeadlineExceeded, MainspringError, Unavailable
from mainspring_kernel.limits import RPC_KEEPALIVE_S, RPC_KEEPALIVE_TIMEOUT_S, RPC_TIMEOUT_S
from mainspring_kernel.tracing import TraceContext
from mainspring_messaging.bus import Callback, Message, SignalKind, Watcher, Watchers
from mainspring_messaging.subjects import matches
from mainspring_schema.frames import FromWorker, ToWorker, Verdict
from mainspring_workstream.link import EngineStream, LinkBroken
from tests.sim.loop import Host, SimLoop, here
from tests.sim.weather import Chance, Weather

_matches: Final = lru_cache(maxsize=4096)(matches)
_STALL_S: Final = 2.0
_KEEPALIVE_S: Final = RPC_KEEPALIVE_S + RPC_KEEPALIVE_TIMEOUT_S
"""Until both ends of a dead connection notice, at the latest."""


class Network:
    """Latency, loss and partitions. `calm` ends all faults: the seed is to come to rest."""

    def __init__(self, loop: SimLoop, weather: Weather, chance: Chance) -> None:
        self.loop = loop
        self.weather = weather
        self.chance = chance
        self.calm = False
        self.broken: list[str] = []
        """Promises that were seen to be broken on the way."""
        self.database_up = True
        self.bus_up = True
        self._apart: set[Host] = set()

    def delay(self, part: float = 1.0) -> float:
        return self.weather.latency_s * part * self.chance.schedule.random()

    def strikes(self, kind: str, odds: float) -> bool:
        return not self.calm and self.chance.strikes(kind, odds)

    def cut_off(self, host: Host) -> None:
        self._apart.add(host)

    def join(self, host: Host) -> None:
        self._apart.discard(host)

    def passes(self, one: Host | None, other: Host | None) -> bool:
        return one is other or not ({one, other} & self._apart)

    async def call(self, target: Host, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """As gRPC: refused where nobody listens, lost either way until the deadline."""
        caller = here()
        await self.loop.pause(self.delay())
        if not target.up:
            detail = "connection refused"
            raise Unavailable(detail)
        answer: asyncio.Future[Any] = self.loop.create_future()
        lost = self.strikes("call lost", self.weather.call_lost)
        if self.passes(caller, target) and not lost:
            self._ask(target, work, answer, caller)
        deadline = self.loop.call_later(RPC_TIMEOUT_S, _expire, answer)
        try:
            return await answer
        finally:
            deadline.cancel()

    def _ask(
        self, target: Host, work: Callable[[], Coroutine[Any, Any, Any]],
        answer: "asyncio.Future[Any]", caller: Host | None,
    ) -> None:  # fmt: skip
        def reset() -> None:
            self.loop.call_later(self.delay(), _fail, answer, context=_of(caller))

        def answered(done: "asyncio.Task[Any]") -> None:
            lost = self.strikes("reply of a call lost", self.weather.call_reply_lost)
            if not lost and self.passes(caller, target):
                self.loop.call_later(self.delay(), _give, answer, done, context=_of(caller))

        target.crashed.append(reset)
        target.spawn(work(), "call").add_done_callback(answered, context=target.context())


def _of(host: Host | None) -> Any:
    return None if host is None else host.context()


def _expire(answer: "asyncio.Future[Any]") -> None:
    if not answer.done():
        answer.set_exception(DeadlineExceeded("no answer"))


def _fail(answer: "asyncio.Future[Any]") -> None:
    if not answer.done():
        answer.set_exception(Unavailable("connection reset"))


def _give(answer: "asyncio.Future[Any]", done: "asyncio.Task[Any]") -> None:
    if answer.done():
        return
    if done.cancelled():
        answer.set_exception(Unavailable("the server went away"))
    elif (error := done.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


class Remote:
    """An object of another host: its async methods become calls. `pick` names host and object.

    In some seeds a call goes to any replica. In others a connection stays where it was made until
    it breaks, as a channel does: then one replica may never hear what the other did.
    """

    def __init__(self, network: Network, pick: Callable[[], tuple[Host, Any]]) -> None:
        self._network = network
        self._pick = pick
        self._made: tuple[Host, Any] | None = None

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **named: Any) -> Any:
            return await self.call(lambda target: getattr(target, name)(*args, **named))

        setattr(self, name, call)  # it is not asked for again
        return call

    async def call(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        host, target = self._made or self._pick()
        self._made = (host, target) if self._network.weather.calls_stay else None
        try:
            return await self._network.call(host, lambda: work(target))
        except DeadlineExceeded:
            self._made = None
            raise
        finally:
            if not host.up:
                self._made = None


class NoWitness:
    """Of what an engine does nobody is told."""

    def committed(self, changes: Changes, closed: tuple[Closed, ...], now_ms: int) -> None: ...
    def attempt_ended(self, end: AttemptEnd) -> None: ...
    def attempt_again(self, end: AttemptEnd) -> None: ...
    def turn_again(self, end: TurnEnd) -> None: ...


class _Listener:
    def __init__(self, bus: "Hints", subject: str, callback: Callback) -> None:
        self.subject, self.callback, self.host = subject, callback, here()
        self._bus = bus
        self.open = True

    async def unsubscribe(self) -> None:
        self.open = False
        self._bus.forget(self)

    def put(self, message: Message) -> None:
        if self.open:
            self.callback(message)


class Hints:
    """The bus: hints are lost, doubled and come in any order."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._listeners: list[_Listener] = []
        self._watchers: list[tuple[Host | None, Watchers]] = []

    @property
    def connected(self) -> bool:
        return self._network.bus_up

    def publish(self, subject: str, data: bytes, *, trace: TraceContext | None = None) -> None:
        network, weather = self._network, self._network.weather
        if not network.bus_up:
            return
        message = Message(subject=subject, data=data, trace=trace)
        for one in self._listeners:
            if not _matches(one.subject, subject) or not network.passes(here(), one.host):
                continue
            if network.strikes("hint lost", weather.hint_lost):
                continue
            twice = network.strikes("hint doubled", weather.hint_doubled)
            for _ in range(1 + twice):
                network.loop.call_later(network.delay(), one.put, message, context=_of(one.host))

    async def subscribe(self, subject: str, callback: Callback) -> _Listener:
        listener = _Listener(self, subject, callback)
        self._listeners.append(listener)
        return listener

    async def flush(self, timeout_s: float) -> bool:
        del timeout_s
        await asyncio.sleep(self._network.delay())
        return self._network.bus_up

    def watch(self, watcher: Watcher) -> None:
        watchers = Watchers()
        watchers.add(watcher)
        self._watchers.append((here(), watchers))

    async def close(self) -> None:
        return

    def forget(self, listener: _Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def turn(self, *, up: bool) -> None:
        """The server goes or comes back."""
        self._network.bus_up = up
        kind = SignalKind.CONNECTED if up else SignalKind.DISCONNECTED
        for host, watchers in self._watchers:
            self._network.loop.call_later(
                self._network.delay(), watchers.tell, kind, context=_of(host)
            )


class Wire:
    """One worker stream: two directions, each in order, that break together or fall silent."""

    def __init__(self, network: Network, worker: Host, engine: Host) -> None:
        self._network = network
        self._ends = (worker, engine)
        self.to_engine: asyncio.Queue[FromWorker | None] = asyncio.Queue()
        self.to_worker: asyncio.Queue[ToWorker | None] = asyncio.Queue()
        self._next = {worker: 0.0, engine: 0.0}
        self.broken = self.silent = False

    def carry(self, target: Host, queue: "asyncio.Queue[Any]", frame: object) -> None:
        network = self._network
        if not self.silent and not network.passes(*self._ends):
            # A connection loses all that follows, or nothing: it is dead, and nobody was told.
            self.silent = True
            network.loop.call_later(_KEEPALIVE_S, self.cut, context=Context())
        if self.broken or self.silent:
            return
        if network.strikes("frame lost with its stream", network.weather.frame_lost):
            self.cut()
            return
        if network.strikes("stream stalled", network.weather.stream_stalls):
            self._next[target] = network.loop.time() + _STALL_S * network.chance.faults.random()
        at = max(self._next[target], network.loop.time() + network.delay())
        self._next[target] = at
        network.loop.call_at(at, queue.put_nowait, frame, context=target.context())

    def look_at(self, frame: ToWorker | None) -> None:
        """No worker of ours says what an engine may not take in."""
        for ack in () if frame is None else (*frame.results, *frame.emits):
            if ack.verdict is Verdict.INVALID:
                self._network.broken.append(f"{ack.held}: an honest worker was refused")

    def cut(self) -> None:
        """Both ends notice, if somebody is there; a host that lost its power tells nobody."""
        if not self.broken:
            worker, engine = self._ends
            later = self._network.loop.call_later
            self.broken = True
            later(self._network.delay(), self.to_worker.put_nowait, None, context=worker.context())
            wait_s = self._network.delay()
            if self._network.chance.schedule.random() < 0.5:
                # What was on its way comes first: the engine hears the end late.
                wait_s = max(wait_s, self._next[engine] - self._network.loop.time())
            later(wait_s, self.to_engine.put_nowait, None, context=engine.context())

    def choke(self, seconds: float) -> None:
        """What the worker says is held up, and comes all at once; it hears its engine meanwhile."""
        _, engine = self._ends
        self._next[engine] = max(self._next[engine], self._network.loop.time() + seconds)

    def hang(self) -> None:
        """Carries nothing any more, and stays open."""
        self.silent = True


class WorkerEnd(EngineStream):
    def __init__(self, wire: Wire, engine: Host) -> None:
        self._wire, self._engine = wire, engine

    async def send(self, frame: FromWorker) -> None:
        if self._wire.broken:
            reason = "the stream is closed"
            raise LinkBroken(reason)
        self._wire.carry(self._engine, self._wire.to_engine, frame)
        await asyncio.sleep(0)

    async def receive(self) -> ToWorker:
        frame = await self._wire.to_worker.get()
        self._wire.look_at(frame)
        if frame is None:
            reason = "the engine closed the stream"
            raise LinkBroken(reason)
        return frame

    async def close(self) -> None:
        self._wire.cut()


class Links:
    """Opens streams from one worker to whichever engine there is."""

    def __init__(
        self, network: Network, pick: Callable[[], tuple[Host, Conversations]], wires: list[Wire]
    ) -> None:
        self._network, self._pick, self._wires = network, pick, wires

    async def open(self) -> EngineStream:
        worker = here()
        assert worker is not None
        engine, conversations = self._pick()
        await asyncio.sleep(self._network.delay())
        if not engine.up or not self._network.passes(worker, engine):
            reason = "no engine"
            raise LinkBroken(reason)
        wire = Wire(self._network, worker, engine)
        self._wires.append(wire)
        engine.crashed.append(wire.cut)
        worker.crashed.append(wire.cut)
        engine.spawn(_serve(conversations, wire, worker), "worker-stream")
        return WorkerEnd(wire, engine)

    async def close(self) -> None:
        return


async def _serve(conversations: Conversations, wire: Wire, worker: Host) -> None:
    try:
        frames = _frames(wire, asyncio.current_task())
        async with aclosing(conversations.serve(frames)) as replies:
            async for reply in replies:
                wire.carry(worker, wire.to_worker, reply)
    except MainspringError:
        pass
    finally:
        wire.cut()


async def _frames(wire: Wire, carrier: "asyncio.Task[Any] | None") -> AsyncIterator[FromWorker]:
    while (frame := await wire.to_engine.get()) is not None:
        yield frame
    if carrier is not None:
        # As gRPC does to a handler whose client is gone.
        carrier.cancel()
