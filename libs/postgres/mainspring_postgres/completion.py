"""Work that a cancelled caller must not cut in the middle."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def finished(work: Coroutine[object, None, T]) -> T:
    """Runs `work` to its end even if the caller is cancelled meanwhile; then the cancel goes on.

    A commit that is cancelled in flight leaves nobody knowing its outcome, and costs its
    connection. The wait is bounded by the statement and command timeouts of the connection.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it as forgotten
        raise
