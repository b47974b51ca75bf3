"""A gRPC server that says back what it hears: what gRPC itself costs, and nothing around it.

By grpcio or, asked for `ours`, by the transport of this house. Says its port on standard output;
ends with its input.
"""

import asyncio
import sys
from typing import Final

import grpc
import grpc.aio
import uvloop

from mainspring_rpc.http2.server import Route, ServerCall, listen

UNARY: Final = "/bench.Echo/Unary"
STREAM: Final = "/bench.Echo/Stream"
OURS: Final = "ours"


async def unary(request: bytes, _: object) -> bytes:
    return request


async def stream(_: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(message)


async def our_echo(call: ServerCall) -> None:
    while (message := await call.receive()) is not None:
        await call.reply(message)


async def serve(kind: str) -> None:
    if kind == OURS:
        routes = {UNARY: Route(our_echo, streams=False), STREAM: Route(our_echo, streams=True)}
        listener = await listen("127.0.0.1", 0, routes)
        await told(listener.port)
        await listener.stop(0)
        return
    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Stream": grpc.stream_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await told(port)
    await server.stop(None)


async def told(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
