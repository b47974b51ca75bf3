"""Starts of workflows that come together ride one call to the engine."""

import asyncio
from typing import cast

import msgspec
import pytest

from mainspring_api.adapters.rpc.control import RpcControl
from mainspring_api.domain.limits import STARTS_BYTES_PER_CALL_MAX
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import NotImplementedHere, WorkflowKeyMismatch
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_rpc import ControlClient, Endpoint
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_schema.codec import pack
from mainspring_schema.workflows import Started, StartWorkflow

IDS = SeededIds(ManualClock(), seed=4)


def start(input_: bytes = b"[]", *, key: str | None = None) -> StartWorkflow:
    return StartWorkflow(
        org_id=DEFAULT_ORG_ID, workflow_id=IDS.uuid7(), type="order", input=input_, key=key
    )


class Engine:
    """Refuses the key `taken`. Its calls wait until they are let go."""

    def __init__(self, *, old: bool = False, engines: int = 1) -> None:
        self.engines = engines
        self.asked: set[Endpoint] = set()
        self.calls: list[int] = []
        self.go = asyncio.Event()
        self._old = old

    @property
    def client(self) -> ControlClient:
        return cast("ControlClient", cast("object", self))

    def place(self, key: bytes) -> Endpoint | None:
        return ("engine", key[-1] % self.engines)

    async def start_workflow(
        self, request: pb.StartWorkflowRequest, *, to: Endpoint
    ) -> pb.StartWorkflowResponse:
        self.asked.add(to)
        self.calls.append(1)
        await self.go.wait()
        return pb.StartWorkflowResponse(receipt=self._receipt(request.command))

    async def start_workflows(
        self, request: pb.StartWorkflowsRequest, *, to: Endpoint
    ) -> pb.StartWorkflowsResponse:
        if self._old:
            raise NotImplementedHere
        self.asked.add(to)
        self.calls.append(len(request.commands))
        await self.go.wait()
        return pb.StartWorkflowsResponse(answers=[self._answer(one) for one in request.commands])

    def _answer(self, command: bytes) -> pb.StartAnswer:
        try:
            return pb.StartAnswer(receipt=self._receipt(command))
        except WorkflowKeyMismatch as error:
            return pb.StartAnswer(refusal=pb.Refusal(code=error.code, message=error.detail))

    def _receipt(self, command: bytes) -> bytes:
        read = msgspec.msgpack.decode(command, type=StartWorkflow)
        if read.key == "taken":
            raise WorkflowKeyMismatch
        return pack(Started(workflow_id=read.workflow_id, started_ms=1))


async def together(engine: Engine, *commands: StartWorkflow) -> list[Started | BaseException]:
    """The first is in the air while the others come."""
    control = RpcControl(engine.client, engine.place)
    asked = [asyncio.ensure_future(control.start_workflow(one)) for one in commands]
    while not engine.calls:  # noqa: ASYNC110 - turns of this loop, no time
        await asyncio.sleep(0)
    engine.go.set()
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_what_comes_while_a_call_is_in_the_air_rides_the_next_together() -> None:
    engine, commands = Engine(), [start() for _ in range(4)]

    answers = await together(engine, *commands)

    assert answers == [Started(workflow_id=one.workflow_id, started_ms=1) for one in commands]
    assert engine.calls == [4] or engine.calls == [1, 3]


async def test_a_refused_one_does_not_touch_the_others() -> None:
    engine, commands = Engine(), [start(), start(), start(key="taken"), start()]

    answers = await together(engine, *commands)

    assert [type(answer) for answer in answers] == [
        Started, Started, WorkflowKeyMismatch, Started,
    ]  # fmt: skip


@pytest.mark.parametrize("old", [True, False])
async def test_large_ones_and_those_to_an_older_engine_go_each_by_itself(*, old: bool) -> None:
    engine = Engine(old=old)
    input_ = b"[]" if old else b'"' + b"x" * (STARTS_BYTES_PER_CALL_MAX // 2) + b'"'
    commands = [start(), start(input_), start(input_), start(key="taken")]

    answers = await together(engine, *commands)

    assert [type(answer) for answer in answers] == [
        Started, Started, Started, WorkflowKeyMismatch,
    ]  # fmt: skip
    assert engine.calls == [1] * 4


async def test_each_engine_is_asked_for_what_is_its_own_and_keeps_no_other_waiting() -> None:
    engine, commands = Engine(engines=2), [start() for _ in range(12)]
    own = {one.workflow_id.bytes[-1] % 2 for one in commands}

    answers = await together(engine, *commands)

    assert answers == [Started(workflow_id=one.workflow_id, started_ms=1) for one in commands]
    assert engine.asked == {("engine", number) for number in own}
    assert (len(engine.calls), sum(engine.calls)) == (2, 12)
