"""What a tool of one's own writes goes to the event store while it is at work."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest

from mainspring import ToolContext, tool
from mainspring import showing as sdk_showing
from mainspring.calling import Announced
from mainspring.showing import Road
from mainspring.worker import Runner
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SystemDraws
from mainspring_schema.events import OUTPUT_STARTED
from mainspring_schema.frames import Task
from mainspring_schema.tasks import ToolResult
from mainspring_workstream import showing
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.queue_link import QueueEngineLink
from mainspring_workstream.work import Worker
from tests.unit.worker.fake_engine import Conversation, FakeEngine
from tests.unit.worker.making import SESSION, held, identity, task, tool_payload
from tests.unit.worker.workbench import WatchedLog

RESULT = msgspec.msgpack.Decoder(ToolResult)
GO = asyncio.Event()


@tool(effect="idempotent")
async def writes(call: ToolContext) -> str:
    """Writes as it goes."""
    call.output("one\n")
    await asyncio.to_thread(call.output, "oh\n", "stderr")
    await GO.wait()
    call.output("two\n")
    return "done"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> WatchedLog:
    GO.clear()
    log = WatchedLog()
    log.open_anchor(SESSION, "call_1", 1)

    @asynccontextmanager
    async def deltas_to(_address: str) -> AsyncGenerator[WatchedLog]:
        yield log

    monkeypatch.setattr(sdk_showing, "deltas_to", deltas_to)
    monkeypatch.setattr(showing, "OUTPUT_QUIET_S", 0.0)
    return log


@asynccontextmanager
async def attached(address: str) -> AsyncGenerator[Conversation]:
    engine, clock, draws = FakeEngine(), SystemClock(), SystemDraws()
    worker = Worker(
        core=WorkerCore(identity(4)), link=QueueEngineLink(engine), clock=clock, draws=draws
    )
    road = Road(address, clock, draws)
    runner = Runner(
        {}, asyncio.get_running_loop(), draws, None,
        announced=Announced((writes,), "shop"), road=road,
    )  # fmt: skip
    running = asyncio.create_task(road.around(worker.run(runner)))
    try:
        yield await engine.attached()
    finally:
        worker.halt()
        await asyncio.gather(running, return_exceptions=True)


def given(*, guarded: bool = False) -> Task:
    payload = tool_payload("writes", effect_class="idempotent")
    return task(held(), msgspec.structs.replace(payload, guarded=guarded))


def shown(log: WatchedLog, stream: str) -> str:
    return "".join(d.fragment for d in log.deltas.get(SESSION, ()) if d.channel == stream)


async def test_output_is_shown_in_its_streams_before_the_result(log: WatchedLog) -> None:
    async with attached("somewhere:1") as engine:
        engine.give(given())
        (emit,) = (await engine.until(lambda frame: frame.emits)).emits
        engine.grant_emit(held(), emit.counter)
        await log.appended.wait()
        GO.set()
        told = RESULT.decode((await engine.result()).body)

        assert (told.result, emit.events[0].type) == ("done", OUTPUT_STARTED)
        assert (shown(log, "stdout"), shown(log, "stderr")) == ("one\ntwo\n", "oh\n")


@pytest.mark.parametrize(("address", "guarded"), [("", False), ("somewhere:1", True)])
async def test_without_a_road_or_before_a_guard_has_looked_nothing_is_shown(
    log: WatchedLog, address: str, guarded: bool
) -> None:
    GO.set()
    async with attached(address) as engine:
        engine.give(given(guarded=guarded))
        frame = await engine.until(lambda frame: frame.emits or frame.results)

    assert (frame.emits, len(frame.results)) == ((), 1)
    assert log.deltas == {}
