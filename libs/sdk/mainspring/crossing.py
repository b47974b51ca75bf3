"""One call to a loop of another thread. Where many come up together a `Ferry` is cheaper."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def call_on(loop: asyncio.AbstractEventLoop, call: Coroutine[object, object, T]) -> T:
    """What it comes to there. A cancel here cancels it there."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, loop))
