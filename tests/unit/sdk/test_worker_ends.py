"""A worker whose stream has failed ends, so that whoever keeps it starts another one."""

import asyncio
import gc
import threading
from collections.abc import Coroutine

import pytest

from mainspring import Worker, streaming, workflow
from mainspring_workstream.link import EngineStream, LinkBroken

NO_PORT = "engine-without-a-port"
PATIENCE_S = 10


class Faulty:
    """Fails by a fault of ours once the test says so; until then there is no engine."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.closed = threading.Event()
        self.fails = False

    async def open(self) -> EngineStream:
        self.asked.set()
        if self.fails:
            message = "a fault of ours"
            raise RuntimeError(message)
        raise LinkBroken

    async def close(self) -> None:
        self.closed.set()


@workflow
async def nothing() -> None: ...


async def end_of(work: Coroutine[object, object, None] | asyncio.Task[None]) -> str:
    """What it raised by itself: a timeout's cancel would bring out at the drain what this tells."""
    working = asyncio.ensure_future(work)
    done, _ = await asyncio.wait((working,), timeout=PATIENCE_S)
    assert done, "it waits on for ever"
    return repr(working.exception())


async def test_a_worker_whose_engine_has_no_port_ends() -> None:
    worker = Worker([nothing], engine=NO_PORT)

    assert NO_PORT in await end_of(worker.run())


async def test_a_worker_whose_stream_fails_at_work_ends() -> None:
    link = Faulty()
    running = asyncio.create_task(Worker([nothing], link=link).run())
    await asyncio.to_thread(link.asked.wait, PATIENCE_S)

    link.fails = True

    assert "a fault of ours" in await end_of(running)


async def test_a_worker_that_is_cancelled_drains() -> None:
    link = Faulty()
    running = asyncio.create_task(Worker([nothing], link=link).run())
    await asyncio.to_thread(link.asked.wait, PATIENCE_S)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert link.closed.is_set()


async def test_nobody_waits_for_an_engine_that_cannot_come() -> None:
    worker = Worker([nothing], engine=NO_PORT)
    told = ""

    with pytest.raises(ValueError, match=NO_PORT):
        async with worker:
            told = await end_of(worker.attached())

    assert NO_PORT in told


async def test_a_wait_for_a_stream_that_is_cancelled_leaves_it_as_it_is() -> None:
    link = Faulty()
    async with Worker([nothing], link=link) as worker:
        waiting = asyncio.create_task(worker.attached())
        await asyncio.to_thread(link.asked.wait, PATIENCE_S)

        waiting.cancel()

        with pytest.raises(asyncio.CancelledError):
            await waiting


async def told_late(worker: Worker, stands: threading.Event, goes_on: threading.Event) -> str:
    await asyncio.to_thread(stands.wait, PATIENCE_S)
    asked = asyncio.create_task(worker.attached())
    await asyncio.sleep(0)
    goes_on.set()
    return await end_of(asked)


async def test_what_is_asked_as_the_stream_ends_is_told_so_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its loop does not run any more, and nobody was told yet."""
    stands, goes_on = threading.Event(), threading.Event()

    class Log:
        def exception(self, _: str) -> None:
            stands.set()
            goes_on.wait(PATIENCE_S)

    monkeypatch.setattr(streaming, "_LOG", Log())
    worker = Worker([nothing], engine=NO_PORT)
    told = ""

    with pytest.raises(ValueError, match=NO_PORT):
        async with worker:
            told = await told_late(worker, stands, goes_on)
    gc.collect()  # a coroutine that was never awaited would be told by now

    assert NO_PORT in told
