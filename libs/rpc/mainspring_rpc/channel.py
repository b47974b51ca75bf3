"""The client's end: typed calls that carry the trace and raise errors of the house."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Generic, TypeVar

from google.protobuf.message import Message

from mainspring_kernel import limits
from mainspring_kernel.errors import DeadlineExceeded, Unavailable
from mainspring_kernel.tracing import TRACEPARENT, current_trace
from mainspring_rpc.http2.client import ClientCall, ClientConnection
from mainspring_rpc.http2.dialler import Dialler, Endpoint
from mainspring_rpc.http2.headers import Headers, request, with_metadata
from mainspring_rpc.status import CallFailed, Status
from mainspring_rpc.wire_errors import error_of

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)


class Method(Generic[Req, Res]):
    """What the calls of one method have in common."""

    def __init__(self, dialler: Dialler, path: str, response: type[Res]) -> None:
        self.dialler = dialler
        self.response = response
        self._headers = request(path, dialler.authority)

    def headers(self) -> Headers:
        """What a call begins with, the current trace with it."""
        trace = current_trace()
        if trace is None:
            return self._headers
        return (*self._headers, *with_metadata(((TRACEPARENT, trace.format()),)))


class Unary(Generic[Req, Res]):
    """One method with one answer."""

    def __init__(self, method: Method[Req, Res]) -> None:
        self._method = method

    async def __call__(
        self,
        request: Req,
        *,
        timeout_s: float = limits.RPC_TIMEOUT_S,
        to: Endpoint | None = None,
    ) -> Res:
        """Asks the server at this place, where it is there, else any.

        Raises the error that the server raised, Unavailable or DeadlineExceeded.
        """
        method = self._method
        try:
            connection = method.dialler.pick(to)
            if connection is None:
                connection, timeout_s = await self._connected(timeout_s)
            answer = await connection.unary(
                method.headers(), request.SerializeToString(), timeout_s
            )
        except CallFailed as failure:
            raise error_of(failure) from failure
        return method.response.FromString(answer)

    async def _connected(self, timeout_s: float) -> tuple[ClientConnection, float]:
        """A connection, and what is left of the time."""
        dialler, loop = self._method.dialler, asyncio.get_running_loop()
        until = loop.time() + timeout_s
        try:
            async with asyncio.timeout_at(until):
                connection = await dialler.connection()
        except TimeoutError as error:
            detail = f"no connection to {dialler.address} within {timeout_s:g} s"
            raise DeadlineExceeded(detail) from error
        return connection, max(until - loop.time(), 0.0)


class Stream(Generic[Req, Res]):
    """A call in which both ends send. One sender and one receiver at a time."""

    def __init__(self, method: Method[Req, Res]) -> None:
        self._method = method
        self._headers = method.headers()
        self._beginning = asyncio.Lock()
        self._call: ClientCall | None = None
        self._cancelled = False

    async def send(self, message: Req) -> None:
        """Returns when the system has room. Raises what the server raised, or Unavailable."""
        try:
            call = self._call or await self._begun()
            await call.send(message.SerializeToString())
        except CallFailed as failure:
            raise error_of(failure) from failure
        except asyncio.CancelledError:
            self.cancel()  # half of a message may be on its way
            raise

    async def receive(self) -> Res | None:
        """The next message, None at the end. Raises what the server raised, or Unavailable."""
        try:
            call = self._call or await self._begun()
            message = await call.receive()
        except CallFailed as failure:
            raise error_of(failure) from failure
        return None if message is None else self._method.response.FromString(message)

    async def __aiter__(self) -> AsyncIterator[Res]:
        while (message := await self.receive()) is not None:
            yield message

    async def finish_sending(self) -> None:
        """Tells the server that nothing more comes; `receive` tells how it ended."""
        with suppress(CallFailed):
            call = self._call or await self._begun()
            call.finish()

    def cancel(self) -> None:
        """Ends the call at once. Safe twice."""
        self._cancelled = True
        if self._call is not None:
            self._call.abort(_cancelled())

    async def _begun(self) -> ClientCall:
        async with self._beginning:
            if self._call is None:
                connection = await self._method.dialler.connection()
                if self._cancelled:
                    raise _cancelled()
                self._call = await connection.begin_in_turn(self._headers)
            return self._call


class Streaming(Generic[Req, Res]):
    """One method in which both ends send."""

    def __init__(self, method: Method[Req, Res]) -> None:
        self._method = method

    def open(self) -> Stream[Req, Res]:
        """Begins a call without a deadline; the connection is made on the way."""
        return Stream(self._method)


class Channel:
    """A connection to `host:port`, or several with commas between, which are used in turn.

    Made with the first call, kept alive, made again for ever.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._dialler = Dialler(address)

    def unary(self, path: str, request: type[Req], response: type[Res]) -> Unary[Req, Res]:
        """The method at `/package.Service/Method`."""
        del request  # it says what the call takes
        return Unary(Method(self._dialler, path, response))

    def streaming(self, path: str, request: type[Req], response: type[Res]) -> Streaming[Req, Res]:
        """The method at `/package.Service/Method`."""
        del request
        return Streaming(Method(self._dialler, path, response))

    def place(self, key: bytes) -> Endpoint | None:
        """Which server calls with this key go to, for whoever asks; None before one is there."""
        return self._dialler.place(key)

    async def ready(self, timeout_s: float) -> None:
        """Waits until the server accepts. Raises Unavailable."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._dialler.connection(patient=True)
        except (TimeoutError, CallFailed) as error:
            message = f"{self.address} does not accept connections"
            raise Unavailable(message) from error

    async def close(self) -> None:
        """Ends all calls. Safe twice."""
        await self._dialler.close()


def _cancelled() -> CallFailed:
    return CallFailed(Status.CANCELLED, "the call was cancelled here")
