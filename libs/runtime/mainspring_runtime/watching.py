"""A process watches itself where somebody collects: the lag of its loop, and a door to scrape."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Final, Protocol

from mainspring_kernel.limits import SCRAPE_HEAD_BYTES_MAX, SCRAPE_S
from mainspring_kernel.tally import Spread
from mainspring_runtime import names
from mainspring_runtime.readings import Reading
from mainspring_runtime.settings import Bind, ProcessSettings
from mainspring_runtime.telemetry import Telemetry

_PACE_S: Final = 0.5
"""Between two looks at the loop: twice a second finds what lasts, and costs nothing."""
_PATH: Final = b"/metrics"
_CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Watched(Protocol):
    """A process, as far as it is watched."""

    @property
    def telemetry(self) -> Telemetry:
        """Who collects."""
        ...

    @property
    def stack(self) -> AsyncExitStack:
        """Where closers go."""
        ...

    def spawn(self, name: str, work: Coroutine[object, None, None]) -> asyncio.Task[None]:
        """For as long as the process lives."""
        ...


async def open_metrics(service: Watched, settings: ProcessSettings) -> "MetricsDoor | None":
    """Watches the loop and listens, where the settings say so. Raises OSError."""
    metrics = service.telemetry.metrics
    if metrics.collected:
        lag = LoopLag()
        metrics.watch(lag.readings)
        service.spawn("loop-lag", lag.measure())
    if settings.metrics_bind is None or metrics.text is None:
        return None
    door = MetricsDoor(metrics.text)
    await door.open(settings.metrics_bind)
    service.stack.push_async_callback(door.close)
    return door


class LoopLag:
    """By how much the loop is late for what was due: what everything else waits for, too."""

    def __init__(self) -> None:
        self._spread = Spread(names.LAG_SECONDS)

    async def measure(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _PACE_S
            await asyncio.sleep(_PACE_S)
            self._spread.note(loop.time() - due_s)

    def readings(self) -> Iterable[Reading]:
        """From any thread."""
        return (Reading(names.LOOP_LAG, self._spread),)


class MetricsDoor:
    """HTTP as far as a scraper needs it: one request a connection, one text made at a time."""

    def __init__(self, text: Callable[[], bytes]) -> None:
        self._text = text
        self._one = asyncio.Lock()
        self._server: asyncio.Server | None = None

    async def open(self, bind: Bind) -> None:
        """Listens. Raises OSError where the port is taken."""
        self._server = await asyncio.start_server(
            self._serve, bind.host.strip("[]"), bind.port, limit=SCRAPE_HEAD_BYTES_MAX
        )

    @property
    def port(self) -> int:
        """The one it listens on, also where 0 was asked."""
        sockets = () if self._server is None else self._server.sockets
        for each in sockets:
            port: int = each.getsockname()[1]  # pyright: ignore[reportAny] -- untyped address
            return port
        return 0

    async def close(self) -> None:
        """Safe twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, TimeoutError)
        with suppress(*gone):
            async with asyncio.timeout(SCRAPE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head))
                await writer.drain()
        writer.close()

    async def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != _PATH:
            return _response(b"404 Not Found", b"")
        if method != b"GET":
            return _response(b"405 Method Not Allowed", b"")
        async with self._one:
            # Not on the loop: some milliseconds that nobody else should wait for.
            return _response(b"200 OK", await asyncio.to_thread(self._text))


def _response(status: bytes, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
        % (status, _CONTENT_TYPE, len(body), body)
    )
