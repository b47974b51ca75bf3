"""Waiting for news that may not come."""

import asyncio

from mainspring_kernel.clock import Clock


async def told_within(told: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Returns once it is told, or after so long; what is told later is told anew."""
    alarm = asyncio.ensure_future(_tell_after(told, clock, seconds))
    try:
        await told.wait()
    finally:
        alarm.cancel()
        told.clear()


async def _tell_after(told: asyncio.Event, clock: Clock, seconds: float) -> None:
    await clock.sleep(seconds)
    told.set()
