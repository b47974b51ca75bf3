"""No step is called while it is not sure whose its task is."""

import asyncio

from typing_extensions import override

from mainspring import Retry, step, workflow
from mainspring.going import Go
from mainspring.heartbeats import Unheard
from mainspring.plain import attempt_plain
from mainspring_kernel.draws import SeededDraws
from tests.unit.sdk.fake import FakeEngine

CALLS: list[int] = []


class Lease(Unheard):
    """Of a worker that stood still; a test renews it, `calls` at a time."""

    def __init__(self, calls: int = 0) -> None:
        self.asked = asyncio.Event()
        self.calls = calls
        self.renewed = asyncio.Event()

    @override
    async def leased(self) -> None:
        if self.calls:
            self.calls -= 1
            return
        self.asked.set()
        await self.renewed.wait()


@step(retry=Retry(attempts=2, first_s=0.001))
async def stumble(x: int) -> int:
    CALLS.append(x)
    if len(CALLS) == 1:
        message = "the first time"
        raise ValueError(message)
    return x


@workflow
async def one(x: int) -> int:
    return await stumble(x)


async def test_each_call_of_a_step_waits_until_the_lease_is_sure() -> None:
    CALLS.clear()
    engine, lease = FakeEngine(7), Lease(calls=1)
    running = asyncio.create_task(
        Go(one, dict(engine.records), engine, draws=SeededDraws(1), beats=lease).run()
    )
    await lease.asked.wait()
    before = list(CALLS)

    lease.renewed.set()

    assert (await running).outcome == "completed"
    assert (before, CALLS) == ([7], [7, 7])


async def test_so_does_a_task_of_its_own() -> None:
    CALLS.clear()
    lease = Lease()
    running = asyncio.create_task(
        attempt_plain(
            stumble, b"[7]", failures=0, draws=SeededDraws(1), processes=None, beats=lease
        )
    )
    await lease.asked.wait()
    before = list(CALLS)

    lease.renewed.set()
    await running

    assert (before, CALLS) == ([], [7])
