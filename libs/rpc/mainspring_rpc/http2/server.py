"""A server's end: connections, the handlers of their calls, and how it stops."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, cast

from mainspring_rpc.http2 import bounds, headers, wire
from mainspring_rpc.http2.call import Call
from mainspring_rpc.http2.connection import Connection, all_set
from mainspring_rpc.http2.wire import Code, ConnectionBroken
from mainspring_rpc.status import CallFailed, Status

_BACKLOG: Final = 1_024
"""Connections that may wait to be accepted: a thousand workers come back together."""

_ANY: Final = "::"
"""Every address of this machine, the old ones too."""


class Route(NamedTuple):
    """How one method is answered. Handlers raise CallFailed, and nothing else."""

    answer: "Callable[[ServerCall], Awaitable[None]]"
    streams: bool
    """Whether it begins before the client's last message."""


class ServerCall(Call):
    """A call as its handler sees it."""

    def __init__(
        self, connection: "ServerConnection", stream: int, said: dict[str, str], route: Route
    ) -> None:
        super().__init__(connection, stream, connection.call_window)
        self.connection = connection
        self.headers = said
        self.route = route
        self.handler: asyncio.Task[None] | None = None
        self.answered = False

    async def reply(self, message: bytes) -> None:
        """Sends one message, the answer's headers before the first. Raises CallFailed."""
        if not self.answered and not self.over:
            self.answered = True
            self.connection.write_headers(self.stream, headers.ANSWER)
        await self.send(message)

    async def answer(self, message: bytes) -> None:
        """Sends the one message of a call. Raises CallFailed.

        Where it can, headers, message and trailers leave in one write, and the call is over; else
        the trailers follow once its handler returns.
        """
        if not self.connection.answer_at_once(self, message):
            await self.reply(message)


class OpenOnes:
    """What of a server is open: a handler may outlive its connection by what it has to undo."""

    def __init__(self) -> None:
        self.connections: set[ServerConnection] = set()
        self.handlers: set[asyncio.Task[None]] = set()


