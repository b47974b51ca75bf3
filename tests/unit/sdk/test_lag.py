"""How late the loop is that runs users' code, told to whoever keeps metrics."""

import asyncio
import threading

import pytest

from mainspring import Worker, workflow
from mainspring.lag import watch_lag
from mainspring_workstream.link import EngineStream, LinkBroken

BLOCKED_S = 0.02


class Nowhere:
    """No engine is to be had."""

    async def open(self) -> EngineStream:
        raise LinkBroken

    async def close(self) -> None: ...


@workflow
async def nothing() -> None: ...


class Kept:
    def __init__(self) -> None:
        self.lags: list[float] = []
        self.came = asyncio.Event()

    def record(self, seconds: float) -> None:
        self.lags.append(seconds)
        self.came.set()


async def test_what_holds_the_loop_is_told_as_lag() -> None:
    kept = Kept()
    watch = asyncio.create_task(watch_lag(kept.record, pace_s=0.0001))
    await asyncio.sleep(0)

    threading.Event().wait(BLOCKED_S)
    async with asyncio.timeout(10):
        await kept.came.wait()
    watch.cancel()

    assert max(kept.lags) > BLOCKED_S / 2


async def test_a_worker_tells_the_lag_of_the_loop_that_it_began_on() -> None:
    kept = Kept()

    async with Worker([nothing], link=Nowhere(), on_loop_lag=kept.record), asyncio.timeout(10):
        await kept.came.wait()

    told = len(kept.lags)
    assert told
    assert min(kept.lags) >= 0


async def test_metrics_that_fail_end_the_watch_and_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(seconds: float) -> None:
        message = f"full at {seconds}"
        raise ValueError(message)

    async with asyncio.timeout(10):
        await watch_lag(broken, pace_s=0.0001)

    assert "nobody takes the loop's lag" in caplog.text
