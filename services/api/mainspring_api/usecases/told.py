"""Waiting for news that may not come."""

import asyncio

from mainspring_kernel.clock import Clock


async def told_within(told: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Returns once it is told, or after so long; what is told later is told anew."""
    waiting = asyncio.ensure_future(told.wait())
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((waiting, sleeping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        sleeping.cancel()
        told.clear()
