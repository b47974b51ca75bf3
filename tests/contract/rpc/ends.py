"""Both ends of a call by two implementations: ours, and grpcio, which is everyone else's."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import grpc
import grpc.aio

from mainspring_rpc.http2.client import ClientCall
from mainspring_rpc.http2.dialler import Dialler
from mainspring_rpc.http2.headers import request, with_metadata
from mainspring_rpc.http2.server import Route, ServerCall, listen
from mainspring_rpc.status import CallFailed, Metadata, Status

UNARY = "/test.Echo/Unary"
STREAM = "/test.Echo/Stream"
LARGE = (("grpc.max_receive_message_length", 8 << 20), ("grpc.max_send_message_length", 8 << 20))

Unary = Callable[[bytes, dict[str, str]], Awaitable[bytes]]


class Talk(Protocol):
    """One end of a stream. `receive` answers None at the end; both raise CallFailed."""

    async def send(self, message: bytes) -> None: ...
    async def receive(self) -> bytes | None: ...


class Answers:
    """What a server does. The tests put their own in."""

    def __init__(self, unary: Unary, stream: Callable[[Talk], Awaitable[None]]) -> None:
        self.unary = unary
        self.stream = stream


class OpenCall(Talk, Protocol):
    """A client's end of a stream."""

    async def finish(self) -> None: ...
    def cancel(self) -> None: ...


class Client(Protocol):
    async def ask(
        self, message: bytes, *, path: str = UNARY, metadata: Metadata = (), timeout_s: float = 10
    ) -> bytes: ...
    async def open(self) -> OpenCall: ...


# ── ours ────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def our_server(answers: Answers) -> AsyncGenerator[str]:
    async def unary(call: ServerCall) -> None:
        await call.answer(await answers.unary(await call.receive() or b"", call.headers))

    async def stream(call: ServerCall) -> None:
        await answers.stream(OurTalk(call))

    listener = await listen(
        "127.0.0.1", 0, {UNARY: Route(unary, streams=False), STREAM: Route(stream, streams=True)}
    )
    yield f"127.0.0.1:{listener.port}"
    await listener.stop(0)


class OurTalk:
    def __init__(self, call: ServerCall) -> None:
        self._call = call

    async def send(self, message: bytes) -> None:
        await self._call.reply(message)

    async def receive(self) -> bytes | None:
        return await self._call.receive()


class OurClient:
    def __init__(self, address: str) -> None:
        self._dialler = Dialler(address)

    async def ask(
        self, message: bytes, *, path: str = UNARY, metadata: Metadata = (), timeout_s: float = 10
    ) -> bytes:
        connection = await self._dialler.connection()
        headers = (*request(path, self._dialler.address), *with_metadata(metadata))
        return await connection.unary(headers, message, timeout_s)

    async def open(self) -> OpenCall:
        connection = await self._dialler.connection()
        return OurOpenCall(connection.begin(request(STREAM, self._dialler.address)))

    async def close(self) -> None:
        await self._dialler.close()


class OurOpenCall:
    def __init__(self, call: ClientCall) -> None:
        self._call = call
        self.send = call.send
        self.receive = call.receive

    async def finish(self) -> None:
        self._call.finish()

    def cancel(self) -> None:
        self._call.abort(CallFailed(Status.CANCELLED))


@asynccontextmanager
async def our_client(address: str) -> AsyncGenerator[Client]:
    client = OurClient(address)
    yield client
    await client.close()


# ── grpcio ──────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def other_server(answers: Answers) -> AsyncGenerator[str]:
    async def unary(
        message: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]"
    ) -> bytes | None:
        said = {key: str(value) for key, value in context.invocation_metadata() or ()}
        try:
            return await answers.unary(message, said)
        except CallFailed as failure:
            await _abort(context, failure)

    async def stream(_: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        try:
            await answers.stream(OtherTalk(context))
        except CallFailed as failure:
            await _abort(context, failure)

    server = grpc.aio.server(options=LARGE)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "test.Echo",
                {
                    "Unary": grpc.unary_unary_rpc_method_handler(unary),
                    "Stream": grpc.stream_stream_rpc_method_handler(stream),
                },
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def _abort(context: "grpc.aio.ServicerContext[bytes, bytes]", failure: CallFailed) -> None:
    code = next(code for code in grpc.StatusCode if code.value[0] == failure.status)
    await context.abort(code, failure.details, tuple(failure.metadata))


class OtherTalk:
    def __init__(self, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        self._context = context

    async def send(self, message: bytes) -> None:
        await self._context.write(message)

    async def receive(self) -> bytes | None:
        message = await self._context.read()
        return None if message is grpc.aio.EOF else message


class OtherClient:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def ask(
        self, message: bytes, *, path: str = UNARY, metadata: Metadata = (), timeout_s: float = 10
    ) -> bytes:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path)
        try:
            return await method(message, timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from error

    async def open(self) -> OpenCall:
        method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(
            STREAM
        )
        return OtherOpenCall(method())


class OtherOpenCall:
    def __init__(self, call: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        self._call = call

    async def send(self, message: bytes) -> None:
        try:
            await self._call.write(message)
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from error

    async def receive(self) -> bytes | None:
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from error
        except asyncio.CancelledError as error:
            raise CallFailed(Status.CANCELLED) from error
        return message if isinstance(message, bytes) else None

    async def finish(self) -> None:
        await self._call.done_writing()

    def cancel(self) -> None:
        self._call.cancel()


def _failure(error: grpc.aio.AioRpcError) -> CallFailed:
    metadata = tuple((key, value) for key, value in error.trailing_metadata() or ())
    return CallFailed(Status(error.code().value[0]), error.details() or "", metadata)


@asynccontextmanager
async def other_client(address: str) -> AsyncGenerator[Client]:
    async with grpc.aio.insecure_channel(address, options=LARGE) as channel:
        yield OtherClient(channel)


# ── both ────────────────────────────────────────────────────────────────────────────────────────

SERVERS = {"ours": our_server, "grpcio": other_server}
CLIENTS = {"ours": our_client, "grpcio": other_client}
PAIRS: Sequence[tuple[str, str]] = [("ours", "ours"), ("ours", "grpcio"), ("grpcio", "ours")]
"""Client and server. grpcio with itself is not our concern."""


async def echo(message: bytes, said: dict[str, str]) -> bytes:
    del said
    return message


async def echo_all(talk: Talk) -> None:
    async for message in messages(talk):
        await talk.send(message)


async def messages(talk: Talk) -> AsyncIterator[bytes]:
    while (message := await talk.receive()) is not None:
        yield message


@asynccontextmanager
async def between(
    pair: tuple[str, str],
    unary: Unary = echo,
    stream: Callable[[Talk], Awaitable[None]] = echo_all,
) -> AsyncGenerator[Client]:
    client, server = pair
    async with SERVERS[server](Answers(unary, stream)) as address, CLIENTS[client](address) as one:
        yield one
