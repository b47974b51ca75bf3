"""Serves the application with uvicorn inside a process that somebody else starts and stops."""

import asyncio
import contextlib
from collections.abc import Generator
from typing import cast

import uvicorn
from litestar.types import ASGIApp

from mainspring_api.adapters.http.protocol import BoundedHttp
from mainspring_api.domain.limits import CONNECTION_IDLE_S
from mainspring_kernel.errors import Unavailable

_DRAIN_S = 5
"""What requests under way get at the end: a part of the process's DRAIN_S."""
_BACKLOG = 4096
"""Connections that wait to be accepted: the clients of a replica that died come all at once."""


class _Uvicorn(uvicorn.Server):
    """Signals belong to the process, not to the server in it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class HttpServer:
    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=BoundedHttp,
            loop="none",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # nothing asks who or by which scheme
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_DRAIN_S,
            timeout_keep_alive=CONNECTION_IDLE_S,
        )
        self._server = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once it listens. Raises Unavailable where the port is taken."""
        self._serving = asyncio.create_task(self._serve(), name="http")
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                detail = "the http server ended at its start"
                raise Unavailable(detail)
            await asyncio.sleep(0.01)

    async def _serve(self) -> None:
        config = self._server.config
        try:
            await self._server.serve()
        except SystemExit:
            detail = f"cannot listen on {config.host}:{config.port}; the line above says why"
            raise Unavailable(detail) from None

    @property
    def port(self) -> int:
        """The one it listens on, also where 0 was asked."""
        for server in self._server.servers:
            for socket in server.sockets:
                return cast("tuple[str, int]", socket.getsockname())[1]
        return self._server.config.port

    async def stop(self) -> None:
        """Waits for requests in flight, a few seconds at most. Safe twice."""
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait({self._serving})
