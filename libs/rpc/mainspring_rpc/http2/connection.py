"""What both ends of a connection do: read frames, hold calls, keep windows, notice a dead peer."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import ClassVar, Final, Generic, TypeVar, cast

from mainspring_kernel import limits
from mainspring_rpc.http2 import bounds, wire
from mainspring_rpc.http2.call import Call
from mainspring_rpc.http2.changes import Changes
from mainspring_rpc.http2.headers import HeaderCodec
from mainspring_rpc.http2.wire import Code, ConnectionBroken, Frame, Setting
from mainspring_rpc.status import CallFailed, Status

AnyCall = TypeVar("AnyCall", bound=Call)
_WAITS_FOR_PING: Final = 2
"""A ping's answer is waited for in so many parts: of a process that was stopped itself for all the
time only one of them runs before it reads what came meanwhile."""


class Connection(asyncio.Protocol, ABC, Generic[AnyCall]):
    """One end. A subclass says what a new stream and a farewell mean."""

    greeting: ClassVar = b""
    """What is said before the first frame."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.codec = HeaderCodec()
        self.calls: dict[int, AnyCall] = {}
        self.window = wire.WINDOW_AT_FIRST
        self.call_window = wire.WINDOW_AT_FIRST
        """What may be sent at first on a call."""
        self.frame_bytes = wire.FRAME_BYTES_AT_FIRST
        self.calls_max = bounds.CALLS_MAX
        """Calls that the peer answers at a time."""
        self.writable = True
        self.changes = Changes()
        """Told when a window grew, the system takes more, a call or the connection ended."""
        self.closed = False
        self.greeted = asyncio.Event()
        """Set once the peer has said what it is, or will not say it any more."""
        self.ended = asyncio.Event()
        """Set once the system has let it go."""
        self._transport: asyncio.Transport | None = None
        self._frames = wire.FrameReader()
        self._block: tuple[int, int, bytearray] | None = None
        """Stream, flags and beginning of headers that go on in the next frame."""
        self._received = 0
        self._replies = 0
        self._heard_at = self.loop.time()
        self._asked_at = 0.0
        self._waits = 0
        self._timer: asyncio.TimerHandle | None = None

    # ── what a subclass adds ────────────────────────────────────────────────────────────────────

    @property
    @abstractmethod
    def newest(self) -> int:
        """The last call that the peer began."""

    @abstractmethod
    def on_headers(self, stream: int, said: dict[str, str], *, last: bool) -> None:
        """A new call, the beginning of an answer, or trailers."""

    @abstractmethod
    def on_data_end(self, call: AnyCall) -> None:
        """The other end sent its last message, and no trailers."""

    @abstractmethod
    def on_call_broken(self, call: AnyCall, failure: CallFailed) -> None:
        """The other end sent on this call what this end does not read."""

    @abstractmethod
    def on_call_lost(self, call: AnyCall) -> None:
        """The other end, or the connection, ended the call."""

    @abstractmethod
    def on_farewell(self, last: int, code: int, text: str) -> None:
        """The peer answers no call after this one."""

    @abstractmethod
    def on_pong(self) -> None:
        """A ping was answered."""

    # ── asyncio's side ──────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Cast: asyncio and uvloop name their classes differently; both have these methods.
        self._transport = cast("asyncio.Transport", transport)
        mine = {
            Setting.ENABLE_PUSH: 0,
            Setting.MAX_CONCURRENT_STREAMS: bounds.CALLS_MAX,
            Setting.INITIAL_WINDOW_SIZE: bounds.WINDOW_BYTES,
            Setting.MAX_FRAME_SIZE: bounds.FRAME_BYTES_MAX,
            Setting.MAX_HEADER_LIST_SIZE: bounds.CALL_HEADERS_BYTES_MAX,
        }
        more = bounds.CONNECTION_WINDOW_BYTES - wire.WINDOW_AT_FIRST
        self.write(self.greeting + wire.settings(mine) + wire.window_update(0, more))
        self._tick_in(limits.RPC_KEEPALIVE_S)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        try:
            for frame in self._frames.feed(data):
                self._on_frame(frame)
        except ConnectionBroken as broken:
            self.close(broken.code, str(broken))

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self._replies = 0
        self.changes.tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(f"the connection was lost: {exc}" if exc else "the connection was closed")
        self.ended.set()

    # ── what calls use ──────────────────────────────────────────────────────────────────────────

    @property
    def peer(self) -> str:
        """The other end's address."""
        if self._transport is None:
            return ""
        found = cast("object", self._transport.get_extra_info("peername"))
        if not isinstance(found, tuple):
            return "the other end"
        host, port, *_ = cast("tuple[object, ...]", found)
        return f"{host}:{port}"

    def write(self, data: bytes) -> None:
        """Gives bytes to the system; nothing where the connection is closed."""
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    def left(self, stream: int) -> None:
        """The call is over at both ends."""
        self.calls.pop(stream, None)
        self.changes.tell()

    def close(self, code: Code = Code.NO_ERROR, text: str = "closed here") -> None:
        """Says why, gives what is written to the system, ends all calls. Safe twice."""
        if not self.closed and self._transport is not None:
            self.write(wire.goaway(self.newest, code, text))
            self._transport.close()
            # Of a peer that reads nothing what is written stays.
            self.loop.call_later(bounds.FLUSH_S, self._cut)
        self._lose(text)

    def abort(self, text: str) -> None:
        """Ends without a word: the peer does not answer."""
        self._cut()
        self._lose(text)

    def _cut(self) -> None:
        """Nothing where the system has let it go: then asyncio's transport has no loop any more."""
        if self._transport is not None and not self.ended.is_set():
            self._transport.abort()

    def ping(self) -> None:
        """Asks for a sign of life."""
        self.write(wire.frame(wire.PING, 0, 0, bytes(wire.PING_BYTES)))

    # ── frames ──────────────────────────────────────────────────────────────────────────────────

    def _on_frame(self, frame: Frame) -> None:
        if self._block is not None:
            self._on_continuation(frame)
        elif frame.kind == wire.DATA:
            self._on_data(frame)
        elif frame.kind == wire.HEADERS:
            self._on_headers_frame(frame)
        else:
            self._on_control(frame)

    def _on_control(self, frame: Frame) -> None:
        """Frames of other kinds than these mean nothing here, and break nothing."""
        match frame.kind:
            case wire.WINDOW_UPDATE:
                self._on_window_update(frame)
            case wire.PING:
                self._on_ping(frame)
            case wire.SETTINGS:
                self._on_settings(frame)
            case wire.RST_STREAM:
                self._on_reset(frame)
            case wire.GOAWAY:
                self._on_goaway(frame)
            case wire.PUSH_PROMISE | wire.CONTINUATION:
                text = f"a frame of kind {frame.kind} here"
                raise ConnectionBroken(Code.PROTOCOL_ERROR, text)
            case _:
                pass

    def _on_data(self, frame: Frame) -> None:
        _, flags, stream, payload = frame
        size = len(payload)
        self._received += size
        if self._received > bounds.CONNECTION_WINDOW_BYTES // 2:
            self.write(wire.window_update(0, self._received))
            self._received = 0
        call = self.calls.get(stream)
        if call is None:
            return  # it ended here while this was on the way
        if call.heard_all:
            raise ConnectionBroken(Code.STREAM_CLOSED, "data after the end of a call")
        try:
            if size:
                call.feed(wire.without_padding(flags, payload), size)
        except CallFailed as failure:
            self.on_call_broken(call, failure)
            return
        if flags & wire.END_STREAM:
            self.on_data_end(call)

    def _on_headers_frame(self, frame: Frame) -> None:
        block = wire.without_padding(frame.flags, frame.payload)
        if frame.flags & wire.HAS_PRIORITY:
            block = block[5:]
        if frame.flags & wire.END_HEADERS:
            self._on_block(frame.stream, frame.flags, block)
        else:
            self._block = (frame.stream, frame.flags, bytearray(block))

    def _on_continuation(self, frame: Frame) -> None:
        stream, flags, block = self._block or (0, 0, bytearray())
        if frame.kind != wire.CONTINUATION or frame.stream != stream:
            raise ConnectionBroken(Code.PROTOCOL_ERROR, "headers were interrupted")
        block += frame.payload
        if len(block) > bounds.CALL_HEADERS_BYTES_MAX:
            raise ConnectionBroken(Code.ENHANCE_YOUR_CALM, "headers over the bound")
        if frame.flags & wire.END_HEADERS:
            self._block = None
            self._on_block(stream, flags, bytes(block))

    def _on_block(self, stream: int, flags: int, block: bytes) -> None:
        # Also of a call that ended here: the table of names goes on.
        said = self.codec.decode(block)
        self.on_headers(stream, said, last=bool(flags & wire.END_STREAM))

    def _on_reset(self, frame: Frame) -> None:
        code = _number(frame)
        call = self.calls.get(frame.stream)
        if call is not None:
            call.end(_reset_by(code))
            self.on_call_lost(call)
            self.left(frame.stream)

    def _on_settings(self, frame: Frame) -> None:
        if frame.flags & wire.ACK:
            return
        if len(frame.payload) % wire.SETTING.size:
            raise ConnectionBroken(Code.FRAME_SIZE_ERROR, "settings of a wrong length")
        for pair in wire.SETTING.iter_unpack(frame.payload):
            self._set(*cast("tuple[int, int]", pair))
        self._reply(wire.frame(wire.SETTINGS, wire.ACK, 0))
        self.greeted.set()
        self.changes.tell()

    def _set(self, name: int, value: int) -> None:
        if name == Setting.INITIAL_WINDOW_SIZE:
            if value > wire.STREAM_MASK:
                raise ConnectionBroken(Code.FLOW_CONTROL_ERROR, "a window over the bound")
            for call in self.calls.values():
                call.window += value - self.call_window
            self.call_window = value
        elif name == Setting.MAX_FRAME_SIZE:
            if not wire.FRAME_BYTES_AT_FIRST <= value < 1 << 24:
                raise ConnectionBroken(Code.PROTOCOL_ERROR, "a frame size out of range")
            self.frame_bytes = value
        elif name == Setting.MAX_CONCURRENT_STREAMS:
            self.calls_max = min(value, bounds.CALLS_MAX)
        elif name == Setting.HEADER_TABLE_SIZE:
            self.codec.limit_table(value)

    def _on_ping(self, frame: Frame) -> None:
        if frame.flags & wire.ACK:
            self.on_pong()
        else:
            self._reply(wire.frame(wire.PING, wire.ACK, 0, frame.payload))

    def _on_goaway(self, frame: Frame) -> None:
        if len(frame.payload) < wire.GONE.size:
            raise ConnectionBroken(Code.FRAME_SIZE_ERROR, "a farewell of a wrong length")
        last, code = cast("tuple[int, int]", wire.GONE.unpack_from(frame.payload))
        text = frame.payload[wire.GONE.size :].decode(errors="replace")
        self.on_farewell(last & wire.STREAM_MASK, code, text)

    def _on_window_update(self, frame: Frame) -> None:
        more = _number(frame) & wire.STREAM_MASK
        call = self.calls.get(frame.stream)
        held: Call | Connection[AnyCall] | None = call if frame.stream else self
        if held is None:
            return
        held.window += more
        if not more or held.window > wire.STREAM_MASK:
            raise ConnectionBroken(Code.FLOW_CONTROL_ERROR, "a window out of range")
        self.changes.tell()

    def _reply(self, data: bytes) -> None:
        if not self.writable:
            self._replies += 1
            if self._replies > bounds.REPLIES_WAITING_MAX:
                raise ConnectionBroken(Code.ENHANCE_YOUR_CALM, "a flood of control frames")
        self.write(data)

    # ── the end, and how it is noticed ──────────────────────────────────────────────────────────

    def _lose(self, text: str) -> None:
        self.closed = True
        self.greeted.set()
        if self._timer is not None:
            self._timer.cancel()
        calls, self.calls = self.calls, {}
        for call in calls.values():
            call.end(CallFailed(Status.UNAVAILABLE, text))
            self.on_call_lost(call)
        self.changes.tell()

    def _tick_in(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        """Asks a peer that was silent, and leaves one that stays so."""
        now = self.loop.time()
        if self._heard_at > self._asked_at:
            self._waits = 0
        if self._waits >= _WAITS_FOR_PING:
            self.abort(f"{self.peer} does not answer")
        elif self._waits or now - self._heard_at >= limits.RPC_KEEPALIVE_S:
            if not self._waits:
                self._asked_at = now
                self.ping()
            self._waits += 1
            self._tick_in(limits.RPC_KEEPALIVE_TIMEOUT_S / _WAITS_FOR_PING)
        else:
            self._tick_in(self._heard_at + limits.RPC_KEEPALIVE_S - now)


async def all_set(events: Iterable[asyncio.Event], timeout_s: float) -> None:
    """Waits until all are set, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            for event in events:
                await event.wait()


def _number(frame: Frame) -> int:
    if len(frame.payload) != wire.NUMBER.size:
        raise ConnectionBroken(Code.FRAME_SIZE_ERROR, "a frame of a wrong length")
    return int.from_bytes(frame.payload)


def _reset_by(code: int) -> CallFailed:
    match code:
        case Code.REFUSED_STREAM:
            return CallFailed(Status.UNAVAILABLE, "the call was refused")
        case Code.CANCEL | Code.NO_ERROR:
            return CallFailed(Status.CANCELLED, "the call was cancelled at the other end")
        case Code.ENHANCE_YOUR_CALM:
            return CallFailed(Status.RESOURCE_EXHAUSTED, "the other end asks for fewer calls")
        case _:
            return CallFailed(Status.INTERNAL, f"the call was reset with code {code}")
