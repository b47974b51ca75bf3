"""Waits for an announcement that may never come."""

import asyncio

from mainspring_kernel.clock import Clock, sleep_unless


async def told_within(told: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Returns once it is told, or after so long; what is told later is told anew."""
    try:
        await sleep_unless(clock, seconds, told)
    finally:
        told.clear()
