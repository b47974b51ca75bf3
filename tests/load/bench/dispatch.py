"""Submit sent to handler entered, by one clock: this process submits, and is the worker."""

import asyncio
import time
from typing import Final

from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SystemDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, RandomIds, from_wire, to_wire
from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import ControlClient
from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_schema.codec import pack
from mainspring_schema.commands import Submit
from mainspring_schema.messages import Message, TextPart
from mainspring_schema.tasks import ReasonResult, ReasonTask
from mainspring_worker.main import identity
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.grpc_link import GrpcEngineLink
from mainspring_workstream.work import Worker
from tests.load.bench.orders import Done, Probe
from tests.load.bench.sessions import TEXT, create_session, message
from tests.load.bench.wire import Address, Connection, WireProblem

ANSWER_SECONDS_MAX: Final = 10.0
CREATED_AT: Final = "2026-01-01T00:00:00.000Z"


class Doorbell:
    """The steps of a worker whose model says one word at once; notes when it was entered."""

    def __init__(self) -> None:
        self.entered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.config_hash = b""

    async def __call__(self, attempt: Attempt) -> bytes:
        now = time.perf_counter()
        if isinstance(attempt.payload, ReasonTask):
            self.config_hash = attempt.payload.config_hash
        if not self.entered.done():
            self.entered.set_result(now)
        return pack(ReasonResult(text="Hello.", finish_reason="stop"))

    async def rung(self) -> float:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            entered = await self.entered
        self.entered = asyncio.get_running_loop().create_future()
        return entered


async def probe(order: Probe) -> Done:
    """The real worker loop over a real stream; only what it would ask a model is left out."""
    clock, draws = SystemClock(), SystemDraws()
    core = WorkerCore(identity(RandomIds(clock), name="bench"))
    link = GrpcEngineLink([order.engine], draws)
    worker = Worker(core=core, link=link, clock=clock, draws=draws)
    doorbell = Doorbell()
    working = asyncio.create_task(worker.run(doorbell))
    channel = Channel(order.engine)
    try:
        sessions = await _introduce(order, doorbell, core)
        submits = _Submits(ControlClient(channel), doorbell.config_hash, RandomIds(clock))
        samples: list[float] = []
        for number in range(order.samples):
            await _quiet(core, order.pause_s)
            sent = time.perf_counter()
            await submits.send(sessions[number % len(sessions)])
            samples.append((await doorbell.rung() - sent) * 1000)
        await _quiet(core, order.pause_s)
    finally:
        await worker.drain()
        await working
        await channel.close()
    asked = order.samples + len(sessions)
    return Done(asked=asked, completed=asked, dispatch_ms=samples)


async def _introduce(order: Probe, doorbell: Doorbell, core: WorkerCore) -> list[str]:
    """One turn per session over REST: the engine then knows the configuration and the heads."""
    connection = Connection(Address(host=order.host, port=order.port))
    sessions: list[str] = []
    for _ in range(order.sessions):
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


class _Submits:
    def __init__(self, client: ControlClient, config_hash: bytes, ids: RandomIds) -> None:
        self._client = client
        self._config_hash = config_hash
        self._ids = ids

    async def send(self, session_id: str) -> None:
        message_id = self._ids.uuid4()
        said = Message(
            id=to_wire(Prefix.MESSAGE, message_id),
            role="user",
            content=(TextPart(text=TEXT),),
            created_at=CREATED_AT,
        )
        command = Submit(
            org_id=DEFAULT_ORG_ID,
            session_id=from_wire(Prefix.SESSION, session_id),
            message_id=message_id,
            message=said,
            mode="steer",
            config_hash=self._config_hash,
        )
        answer = await self._client.submit_many(control.SubmitManyRequest(items=[pack(command)]))
        if answer.answers[0].HasField("refusal"):
            msg = f"a submit was refused: {answer.answers[0].refusal.code}"
            raise WireProblem(msg)
