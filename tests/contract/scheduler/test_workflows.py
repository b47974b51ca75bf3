"""Workflows that slots begin: over gRPC and inside one process they go alike."""

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.errors import NotFound, Unavailable
from mainspring_rpc import Channel, ControlClient, serve
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_rpc.handlers import Service
from mainspring_scheduler.adapters.grpc_workflows import RpcWorkflows
from mainspring_scheduler.ports.targets import Workflows
from mainspring_schema import codec
from mainspring_schema.workflows import (
    CancelWorkflow,
    GetWorkflow,
    Started,
    StartWorkflow,
    WorkflowCancelReceipt,
    WorkflowView,
)
from mainspring_testkit.servers import free_port
from tests.integration.scheduler.others import Engine

ORG, FLOW = UUID(int=1), UUID(int=7)
START = StartWorkflow(org_id=ORG, workflow_id=FLOW, type="report", input=b"[1]", key="k")
GET = GetWorkflow(org_id=ORG, workflow_id=FLOW)
CANCEL = CancelWorkflow(org_id=ORG, workflow_id=FLOW, reason="later")


class Kept:
    """One workflow by its key, as the engine keeps many."""

    def __init__(self) -> None:
        self.view: WorkflowView | None = None

    async def start(self, command: StartWorkflow) -> Started:
        duplicate = self.view is not None
        if self.view is None:
            self.view = WorkflowView(
                workflow_id=command.workflow_id,
                type=command.type,
                key=command.key or "",
                queue=command.queue,
                status="running",
                started_ms=5,
            )
        return Started(workflow_id=self.view.workflow_id, duplicate=duplicate)

    async def get(self, command: GetWorkflow) -> WorkflowView:
        if self.view is None or self.view.workflow_id != command.workflow_id:
            raise NotFound
        return self.view

    async def cancel(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        self.view = msgspec.structs.replace(await self.get(GET), status="cancelled")
        return WorkflowCancelReceipt(status="cancelled")


class KeepingEngine(Engine):
    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self._kept = kept

    async def start_workflow(self, request: pb.StartWorkflowRequest, /) -> pb.StartWorkflowResponse:
        command = msgspec.msgpack.decode(request.command, type=StartWorkflow)
        return pb.StartWorkflowResponse(receipt=codec.pack(await self._kept.start(command)))

    async def get_workflow(self, request: pb.GetWorkflowRequest, /) -> pb.GetWorkflowResponse:
        command = msgspec.msgpack.decode(request.command, type=GetWorkflow)
        return pb.GetWorkflowResponse(workflow=codec.pack(await self._kept.get(command)))

    async def cancel_workflow(
        self, request: pb.CancelWorkflowRequest, /
    ) -> pb.CancelWorkflowResponse:
        command = msgspec.msgpack.decode(request.command, type=CancelWorkflow)
        return pb.CancelWorkflowResponse(receipt=codec.pack(await self._kept.cancel(command)))


@pytest.fixture(params=["direct", "grpc"])
async def workflows(request: pytest.FixtureRequest) -> AsyncIterator[Workflows]:
    kept = Kept()
    if request.param == "direct":
        yield kept
        return
    descriptor = pb.DESCRIPTOR.services_by_name["ControlService"]
    server = await serve("127.0.0.1:0", [Service(descriptor, KeepingEngine(kept))])
    channel = Channel(server.address)
    yield RpcWorkflows(ControlClient(channel))
    await channel.close()
    await server.stop(0)


async def test_a_workflow_is_started_once_by_its_key(workflows: Workflows) -> None:
    first = await workflows.start(START)
    again = await workflows.start(msgspec.structs.replace(START, workflow_id=UUID(int=8)))

    assert first == Started(workflow_id=FLOW)
    assert again == Started(workflow_id=FLOW, duplicate=True)


async def test_it_is_looked_at_and_cancelled(workflows: Workflows) -> None:
    await workflows.start(START)
    running = await workflows.get(GET)

    assert await workflows.cancel(CANCEL) == WorkflowCancelReceipt(status="cancelled")

    assert (running.status, running.key) == ("running", "k")
    assert (await workflows.get(GET)).status == "cancelled"


async def test_one_that_nobody_started_is_not_found(workflows: Workflows) -> None:
    with pytest.raises(NotFound):
        await workflows.get(GET)
    with pytest.raises(NotFound):
        await workflows.cancel(CANCEL)


async def test_an_engine_that_is_away_is_unavailable() -> None:
    channel = Channel(f"127.0.0.1:{free_port()}")

    with pytest.raises(Unavailable):
        await RpcWorkflows(ControlClient(channel)).start(START)

    await channel.close()
