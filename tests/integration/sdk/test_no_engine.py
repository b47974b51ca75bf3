"""A worker without an engine says so, once in a while and with the address."""

import asyncio
import socket

import pytest

from mainspring import Worker, workflow

PATIENCE_S = 30


@workflow
async def nothing() -> None: ...


async def test_a_worker_that_finds_no_engine_says_where_it_looked_and_does_not_repeat_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        twice = asyncio.Semaphore(0)
        loop = asyncio.get_running_loop()
        caplog.set_level("DEBUG", "mainspring_workstream.work")
        caplog.handler.addFilter(lambda _: bool(loop.call_soon_threadsafe(twice.release)))
        async with Worker([nothing], engine=address):
            for _ in range(2):
                async with asyncio.timeout(PATIENCE_S):
                    await twice.acquire()

    told = [(one.levelname, address in one.getMessage()) for one in caplog.records]
    assert told[:2] == [("WARNING", True), ("DEBUG", True)]
