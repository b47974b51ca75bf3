"""Signals that race against a time in code: whoever loses, none of them is lost."""

import asyncio
from random import Random

import pytest

from mainspring import sleep, start_over, wait_for_signal, workflow
from mainspring_local.testing import environment

COUNT = 40


@workflow
async def racing(timeout_s: float | None) -> list[int]:
    got: list[int] = []
    while len(got) < COUNT:
        signal = asyncio.create_task(wait_for_signal("s", type=int, timeout_s=timeout_s))
        time = asyncio.create_task(sleep(0.01))
        await asyncio.wait({signal, time}, return_when=asyncio.FIRST_COMPLETED)
        if signal.done():
            got.append(signal.result())
        signal.cancel()
        time.cancel()
        await asyncio.gather(signal, time, return_exceptions=True)
    return got


@pytest.mark.parametrize("warm", [0, 10])
@pytest.mark.parametrize("timeout_s", [None, 600.0])
async def test_each_signal_is_taken_once(timeout_s: float | None, warm: int) -> None:
    async with environment(racing, warm=warm) as env:
        handle = await env.client.start(racing, timeout_s)
        draws = Random(7)

        async def send(number: int) -> None:
            await asyncio.sleep(draws.random())  # so that some meet a wait that is just left
            await handle.signal("s", number)

        await asyncio.gather(*(send(number) for number in range(COUNT)))

        assert sorted(await handle.result(timeout_s=60)) == list(range(COUNT))


@workflow
async def in_generations(got: list[int]) -> list[int]:
    """Leaves its waits in every way: as they are, with other times, by starting over."""
    for bound in (None, 600.0, 300.0):
        signal = asyncio.create_task(wait_for_signal("s", type=int, timeout_s=bound))
        time = asyncio.create_task(sleep(0.01))
        await asyncio.wait({signal, time}, return_when=asyncio.FIRST_COMPLETED)
        if signal.done():
            got.append(signal.result())
        signal.cancel()
        time.cancel()
    if len(got) < COUNT:
        await start_over(got)
    return got


@pytest.mark.parametrize("warm", [0, 10])
async def test_none_is_lost_where_the_code_waits_otherwise_or_starts_over(warm: int) -> None:
    async with environment(in_generations, warm=warm) as env:
        handle = await env.client.start(in_generations, [])
        draws = Random(8)

        async def send(number: int) -> None:
            await asyncio.sleep(draws.random())
            await handle.signal("s", number)

        await asyncio.gather(*(send(number) for number in range(COUNT)))

        assert sorted(await handle.result(timeout_s=60)) == list(range(COUNT))
