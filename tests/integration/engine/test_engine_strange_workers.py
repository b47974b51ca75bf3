"""Whatever a worker says about its tasks, nothing falls and the work of others goes on.

A seed draws the frames, which come to the engine as they travel.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from random import Random
from typing import Final

import msgspec
import pytest

from mainspring import do, parallel, step, workflow
from mainspring_engine.main import Engine
from mainspring_kernel.errors import MalformedBody, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_rpc.frames import MalformedFrame, from_worker_from_proto
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_schema.frames import (
    Attach,
    Beat,
    Emit,
    FromWorker,
    Held,
    HistoryWanted,
    Progress,
    Result,
    Task,
)
from mainspring_schema.plain import SubmitTask, SubmitTasks
from mainspring_schema.tasks import (
    NamedCall,
    PlainResult,
    PlainTask,
    ReasonResult,
    ReasonTask,
    StepTask,
    TaskPayload,
    ToolCall,
    ToolResult,
    ToolTask,
    WorkflowResult,
    WorkflowTask,
)
from mainspring_schema.toolsets import Toolset
from mainspring_schema.workflows import StartWorkflow
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker
from tests.integration.engine.strange import Strange

ROUNDS: Final = 3
TASKS: Final = 12
QUIET_S: Final = 0.15
"""Nothing comes any more: what is left waits for something, or for the end of a lease."""
SHARE_OF_ANOTHER_KIND: Final = 0.05
_PAYLOAD: Final[msgspec.msgpack.Decoder[TaskPayload]] = msgspec.msgpack.Decoder(TaskPayload)
RESULTS: Final[dict[type[object], type[msgspec.Struct]]] = {
    ReasonTask: ReasonResult,
    ToolTask: ToolResult,
    WorkflowTask: WorkflowResult,
    PlainTask: PlainResult,
    StepTask: PlainResult,
}
KNOWN: Final = {
    "type": ("output.message.started", "reason.recovered", "tool.output.started", "a.b"),
    # Many: one that is recorded twice is refused by the key of its table, each time alike.
    "step": (*(str(place) for place in range(1, 300)), "1/1", "2/1"),
    "name": ("add", "order", "test_math"),
    "queue": ("default",),
    "keys": ((), ("k",)),
}


class Liar:
    def __init__(self, house: House, seed: int) -> None:
        self._random = Random(seed)
        self._strange = Strange(self._random, KNOWN, odd=self._random.choice((0.03, 0.1, 0.3)))
        self._worker = ScriptedWorker(house.ids)

    async def work(self, engine: Engine) -> None:
        """Takes what there is and says something about it."""
        capabilities = ("", "test_math", "task:add", "workflow:order")
        await self._worker.attach(engine.conversations, capabilities=capabilities)
        with suppress(TimeoutError):
            for _ in range(TASKS):
                async with asyncio.timeout(QUIET_S):
                    task = await self._worker.tasks.get()
                self._talk(task)
        await self._worker.leave()

    def _talk(self, task: Task) -> None:
        payload = _PAYLOAD.decode(task.payload)
        for _ in range(self._random.randrange(4)):
            self._send(self._aside(task.held, payload))
        for _ in range(self._random.choice((1, 1, 2))):
            self._send(FromWorker(results=(self._result(task.held, payload),), credits=1))

    def _send(self, frame: FromWorker) -> None:
        """What the wire refuses ends the stream that brought it, and never comes this far."""
        with suppress(MalformedFrame):
            packed = msgspec.msgpack.encode(frame)
            self._worker.send(from_worker_from_proto(pb.WorkRequest(packed=packed)))

    def _aside(self, held: Held, payload: TaskPayload) -> FromWorker:
        draw = self._strange.struct
        match self._random.choice(("emit", "emit", "progress", "starts", "beat", "history")):
            case "emit" if isinstance(payload, WorkflowTask):
                return FromWorker(emits=(draw(Emit, held=held, events=()),))
            case "emit":
                return FromWorker(emits=(draw(Emit, held=held),))
            case "progress":
                return FromWorker(progress=(draw(Progress, held=held),))
            case "beat":
                return FromWorker(beat=draw(Beat, held=(held,)))
            case "history":
                return FromWorker(histories_wanted=(draw(HistoryWanted, held=held),))
            case _:
                return FromWorker(starts=(held, held))

    def _result(self, held: Held, payload: TaskPayload) -> Result:
        kind = RESULTS[type(payload)]
        if self._random.random() < SHARE_OF_ANOTHER_KIND:
            kind = self._random.choice([*RESULTS.values()])
        result = self._strange.struct(kind)
        if isinstance(result, ReasonResult) and isinstance(payload, ReasonTask):
            result = msgspec.structs.replace(result, tool_calls=named(payload, result.tool_calls))
        body = msgspec.msgpack.encode(result)
        return Result(held=held, hash=hashlib.sha256(body).digest(), body=body)


def named(task: ReasonTask, calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    """The same calls by the ids that they must have."""
    return tuple(
        msgspec.structs.replace(
            call, id=NamedCall(turn_id=task.turn_id, iteration=task.iteration, index=index).id()
        )
        for index, call in enumerate(calls)
    )


@step
async def add(total: int) -> int:
    return total + 1


@workflow(driver="machine")
def sums() -> object:
    with parallel():
        first = do(add, 1)
        do(add, 2)
    return do(add, first)


async def give_work(house: House, engine: Engine) -> None:
    """A turn, a workflow that is code, one that is declared, and a plain task."""
    await house.say(engine, await house.session(), "hello")
    assert sums.drawn is not None
    for type_, declaration in (("order", None), ("sums", sums.drawn.declaration)):
        start = StartWorkflow(
            org_id=DEFAULT_ORG_ID,
            workflow_id=house.ids.uuid7(),
            type=type_,
            input=b"[]",
            declaration=declaration,
        )
        await engine.workflows.start(start)
    task = SubmitTask(org_id=DEFAULT_ORG_ID, task_id=house.ids.uuid7(), type="add")
    await engine.plain_tasks.submit(SubmitTasks(tasks=(task,)))


async def an_honest_turn(house: House, engine: Engine) -> None:
    """By a worker that answers each model call it is given: the liar left some."""
    session, worker = await house.session(), ScriptedWorker(house.ids)
    await worker.attach(engine.conversations, capabilities=("",), slots=100)
    await house.say(engine, session, "hello")
    while True:
        task = await worker.next_task()
        if isinstance(_PAYLOAD.decode(task.payload), ReasonTask):
            worker.reply(task, "the truth")
        if task.session_id == session:
            break
    while (await worker.acknowledged()).held != task.held:
        pass
    await worker.leave()
    assert "turn.completed" in await house.types(session)


@pytest.fixture(autouse=True)
def no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """None is logged whole, in this test or in what it left to the loop."""
    yield
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [record.getMessage() for record in records if record.exc_info] == []


@pytest.mark.parametrize("seed", range(8))
async def test_no_word_of_a_worker_costs_others_anything(house: House, seed: int) -> None:
    async with house.working() as engine:
        for round_ in range(ROUNDS):
            await give_work(house, engine)
            await Liar(house, seed * ROUNDS + round_).work(engine)
            await an_honest_turn(house, engine)


@pytest.mark.parametrize("seed", range(4))
async def test_no_way_to_attach_costs_others_anything(house: House, seed: int) -> None:
    random = Random(seed)
    async with house.working() as engine:
        for _ in range(10):
            strange = Strange(random, KNOWN, odd=random.choice((0.05, 0.1, 0.3)))
            toolset = msgspec.msgpack.encode(strange.struct(Toolset))
            attach = strange.struct(Attach, toolset=random.choice((b"", toolset)))
            await say_once(engine, strange.struct(FromWorker, attach=attach, results=(), emits=()))
        await an_honest_turn(house, engine)


async def say_once(engine: Engine, frame: FromWorker) -> None:
    async def frames() -> AsyncGenerator[FromWorker]:
        yield from_worker_from_proto(pb.WorkRequest(packed=msgspec.msgpack.encode(frame)))

    with suppress(MalformedFrame, MalformedBody, ValidationFailed):
        async with aclosing(engine.conversations.serve(frames())) as replies:
            async for _ in replies:
                pass
