"""How a worker waits between two attempts at a step: where tests skip time, not at all."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

_pause: Callable[[float], Awaitable[object]] = asyncio.sleep


async def pause(seconds: float) -> None:
    """Returns so many seconds later."""
    await _pause(seconds)


@contextmanager
def no_pauses() -> Generator[None]:
    """For the whole process."""
    global _pause  # noqa: PLW0603 - workers reach it on whatever thread
    before, _pause = _pause, _at_once
    try:
        yield
    finally:
        _pause = before


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)
