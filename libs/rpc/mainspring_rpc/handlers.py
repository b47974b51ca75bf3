"""What answers a call: handlers made from .proto files, errors as statuses, the caller's trace."""

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Generic, NamedTuple, TypeVar

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mainspring_kernel.errors import MainspringError, Unavailable
from mainspring_kernel.tracing import TRACEPARENT, TraceContext, use_trace
from mainspring_rpc.http2.server import Route, ServerCall
from mainspring_rpc.status import CallFailed, Status
from mainspring_rpc.wire_errors import failure_of

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)
_Answer = Callable[..., Awaitable[Message]]
_Talk = Callable[[ServerCall], Awaitable[None]]
_log = logging.getLogger(__name__)
_INTERNAL_STATUS: Final = 500


class ServerStream(Generic[Req, Res]):
    """A call in which both ends send, as its handler sees it.

    When the client goes away the handler's task is cancelled. Returning ends the call well.
    """

    def __init__(self, call: ServerCall, request: type[Req]) -> None:
        self._call = call
        self._request = request

    async def send(self, message: Res) -> None:
        """Returns when the system has room for it. Raises Unavailable where the client is gone."""
        try:
            await self._call.reply(message.SerializeToString())
        except CallFailed as error:
            text = "the client is gone"
            raise Unavailable(text) from error

    async def receive(self) -> Req | None:
        """The next message; None when the client sends no more."""
        message = await self._call.receive()
        return None if message is None else self._request.FromString(message)

    async def __aiter__(self) -> AsyncIterator[Req]:
        while (message := await self.receive()) is not None:
            yield message


class Service(NamedTuple):
    """A service of the .proto files and the object whose methods answer it, in snake_case."""

    descriptor: ServiceDescriptor
    implementation: object


def routes(service: Service) -> dict[str, Route]:
    """Handlers by path. Raises TypeError where the object does not answer a method."""
    found: dict[str, Route] = {}
    for method in service.descriptor.methods:
        answer = getattr(service.implementation, snake_case(method.name), None)
        if not inspect.iscoroutinefunction(answer):
            kind = type(service.implementation).__name__
            message = f"{kind} has no async {snake_case(method.name)}() for {method.full_name}"
            raise TypeError(message)
        found[f"/{service.descriptor.full_name}/{method.name}"] = _route(method, answer)
    return found


def snake_case(name: str) -> str:
    """SubmitMany becomes submit_many."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def _route(method: MethodDescriptor, answer: _Answer) -> Route:
    request = GetMessageClass(method.input_type)
    streams = method.client_streaming or method.server_streaming
    talk = _streaming(answer, request) if streams else _unary(answer, request)
    return Route(_guarded(method.full_name, talk), streams)


def _unary(answer: _Answer, request: type[Message]) -> _Talk:
    async def handle(call: ServerCall) -> None:
        message = await call.receive()
        if message is None:
            raise CallFailed(Status.INTERNAL, "the call has no message")
        said = await answer(request.FromString(message))
        await call.answer(said.SerializeToString())

    return handle


def _streaming(answer: _Answer, request: type[Message]) -> _Talk:
    async def handle(call: ServerCall) -> None:
        await answer(ServerStream(call, request))

    return handle


def _guarded(name: str, talk: _Talk) -> _Talk:
    async def handle(call: ServerCall) -> None:
        with use_trace(_trace_of(call)):
            try:
                await talk(call)
            except CallFailed:
                raise
            except Exception as error:
                raise _failure(name, error) from error

    return handle


def _failure(name: str, error: Exception) -> CallFailed:
    if not isinstance(error, MainspringError):
        _log.error("%s failed", name, exc_info=error)
        # What an unforeseen error says may hold anything; the log has it, the wire does not.
        return failure_of(MainspringError())
    if error.status == _INTERNAL_STATUS:
        _log.error("%s failed", name, exc_info=error)
    return failure_of(error)


def _trace_of(call: ServerCall) -> TraceContext | None:
    said = call.headers.get(TRACEPARENT)
    return None if said is None else TraceContext.parse(said)
