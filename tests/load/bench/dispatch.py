"""Submit sent to handler entered, by one clock: this process submits, and is the worker."""

import asyncio
import time
from typing import Final

from msgspec.structs import replace

from mainspring_harness.builtin import builtin_registry
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SystemDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import ControlClient
from mainspring_schema.codec import pack
from mainspring_schema.tasks import PlainResult, PlainTask, ReasonResult, ReasonTask
from mainspring_worker.main import identity
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.grpc_link import GrpcEngineLink
from mainspring_workstream.work import Worker
from tests.load.bench.orders import Done, Probe
from tests.load.bench.sessions import TEXT, create_session, message
from tests.load.bench.staff import PLAIN_TYPE
from tests.load.bench.submits import Submits
from tests.load.bench.wire import Address, Connection, WireProblem

ANSWER_SECONDS_MAX: Final = 10.0


class Doorbell:
    """The steps of a worker that is done at once; notes when it was entered."""

    def __init__(self) -> None:
        self.entered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.config_hash = b""

    async def __call__(self, attempt: Attempt) -> bytes:
        now = time.perf_counter()
        if isinstance(attempt.payload, ReasonTask):
            self.config_hash = attempt.payload.config_hash
        if not self.entered.done():
            self.entered.set_result(now)
        if isinstance(attempt.payload, PlainTask):
            return pack(PlainResult())
        return pack(ReasonResult(text="Hello.", finish_reason="stop"))

    async def rung(self) -> float:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            entered = await self.entered
        self.entered = asyncio.get_running_loop().create_future()
        return entered


async def probe(order: Probe) -> Done:
    """The real worker loop over a real stream; only what it would ask a model is left out."""
    clock, draws = SystemClock(), SystemDraws()
    ids = RandomIds(clock)
    offered = ("", f"task:{PLAIN_TYPE}")
    core = WorkerCore(
        replace(identity(ids, builtin_registry(), name="bench"), capabilities=offered)
    )
    link = GrpcEngineLink([order.engine], draws)
    worker = Worker(core=core, link=link, clock=clock, draws=draws)
    doorbell = Doorbell()
    working = asyncio.create_task(worker.run(doorbell))
    channel = Channel(order.engine)
    try:
        submits = Submits(ControlClient(channel))
        sessions = await _introduce(order, submits, doorbell, core)
        samples: list[float] = []
        for number in range(order.samples):
            await _quiet(core, order.pause_s)
            sent = time.perf_counter()
            if order.kind == "task":
                await submits.task(DEFAULT_ORG_ID)
            else:
                await submits.turn(sessions[number % len(sessions)], doorbell.config_hash)
            samples.append((await doorbell.rung() - sent) * 1000)
        await _quiet(core, order.pause_s)
    finally:
        await worker.drain()
        await working
        await channel.close()
    asked = order.samples + order.warm_up
    return Done(asked=asked, completed=asked, dispatch_ms=samples)


async def _introduce(
    order: Probe, submits: Submits, doorbell: Doorbell, core: WorkerCore
) -> list[str]:
    """One turn per session over REST: the engine then knows the configuration and the heads.

    Plain tasks have neither: some are done, so that the worker is attached and all is warm.
    """
    if order.kind == "task":
        for _ in range(order.warm_up):
            await submits.task(DEFAULT_ORG_ID)
            await doorbell.rung()
            await _quiet(core, 0.0)
        return []
    connection = Connection(Address(host=order.host, port=order.port))
    sessions: list[str] = []
    for _ in range(order.warm_up):
        session_id = await create_session(connection, order.agent_id)
        await connection.call("POST", f"/sessions/{session_id}/messages", message(TEXT))
        await doorbell.rung()
        sessions.append(session_id)
        await _quiet(core, 0.0)
    connection.close()
    return sessions


async def _quiet(core: WorkerCore, pause_s: float) -> None:
    """Until the last result is acknowledged, and then for a while: an idle stack is measured."""
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while core.busy:
        if time.monotonic() > deadline:
            msg = "a result was not acknowledged"
            raise WireProblem(msg)
        await asyncio.sleep(0.002)
    await asyncio.sleep(pause_s)
