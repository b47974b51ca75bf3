"""A client's end of one connection: calls that are begun here."""

import asyncio
from collections.abc import Callable
from typing import Final

from mainspring_rpc.http2 import wire
from mainspring_rpc.http2.call import Call
from mainspring_rpc.http2.connection import Connection
from mainspring_rpc.http2.headers import CONTENT_TYPE, Headers, failure_of
from mainspring_rpc.http2.wire import Code, ConnectionBroken
from mainspring_rpc.status import CallFailed, Status

_STREAM_LAST: Final = wire.STREAM_MASK - 1_000
"""A connection that has had so many calls is left for a new one."""


class ClientCall(Call):
    """A call as whoever began it sees it."""

    answered = False
    """Whether the answer's headers have come: what follows them are trailers."""


class ClientConnection(Connection[ClientCall]):
    """Takes calls until its server says farewell."""

    greeting = wire.PREFACE

    def __init__(self) -> None:
        super().__init__()
        self.usable = True
        """Whether it takes more calls; those that are open go on."""
        self.when_unusable: Callable[[], None] = lambda: None
        self._next = 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._retire()
        super().connection_lost(exc)

    async def unary(self, headers: Headers, message: bytes, timeout_s: float) -> bytes:
        """One message there and one back. Raises CallFailed."""
        until = self.loop.time() + timeout_s
        if self.has_room:
            call = self.begin(headers, message)
        else:
            try:
                async with asyncio.timeout_at(until):
                    call = await self.begin_in_turn(headers, message)
            except TimeoutError as error:
                raise _late(timeout_s) from error
        timer = self.loop.call_at(until, lambda: call.abort(_late(timeout_s)))
        try:
            if not call.sent_all:
                await call.send(message, last=True)
            answer = await call.receive()
            if answer is not None and await call.receive() is None:
                return answer
        except asyncio.CancelledError:
            call.abort(CallFailed(Status.CANCELLED, "cancelled here"))
            raise
        finally:
            timer.cancel()
        wrong = CallFailed(Status.INTERNAL, "the answer is not one message")
        call.abort(wrong)
        raise wrong

    @property
    def has_room(self) -> bool:
        """Whether the server takes one more call at a time."""
        return len(self.calls) < self.calls_max

    async def begin_in_turn(self, headers: Headers, only: bytes | None = None) -> ClientCall:
        """Begins a call once there is room for it, as `begin` does. Raises CallFailed."""
        while not self.has_room and self.usable:
            await self.changes.next()
        return self.begin(headers, only)

    def begin(self, headers: Headers, only: bytes | None = None) -> ClientCall:
        """Raises CallFailed where the connection takes no more calls.

        `only`: the one message of the call, which leaves with the headers where it can: a write
        costs more than what it carries.
        """
        if not self.usable:
            raise CallFailed(Status.UNAVAILABLE, "the connection takes no more calls")
        stream = self._next
        self._next += 2
        if stream > _STREAM_LAST:
            self._retire()
        call = self.calls[stream] = ClientCall(self, stream, self.call_window)
        block = self.codec.encode(headers)
        begun = wire.frame(wire.HEADERS, wire.END_HEADERS, stream, block)
        message = None if only is None else call.framed(only, last=True)
        self.write(begun if message is None else begun + message)
        return call

    @property
    def newest(self) -> int:
        return 0  # a server begins none

    def on_headers(self, stream: int, said: dict[str, str], *, last: bool) -> None:
        call = self.calls.get(stream)
        if call is None:
            if stream >= self._next or not stream % 2:
                raise ConnectionBroken(Code.PROTOCOL_ERROR, "an answer to no call")
        elif last:
            self._finish(call, failure_of(said))
        elif call.answered:
            self.on_call_broken(call, CallFailed(Status.INTERNAL, "headers within an answer"))
        elif not said.get(":status", "").startswith("1"):
            call.answered = True
            if not said.get("content-type", "").startswith(CONTENT_TYPE):
                failure = failure_of(said) or CallFailed(Status.UNKNOWN, "no answer of gRPC")
                call.abort(failure)

    def on_data_end(self, call: ClientCall) -> None:
        self.on_call_broken(call, CallFailed(Status.INTERNAL, "the answer has no trailers"))

    def on_call_broken(self, call: ClientCall, failure: CallFailed) -> None:
        call.abort(failure)

    def on_call_lost(self, call: ClientCall) -> None:
        pass  # whoever receives is told by the call

    def on_pong(self) -> None:
        pass

    def on_farewell(self, last: int, code: int, text: str) -> None:
        self._retire()
        why = text or ("the server goes away" if code == Code.NO_ERROR else f"code {code}")
        for stream, call in tuple(self.calls.items()):
            if stream > last:
                self.left(stream)
                call.end(CallFailed(Status.UNAVAILABLE, why))
        self._leave_if_idle()

    def left(self, stream: int) -> None:
        super().left(stream)
        self._leave_if_idle()

    def _finish(self, call: ClientCall, failure: CallFailed | None) -> None:
        if not call.sent_all:
            self.write(wire.reset(call.stream, Code.NO_ERROR))
        call.end(failure)
        self.left(call.stream)

    def _retire(self) -> None:
        if self.usable:
            self.usable = False
            self.when_unusable()

    def _leave_if_idle(self) -> None:
        if not self.usable and not self.calls and not self.closed:
            self.close()


def _late(timeout_s: float) -> CallFailed:
    return CallFailed(Status.DEADLINE_EXCEEDED, f"no answer within {timeout_s:g} s")
