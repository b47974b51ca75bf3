"""An agent that uses the tools of an MCP server, and the pin of what that server said of them.

`python mcp_client.py [URL]`; without one it starts a small server on this machine, which workers of
`./task dev` may call, and others with MAINSPRING_WORKER_MCP_LOOPBACK=1.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from kitchen import kitchen

harbour = MCPServer("harbour")


@harbour.tool(annotations=ToolAnnotations(read_only_hint=True))
def high_water(port: str) -> str:
    """When the water is high today."""
    return {"Bergen": "06:12", "Stavanger": "05:47"}.get(port, "nobody knows")


@asynccontextmanager
async def serving(server: MCPServer) -> AsyncGenerator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = server.streamable_http_app()
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    task = asyncio.create_task(running.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        running.should_exit = True
        await task


async def main(url: str) -> None:
    async with kitchen("mcp_client") as here, httpx.AsyncClient(base_url=f"{here.url}/v1/") as http:
        body = {"model_id": here.model_id, "mcpServers": {"harbour": {"url": url}}}
        session = (await http.post("sessions", json=body)).raise_for_status().json()["id"]
        await here.ask(session, "When is high water in Bergen?")
        pins = (await http.get(f"sessions/{session}/mcp-servers")).raise_for_status().json()
        for pin in pins["data"]:
            print(pin["name"], [tool["name"] for tool in pin["tools"]])


async def own_server() -> None:
    async with serving(harbour) as url:
        await main(url)


asyncio.run(main(sys.argv[1]) if sys.argv[1:] else own_server())