class ServerConnection(Connection[ServerCall]):
    """Answers the calls of one client."""

    def __init__(self, routes: Mapping[str, Route], open_ones: "OpenOnes") -> None:
        super().__init__()
        self._routes = routes
        self._open_ones = open_ones
        self._answering = 0
        self._preface = bytearray()
        self._greeted = False
        self._newest = 0
        self._draining = False
        self._last_answered = wire.STREAM_MASK
        """The call after which none is answered any more."""

    @property
    def newest(self) -> int:
        return self._newest

    # ── what arrives ────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._open_ones.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._open_ones.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if not self._greeted:
            self._preface += data
            if not wire.PREFACE.startswith(self._preface[: len(wire.PREFACE)]):
                self.close(Code.PROTOCOL_ERROR, "this is not HTTP/2")
                return
            if len(self._preface) < len(wire.PREFACE):
                return
            self._greeted = True
            data = bytes(self._preface[len(wire.PREFACE) :])
            self._preface.clear()
        super().data_received(data)

    def on_headers(self, stream: int, said: dict[str, str], *, last: bool) -> None:
        call = self.calls.get(stream)
        if call is not None:
            if not last:
                raise ConnectionBroken(Code.PROTOCOL_ERROR, "headers within a call")
            self.on_data_end(call)
        elif not stream % 2:
            raise ConnectionBroken(Code.PROTOCOL_ERROR, "a client's calls have odd numbers")
        elif stream > self._newest:
            self._newest = stream
            self._begin(stream, said, last=last)

    def _begin(self, stream: int, said: dict[str, str], *, last: bool) -> None:
        # Of calls that are over for their client, reset ones for example, handlers end a bit later.
        too_many = len(self.calls) >= bounds.CALLS_MAX or self._answering >= 2 * bounds.CALLS_MAX
        if stream > self._last_answered or too_many:
            self.write(wire.reset(stream, Code.REFUSED_STREAM))
            return
        if not said.get("content-type", "").startswith(headers.CONTENT_TYPE):
            self.write_headers(stream, ((":status", "415"),), last=True)
            return
        path = said.get(":path", "")
        route = self._routes.get(path)
        if route is None:
            missing = CallFailed(Status.UNIMPLEMENTED, f"{path} is not served here")
            self.write_headers(stream, (*headers.ANSWER, *headers.failed(missing)), last=True)
            if not last:
                self.write(wire.reset(stream, Code.NO_ERROR))
            return
        call = self.calls[stream] = ServerCall(self, stream, said, route)
        if route.streams:
            self._answer(call)
        if last:
            self.on_data_end(call)

    def on_data_end(self, call: ServerCall) -> None:
        call.heard_all = True
        call.wake()
        if call.handler is None:
            self._answer(call)

    def on_call_broken(self, call: ServerCall, failure: CallFailed) -> None:
        self._finish(call, failure)
        self.on_call_lost(call)

    def on_call_lost(self, call: ServerCall) -> None:
        if call.handler is not None:
            call.handler.cancel()

    def on_farewell(self, last: int, code: int, text: str) -> None:
        pass  # it ends its calls and its connection itself

    def on_pong(self) -> None:
        if self._draining:
            self._refuse_more()

    # ── what is answered ────────────────────────────────────────────────────────────────────────

    def _answer(self, call: ServerCall) -> None:
        call.handler = self.loop.create_task(self._handle(call))
        self._answering += 1
        self._open_ones.handlers.add(call.handler)
        call.handler.add_done_callback(self._answered)

    def _answered(self, handler: asyncio.Task[None]) -> None:
        self._answering -= 1
        self._open_ones.handlers.discard(handler)

    async def _handle(self, call: ServerCall) -> None:
        try:
            await call.route.answer(call)
        except CallFailed as failure:
            self._finish(call, failure)
        except asyncio.CancelledError:
            # By its client, for whom this is no news, or by something else within this process.
            self._finish(call, CallFailed(Status.CANCELLED, "the call was cancelled here"))
            raise
        else:
            self._finish(call, None)

    def _finish(self, call: ServerCall, failure: CallFailed | None) -> None:
        """Says how the call ended; a client that still sends is told to stop."""
        if call.over:
            return
        trailers = headers.DONE if failure is None else headers.failed(failure)
        said = trailers if call.answered else (*headers.ANSWER, *trailers)
        self.write_headers(call.stream, said, last=True)
        if not call.heard_all:
            self.write(wire.reset(call.stream, Code.NO_ERROR))
        call.end(failure)
        self.left(call.stream)

    def answer_at_once(self, call: ServerCall, message: bytes) -> bool:
        """Answers a call that has sent all it will; False where it cannot be done in one write."""
        if call.answered or call.over or not call.heard_all:
            return False
        frame = call.framed(message, last=False)
        if frame is None:
            return False
        begun = self._header_frame(call.stream, headers.ANSWER, last=False)
        self.write(begun + frame + self._header_frame(call.stream, headers.DONE, last=True))
        call.end(None)
        self.left(call.stream)
        return True

    def write_headers(self, stream: int, said: headers.Headers, *, last: bool = False) -> None:
        """Headers of an answer, or its trailers."""
        self.write(self._header_frame(stream, said, last=last))

    def _header_frame(self, stream: int, said: headers.Headers, *, last: bool) -> bytes:
        """To be written before the next one is made: what names stand for goes on."""
        flags = wire.END_HEADERS | (wire.END_STREAM if last else 0)
        return wire.frame(wire.HEADERS, flags, stream, self.codec.encode(said))

    # ── the end ─────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> None:
        """Asks the client to go elsewhere.

        Calls that are on the way meanwhile are answered; those that begin after it read so are not.
        """
        if not self._draining and not self.closed:
            self._draining = True
            self.write(wire.goaway(wire.STREAM_MASK, Code.NO_ERROR))
            self.ping()
            self.loop.call_later(bounds.DRAIN_PING_S, self._refuse_more)

    def _refuse_more(self) -> None:
        if self._last_answered == wire.STREAM_MASK and not self.closed:
            self._last_answered = self._newest
            self.write(wire.goaway(self._newest, Code.NO_ERROR))
            self._leave_if_idle()

    def left(self, stream: int) -> None:
        super().left(stream)
        self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._last_answered != wire.STREAM_MASK and not self.calls:
            self.close()


class Listener:
    """What `listen` began."""

    def __init__(self, server: asyncio.Server, open_ones: OpenOnes) -> None:
        self._server = server
        self._open = open_ones

    @property
    def port(self) -> int:
        """The one that was asked for or chosen by the system."""
        return cast("tuple[str, int]", self._server.sockets[0].getsockname())[1]

    async def stop(self, grace_s: float) -> None:
        """Takes no more calls, gives open ones `grace_s` seconds, then ends them. Safe twice."""
        self._server.close()
        connections = tuple(self._open.connections)
        if grace_s > 0:
            for connection in connections:
                connection.drain()
            await all_set([one.ended for one in connections], grace_s)
        for connection in connections:
            connection.close()
        await asyncio.gather(*self._open.handlers, return_exceptions=True)
        await all_set([one.ended for one in connections], bounds.FLUSH_S)


async def listen(host: str, port: int, routes: Mapping[str, Route]) -> Listener:
    """Raises OSError where the port is taken or the address is not of this machine."""
    open_ones = OpenOnes()
    server = await asyncio.get_running_loop().create_server(
        lambda: ServerConnection(routes, open_ones),
        None if host == _ANY else host,
        port,
        backlog=_BACKLOG,
    )
    return Listener(server, open_ones)
