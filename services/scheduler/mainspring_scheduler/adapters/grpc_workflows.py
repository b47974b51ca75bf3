"""Workflows over the engine's ControlService."""

from typing import Final

import msgspec

from mainspring_rpc import ControlClient
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_scheduler.domain import limits
from mainspring_schema import codec
from mainspring_schema.workflows import (
    CancelWorkflow,
    GetWorkflow,
    Started,
    StartWorkflow,
    WorkflowCancelReceipt,
    WorkflowView,
)

_STARTED: Final = msgspec.msgpack.Decoder(Started)
_VIEW: Final = msgspec.msgpack.Decoder(WorkflowView)
_CANCELLED: Final = msgspec.msgpack.Decoder(WorkflowCancelReceipt)
_TIMEOUT_S: Final = limits.SLOT_CALL_TIMEOUT_S


class RpcWorkflows:
    def __init__(self, client: ControlClient) -> None:
        self._client = client

    async def start(self, command: StartWorkflow) -> Started:
        request = pb.StartWorkflowRequest(command=codec.pack(command))
        response = await self._client.start_workflow(request, timeout_s=_TIMEOUT_S)
        return _STARTED.decode(response.receipt)

    async def get(self, command: GetWorkflow) -> WorkflowView:
        request = pb.GetWorkflowRequest(command=codec.pack(command))
        response = await self._client.get_workflow(request, timeout_s=_TIMEOUT_S)
        return _VIEW.decode(response.workflow)

    async def cancel(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        request = pb.CancelWorkflowRequest(command=codec.pack(command))
        response = await self._client.cancel_workflow(request, timeout_s=_TIMEOUT_S)
        return _CANCELLED.decode(response.receipt)
