"""One call on a connection: its messages both ways, and how much may still be sent and read."""

import asyncio
from collections import deque
from typing import Protocol, cast

from mainspring_kernel import limits
from mainspring_rpc.http2 import bounds, wire
from mainspring_rpc.http2.changes import Changes
from mainspring_rpc.status import CallFailed, Status


class Line(Protocol):
    """What a call needs of its connection."""

    writable: bool
    """Whether the system takes more; if not, senders wait for `changes`."""
    changes: Changes
    window: int
    """Bytes of messages that may be sent, of all calls together."""
    frame_bytes: int
    """The largest frame that the peer reads."""

    def write(self, data: bytes) -> None: ...
    def left(self, stream: int) -> None: ...


class Call:
    """Either end of a call. One sender and one receiver at a time."""

    def __init__(self, line: Line, stream: int, window: int) -> None:
        self.line = line
        self.stream = stream
        self.window = window
        """Bytes of messages that may be sent."""
        self.failure: CallFailed | None = None
        self.sent_all = False
        """Whether this end sends no more messages."""
        self.heard_all = False
        """Whether the other end sends no more messages."""
        self.over = False
        """Whether it has ended, well or with a failure."""
        self._messages: deque[tuple[bytes, int]] = deque()
        self._partial = bytearray()
        self._room = bounds.WINDOW_BYTES
        self.owed = 0
        """Bytes that were read, of which the sender was not told."""
        self._reader: asyncio.Future[None] | None = None

    # ── what arrives ────────────────────────────────────────────────────────────────────────────

    def feed(self, chunk: bytes, size: int) -> None:
        """A part of the messages, `size` bytes with its padding.

        Raises ConnectionBroken where more came than was allowed, CallFailed for a message that
        this end does not read.
        """
        self._room -= size
        if self._room < 0:
            raise wire.ConnectionBroken(wire.Code.FLOW_CONTROL_ERROR, "more than the window")
        taken = size - len(chunk)
        if not self._partial and self._is_whole(chunk):
            self._put(chunk[wire.PREFIX_BYTES :], len(chunk))
        else:
            taken += self._reassemble(chunk)
        if taken:
            self._credit(taken)

    def _is_whole(self, chunk: bytes) -> bool:
        if len(chunk) < wire.PREFIX_BYTES:
            return False
        return self._length(chunk, 0) + wire.PREFIX_BYTES == len(chunk)

    def _length(self, data: bytes | bytearray, at: int) -> int:
        compressed, size = cast("tuple[int, int]", wire.PREFIX.unpack_from(data, at))
        if compressed:
            raise CallFailed(Status.UNIMPLEMENTED, "compressed messages are not read")
        if size > limits.RPC_MESSAGE_BYTES_MAX:
            raise too_large(size)
        return size

    def _reassemble(self, chunk: bytes) -> int:
        """Puts what is whole now. Answers the bytes of what is not.

        These make room at once, for a message may be larger than the window.
        """
        kept = self._partial
        fresh = len(kept)
        kept += chunk
        at = 0
        while len(kept) - at >= wire.PREFIX_BYTES:
            stop = at + wire.PREFIX_BYTES + self._length(kept, at)
            if stop > len(kept):
                break
            self._put(bytes(kept[at + wire.PREFIX_BYTES : stop]), stop - max(at, fresh))
            at = stop
        del kept[:at]
        return min(len(kept), len(chunk))

    def _put(self, message: bytes, owed: int) -> None:
        self._messages.append((message, owed))
        self.wake()

    def _credit(self, size: int) -> None:
        self.owed += size
        if self.owed >= bounds.WINDOW_BYTES // 2 and not self.heard_all:
            self.line.write(wire.window_update(self.stream, self.owed))
            self._room += self.owed
            self.owed = 0

    def wake(self) -> None:
        """Whoever receives looks again."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def end(self, failure: CallFailed | None) -> None:
        """Ends both directions; what was not taken yet can still be received. Safe twice."""
        if not self.over:
            self.failure = failure
        self.over = self.sent_all = self.heard_all = True
        self.wake()

    async def receive(self) -> bytes | None:
        """The next message, None at the end. Raises CallFailed."""
        while not self._messages:
            if self.failure is not None:
                raise self.failure.with_traceback(None)
            if self.heard_all:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        message, owed = self._messages.popleft()
        self._credit(owed)
        return message

    # ── what is sent ────────────────────────────────────────────────────────────────────────────

    async def send(self, message: bytes, *, last: bool = False) -> None:
        """Returns when the system took it or has room for it. Raises CallFailed."""
        self._check_going_on()
        if len(message) > limits.RPC_MESSAGE_BYTES_MAX:
            raise too_large(len(message))
        frame = self.framed(message, last=last)
        if frame is not None:
            self.line.write(frame)
        else:
            await self._send_in_parts(wire.PREFIX.pack(0, len(message)) + message, last=last)
            self.sent_all = self.sent_all or last

    def framed(self, message: bytes, *, last: bool) -> bytes | None:
        """The frame of a message that may leave at once; None where it must wait or be parted.

        Its room is taken then: whoever asks writes it, alone or with what goes before and after.
        """
        size = len(message) + wire.PREFIX_BYTES
        if size > self._may_send():
            return None
        self._spend(size)
        self.sent_all = self.sent_all or last
        return wire.message_frame(self.stream, message, last=last)

    async def _send_in_parts(self, data: bytes, *, last: bool) -> None:
        at = 0
        while at < len(data):
            size = min(self._may_send(), len(data) - at)
            if size <= 0:
                await self.line.changes.next()
                self._check_going_on()
                continue
            self._spend(size)
            flags = wire.END_STREAM if last and at + size == len(data) else 0
            self.line.write(wire.frame(wire.DATA, flags, self.stream, data[at : at + size]))
            at += size

    def _check_going_on(self) -> None:
        if self.failure is not None:
            raise self.failure.with_traceback(None)
        if self.sent_all:
            raise CallFailed(Status.UNAVAILABLE, "the call has ended")

    def _may_send(self) -> int:
        line = self.line
        return min(self.window, line.window, line.frame_bytes) if line.writable else 0

    def _spend(self, size: int) -> None:
        self.window -= size
        self.line.window -= size

    def finish(self) -> None:
        """Tells that nothing more is sent. Safe twice."""
        if not self.sent_all:
            self.sent_all = True
            self.line.write(wire.frame(wire.DATA, wire.END_STREAM, self.stream))

    def abort(self, failure: CallFailed, code: wire.Code = wire.Code.CANCEL) -> None:
        """Ends the call here and tells the other end. Safe twice."""
        if not self.over:
            self.line.write(wire.reset(self.stream, code))
        self.end(failure)
        self.line.left(self.stream)


def too_large(size: int) -> CallFailed:
    """A message over the bound, at either end."""
    text = f"a message of {size} bytes, the bound is {limits.RPC_MESSAGE_BYTES_MAX}"
    return CallFailed(Status.RESOURCE_EXHAUSTED, text)
