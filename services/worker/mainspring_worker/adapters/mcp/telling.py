"""What a server says of a call's progress, told at a pace that a log can keep."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from mainspring_worker.adapters.mcp.limits import (
    ERROR_CHARS_MAX,
    PROGRESS_GAP_S,
    PROGRESS_LINES_MAX,
)
from mainspring_worker.adapters.mcp.text import shown


class Heard(Protocol):
    """What the library calls for each notification."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        """Notes the line."""
        ...


@asynccontextmanager
async def telling(told: Callable[[str], Awaitable[None]] | None) -> AsyncGenerator[Heard | None]:
    """What the server's notifications go to while the call is open; None where nobody listens.

    The connection never waits for who is told: of lines that come faster the newest counts, and
    the last one of a call that is answered is always told.
    """
    if told is None:
        yield None
        return
    lines = _Lines()
    teller = asyncio.create_task(lines.tell(told))
    try:
        yield lines.heard
        async with lines.on_its_way:
            teller.cancel()
    finally:
        teller.cancel()
        await asyncio.wait([teller])
    await lines.tell_newest(told)


class _Lines:
    def __init__(self) -> None:
        self._newest: str | None = None
        self._there = asyncio.Event()
        self.on_its_way = asyncio.Lock()
        """Held while a line is told: whoever ends the telling lets it arrive."""

    async def heard(self, progress: float, total: float | None, message: str | None) -> None:
        self._newest = line(progress, total, message)
        self._there.set()

    async def tell(self, told: Callable[[str], Awaitable[None]]) -> None:
        for _ in range(PROGRESS_LINES_MAX):
            await self._there.wait()
            self._there.clear()
            await self.tell_newest(told)
            await asyncio.sleep(PROGRESS_GAP_S)

    async def tell_newest(self, told: Callable[[str], Awaitable[None]]) -> None:
        async with self.on_its_way:
            newest, self._newest = self._newest, None
            if newest is not None:
                await told(newest)


def line(progress: float, total: float | None, message: str | None) -> str:
    """The server's own words, or how far it is."""
    if message:
        return shown(message)[:ERROR_CHARS_MAX]
    return f"{progress:g}" if total is None else f"{progress:g} of {total:g}"
