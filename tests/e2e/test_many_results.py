"""One client that waits for more than it can hold requests open for, on the whole stack."""

import asyncio

import pytest

from mainspring import Client, Worker, step, wait_for_signal, workflow
from mainspring.turns import POLLS_MAX
from tests.e2e.rig import Rig

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
BEYOND = 30


@workflow
async def approval(number: int) -> int:
    await wait_for_signal("go")
    return number


@step
async def add(a: int, b: int) -> int:
    return a + b


@workflow
async def quick(number: int) -> int:
    return await add(number, 1)


async def test_a_client_goes_on_beside_all_that_it_waits_for(rig: Rig) -> None:
    engine = rig.stack.address("engine")
    async with (
        Worker([approval, add, quick], engine=engine) as worker,
        Client(rig.stack.api_url) as client,
    ):
        await worker.attached()
        handles = [await client.start(approval, number) for number in range(POLLS_MAX + BEYOND)]
        waiting = [asyncio.create_task(handle.result()) for handle in handles]

        ran = await client.run(quick, 1)
        tasks = await client.submit_many([add.bind(number, 1) for number in range(4 * BEYOND)])
        sums = await asyncio.gather(*(task.result() for task in tasks))
        for handle in handles:
            await handle.signal("go")

        assert ran == 2
        assert sums == list(range(1, 4 * BEYOND + 1))
        assert await asyncio.gather(*waiting) == list(range(POLLS_MAX + BEYOND))
    await rig.assert_sound()
