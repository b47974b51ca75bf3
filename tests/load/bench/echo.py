"""A gRPC server that says back what it hears: what gRPC itself costs, and nothing of ours.

Says its port on standard output; ends with its input.
"""

import asyncio
import sys
from typing import Final

import grpc
import grpc.aio
import uvloop

UNARY: Final = "/bench.Echo/Unary"
STREAM: Final = "/bench.Echo/Stream"


async def unary(request: bytes, _: object) -> bytes:
    return request


async def stream(_: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(message)


async def serve() -> None:
    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Stream": grpc.stream_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(serve())
