"""An MCP server of the official library, for tests: good tools, and ways to misbehave.

As a program it speaks over its standard streams; its argument names what it serves.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.utilities.types import Image
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ResourceLink,
    TextResourceContents,
    ToolAnnotations,
)

SEEN: list[ContentBlock] = [
    EmbeddedResource(
        resource=TextResourceContents(uri="file:///terms", text="30 days", mime_type="text/plain")
    ),
    EmbeddedResource(resource=BlobResourceContents(uri="file:///logo", blob="cG5n")),
    ResourceLink(uri="file:///more", name="more"),
    AudioContent(data="cG5n", mime_type="audio/wav"),
]
PNG = b"\x89PNG\r\n\x1a\n and more"
FLOOD = "x" * (5 * 1024 * 1024)


class Seen:
    """What the server was told."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.waiting = asyncio.Event()
        self.go_on = asyncio.Event()


def server(seen: Seen, *, renamed: bool = False, child: int = 0) -> MCPServer:
    made = MCPServer("test")
    _good(made, seen)
    _bad(made, seen)
    if child:

        @made.tool(description="Who works for it.", structured_output=False)
        def helper() -> str:
            return str(child)

    if renamed:

        @made.tool(description="Was not there before.")
        def extra() -> str:
            return ""

    return made


def _good(made: MCPServer, seen: Seen) -> None:
    @made.tool(description="Says it again.", annotations=ToolAnnotations(read_only_hint=True))
    def echo(text: str) -> str:
        return text

    @made.tool(description="Adds to a total.", annotations=ToolAnnotations(idempotent_hint=True))
    def add(amount: int, context: Context) -> dict[str, int]:
        meta = context.request_context.meta or {}
        seen.keys.append(str(dict(meta).get("mainspring.dev/idempotency-key")))
        return {"total": amount}

    @made.tool(description="Who it is.", structured_output=False)
    def pid() -> str:
        return str(os.getpid())

    @made.tool(description="Draws.")
    def draw() -> Image:
        return Image(data=PNG, format="png")

    @made.tool(description="Reads.", structured_output=False)
    def look() -> list[ContentBlock]:
        return SEEN

    @made.tool(description="Waits to be told.", structured_output=False)
    async def wait() -> str:
        seen.waiting.set()
        await seen.go_on.wait()
        return "done"

    @made.tool(description="Takes its time.", structured_output=False)
    async def slow(context: Context) -> str:
        await context.report_progress(1, 3)
        await context.report_progress(2, 3, "nearly there")
        return "done"


def _bad(made: MCPServer, seen: Seen) -> None:
    @made.tool(description="Fails.")
    def fail() -> str:
        message = "the cupboard is bare"
        raise ValueError(message)

    @made.tool(description="Never answers.")
    async def hang() -> str:
        seen.started.set()
        try:
            await asyncio.Event().wait()
        except BaseException:
            seen.cancelled.set()
            raise
        return ""

    @made.tool(description="Ends its process.")
    def die() -> str:
        print("out of paper:", os.environ.get("TOKEN"), file=sys.stderr, flush=True)
        os._exit(3)

    @made.tool(description="Says far too much.")
    def flood() -> str:
        return FLOOD


@asynccontextmanager
async def over_http(made: MCPServer) -> AsyncGenerator[str]:
    """Serves on loopback; the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        made.streamable_http_app(),
        log_level="error",
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    running = uvicorn.Server(config)
    serving = asyncio.create_task(running.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        running.should_exit = True
        await asyncio.wait([serving])
        listener.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["garbage"]:
            sys.stdout.write("this is no JSON\n" * 1000)
            sys.stdout.flush()
            sys.stdin.read()
        case ["deaf"]:
            sys.stdin.read()
        case ["stubborn"]:
            # Its helper inherits that it does not listen.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sleeping = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            server(Seen(), child=sleeping.pid).run("stdio")
        case ["endless"]:
            while True:
                sys.stdout.write(FLOOD)
        case _:
            server(Seen()).run("stdio")
