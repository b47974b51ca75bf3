"""HTTP on the wire: no request takes for ever to arrive, and what cannot be read is a problem too.

uvicorn drives the parser and waits: for a head that never ends, for a body that never comes, for a
connection that never asks. This gives each of them bounds, in bytes and in time, and answers as
the rest of the api does. Nothing is answered in place of a request that is at work: such a
connection is closed once what was asked before is answered.
"""

from asyncio import Transport
from asyncio.events import TimerHandle
from enum import Enum

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mainspring_api.adapters.http.edge import PROBLEM, problem_of
from mainspring_api.adapters.http.refusals import HeadersTooLarge, MalformedRequest, RequestTimeout
from mainspring_api.domain import limits
from mainspring_kernel.errors import MainspringError


class _Part(Enum):
    """The part of a request that is arriving."""

    NONE = "none"
    HEAD = "head"
    BODY = "body"
    """Also of a request that has none, and what may follow a body: trailers."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    _part = _Part.NONE
    _bytes_since_body = 0
    """What came since the newest byte of a body, or since the newest request had come whole."""
    _error: MainspringError | None = None
    """Why the parser was stopped, where we did it."""
    _refused = False
    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._ignore()
            return
        self._bytes_since_body += len(data)
        super().data_received(data)
        if self._refused:
            return
        if self._bytes_since_body > limits.REQUEST_HEAD_BYTES_MAX:
            self._refuse(HeadersTooLarge(limits.REQUEST_HEAD_BYTES_MAX))
        elif self._part is not _Part.NONE:
            self._await_rest()
        elif self._all_answered() and self.timeout_keep_alive_task is None:
            # Empty lines between requests are allowed, and uvicorn takes them for a request.
            self._await_request()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for whatever stopped the parser."""
        self._refuse(self._error or MalformedRequest(msg))

    # ── the parser tells ────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self._enter(_Part.HEAD)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come here too; the headers they would join are at work already.
        if self._part is _Part.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > limits.HEADERS_BYTES_MAX:
            self._error = HeadersTooLarge(limits.HEADERS_BYTES_MAX)
            raise self._error
        super().on_headers_complete()
        self._enter(_Part.BODY)
        if not self.cycle.keep_alive:
            self.cycle.transport = _Parting(self)

    def on_body(self, body: bytes) -> None:
        self._bytes_since_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._bytes_since_body = 0
        self._enter(_Part.NONE)
        super().on_message_complete()

    # ── time ────────────────────────────────────────────────────────────────────────────────

    def _enter(self, part: _Part) -> None:
        self._part = part
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _await_request(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _await_rest(self) -> None:
        """Most requests come whole, so the timer is set only for those that did not."""
        if self._timer is None:
            head = self._part is _Part.HEAD
            seconds = limits.REQUEST_HEAD_S if head else limits.REQUEST_BODY_S
            self._timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        if self.pipeline or (self._part is _Part.HEAD and not self._all_answered()):
            self._await_rest()  # it is we who are late: reading rests while an answer is owed
            return
        self._refuse(RequestTimeout(f"the {self._part.value} of the request did not arrive"))

    # ── refusing ────────────────────────────────────────────────────────────────────────────

    def _all_answered(self) -> bool:
        """Whether no request whose head has come is owed an answer."""
        return (
            self.cycle is None  # pyright: ignore[reportUnnecessaryComparison] -- it is, at first
            or self.cycle.response_complete
        )

    def _refuse(self, error: MainspringError) -> None:
        self._refused = True
        self._stop_timer()
        if self._part is _Part.BODY:
            if self.pipeline or self.cycle.response_started:
                self.transport.close()
                return
            # Nothing is done before its body is there; whoever waits for it is told it never comes.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        elif not self._all_answered():
            self.cycle.keep_alive = False
            return
        self._answer(error)

    def _answer(self, error: MainspringError) -> None:
        """Closing at once would reset the connection, and the answer with it."""
        content = msgspec.json.encode(problem_of(error))
        headers = [
            *self.server_state.default_headers,
            (b"content-type", PROBLEM.encode()),
            (b"content-length", b"%d" % len(content)),
            (b"connection", b"close"),
        ]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[error.status] + lines + b"\r\n" + content)
        self._linger()

    def part(self) -> None:
        """Ends a connection with its answer. What its client still sends is not waited for."""
        if self._part is _Part.BODY and not self.transport.is_closing():
            self._refused = True
            self._stop_timer()
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(limits.REFUSED_LINGER_S, self.transport.close)

    def _ignore(self) -> None:
        """Reads on while a refusal is on its way, but not while an earlier answer is being made."""
        if self._timer is None:
            self.flow.pause_reading()


class _Parting(Transport):
    """The connection of a client that asks no more, as the request at work sees it."""

    def __init__(self, protocol: BoundedHttp) -> None:
        super().__init__()
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        return self._protocol.transport.is_closing()

    def close(self) -> None:
        self._protocol.part()
