"""ControlService: proto to commands and back."""

from typing import Final

import msgspec

from mainspring_engine.ports.registry import Registry
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.control import Control
from mainspring_engine.usecases.gate_control import GateControl
from mainspring_engine.usecases.operating import Operator
from mainspring_engine.usecases.plain_tasks import PlainTasks
from mainspring_engine.usecases.retention import Retention
from mainspring_engine.usecases.sweeps import SweepKind, Sweeps
from mainspring_engine.usecases.upkeep import keep_up
from mainspring_engine.usecases.workflows import Workflows
from mainspring_kernel.errors import MainspringError, MalformedBody
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_schema import commands, operations, plain, workflows
from mainspring_schema.appeals import AnswerAppeals
from mainspring_schema.codec import pack, read_command
from mainspring_schema.gates import DropLimit, SetCircuit, SetLimit, SetWeight

_SUBMIT: Final = msgspec.msgpack.Decoder(commands.Submit).decode
_CANCEL: Final = msgspec.msgpack.Decoder(commands.Cancel).decode
_APPEALS: Final = msgspec.msgpack.Decoder(AnswerAppeals).decode
_RESULTS: Final = msgspec.msgpack.Decoder(commands.SubmitToolResults).decode
_CLOSE: Final = msgspec.msgpack.Decoder(commands.Close).decode
_CIRCUIT: Final = msgspec.msgpack.Decoder(SetCircuit).decode
_START_WORKFLOW: Final = msgspec.msgpack.Decoder(workflows.StartWorkflow).decode
_SIGNAL_WORKFLOW: Final = msgspec.msgpack.Decoder(workflows.SignalWorkflow).decode
_FORK_WORKFLOW: Final = msgspec.msgpack.Decoder(workflows.ForkWorkflow).decode
_CANCEL_WORKFLOW: Final = msgspec.msgpack.Decoder(workflows.CancelWorkflow).decode
_GET_WORKFLOW: Final = msgspec.msgpack.Decoder(workflows.GetWorkflow).decode
_QUERY_WORKFLOW: Final = msgspec.msgpack.Decoder(workflows.QueryWorkflow).decode
_LIST_WORKFLOWS: Final = msgspec.msgpack.Decoder(workflows.ListWorkflows).decode
_SUBMIT_TASKS: Final = msgspec.msgpack.Decoder(plain.SubmitTasks).decode
_GET_TASK: Final = msgspec.msgpack.Decoder(plain.GetPlainTask).decode
_LIMIT: Final = msgspec.msgpack.Decoder(SetLimit).decode
_NO_LIMIT: Final = msgspec.msgpack.Decoder(DropLimit).decode
_WEIGHT: Final = msgspec.msgpack.Decoder(SetWeight).decode

_SWEEPS: Final = {
    pb.SWEEP_KIND_TIMERS: SweepKind.TIMERS,
    pb.SWEEP_KIND_RETRIES: SweepKind.RETRIES,
    pb.SWEEP_KIND_LEASES: SweepKind.LEASES,
}


class ControlServicer:
    def __init__(  # noqa: PLR0913 - one named use case each
        self,
        *,
        control: Control,
        workflows: Workflows,
        plain_tasks: PlainTasks,
        sweeps: Sweeps,
        gates: GateControl,
        operator: Operator,
        store: Store,
        registry: Registry,
        retention: Retention,
    ) -> None:
        self._retention = retention
        self._control = control
        self._workflows = workflows
        self._plain_tasks = plain_tasks
        self._gates = gates
        self._sweeps = sweeps
        self._operator = operator
        self._store = store
        self._registry = registry

    async def submit_many(self, request: pb.SubmitManyRequest, /) -> pb.SubmitManyResponse:
        items = tuple(read_command(_SUBMIT, item) for item in request.items)
        answers = await self._control.submit_many(items)
        return pb.SubmitManyResponse(answers=[_answer(answer) for answer in answers])

    async def cancel(self, request: pb.CancelRequest, /) -> pb.CancelResponse:
        receipt = await self._control.cancel(read_command(_CANCEL, request.command))
        return pb.CancelResponse(receipt=pack(receipt))

    async def submit_tool_results(
        self, request: pb.SubmitToolResultsRequest, /
    ) -> pb.SubmitToolResultsResponse:
        receipt = await self._control.submit_tool_results(read_command(_RESULTS, request.command))
        return pb.SubmitToolResultsResponse(receipt=pack(receipt))

    async def answer_appeals(self, request: pb.AnswerAppealsRequest, /) -> pb.AnswerAppealsResponse:
        receipt = await self._control.answer_appeals(read_command(_APPEALS, request.command))
        return pb.AnswerAppealsResponse(receipt=pack(receipt))

    async def close_session(self, request: pb.CloseSessionRequest, /) -> pb.CloseSessionResponse:
        receipt = await self._control.close(read_command(_CLOSE, request.command))
        return pb.CloseSessionResponse(receipt=pack(receipt))

    async def sweep(self, request: pb.SweepRequest, /) -> pb.SweepResponse:
        kind = _SWEEPS.get(request.kind)
        if kind is None:
            detail = f"there is no sweep {request.kind}"
            raise MalformedBody(detail)
        swept = await self._sweeps.sweep(kind)
        return pb.SweepResponse(handled=swept.handled, more=swept.more)

    async def upkeep(self, request: pb.UpkeepRequest, /) -> pb.UpkeepResponse:
        del request
        kept = await keep_up(self._store, self._registry, self._retention)
        return pb.UpkeepResponse(
            partitions_made=kept.partitions_made,
            keys_forgotten=kept.keys_forgotten,
            more=kept.more,
            records_removed=kept.records_removed,
        )

    # ── gates ───────────────────────────────────────────────────────────────────────────────────

    async def list_circuits(self, request: pb.ListCircuitsRequest, /) -> pb.ListCircuitsResponse:
        circuits = await self._gates.circuits(tuple(request.keys))
        return pb.ListCircuitsResponse(circuits=map(pack, circuits))

    async def set_circuit(self, request: pb.SetCircuitRequest, /) -> pb.SetCircuitResponse:
        circuit = await self._gates.set_circuit(read_command(_CIRCUIT, request.command))
        return pb.SetCircuitResponse(circuit=pack(circuit))

    async def list_limits(self, request: pb.ListLimitsRequest, /) -> pb.ListLimitsResponse:
        limits = await self._gates.limits(tuple(request.keys))
        return pb.ListLimitsResponse(limits=map(pack, limits))

    async def set_limit(self, request: pb.SetLimitRequest, /) -> pb.SetLimitResponse:
        limit = await self._gates.set_limit(read_command(_LIMIT, request.command))
        return pb.SetLimitResponse(limit=pack(limit))

    async def drop_limit(self, request: pb.DropLimitRequest, /) -> pb.DropLimitResponse:
        await self._gates.drop_limit(read_command(_NO_LIMIT, request.command))
        return pb.DropLimitResponse()

    async def list_weights(self, request: pb.ListWeightsRequest, /) -> pb.ListWeightsResponse:
        del request
        return pb.ListWeightsResponse(weights=pack(await self._gates.weights()))

    async def set_weight(self, request: pb.SetWeightRequest, /) -> pb.SetWeightResponse:
        await self._gates.set_weight(read_command(_WEIGHT, request.command))
        return pb.SetWeightResponse()

    # ── workflows ───────────────────────────────────────────────────────────────────────────────

    async def start_workflow(self, request: pb.StartWorkflowRequest, /) -> pb.StartWorkflowResponse:
        started = await self._workflows.start(read_command(_START_WORKFLOW, request.command))
        return pb.StartWorkflowResponse(receipt=pack(started))

    async def start_workflows(
        self, request: pb.StartWorkflowsRequest, /
    ) -> pb.StartWorkflowsResponse:
        commands_ = tuple(read_command(_START_WORKFLOW, command) for command in request.commands)
        answers = await self._workflows.start_many(commands_)
        return pb.StartWorkflowsResponse(answers=[_start_answer(answer) for answer in answers])

    async def signal_workflow(
        self, request: pb.SignalWorkflowRequest, /
    ) -> pb.SignalWorkflowResponse:
        signalled = await self._workflows.signal(read_command(_SIGNAL_WORKFLOW, request.command))
        return pb.SignalWorkflowResponse(receipt=pack(signalled))

    async def fork_workflow(self, request: pb.ForkWorkflowRequest, /) -> pb.ForkWorkflowResponse:
        started = await self._workflows.fork(read_command(_FORK_WORKFLOW, request.command))
        return pb.ForkWorkflowResponse(receipt=pack(started))

    async def cancel_workflow(
        self, request: pb.CancelWorkflowRequest, /
    ) -> pb.CancelWorkflowResponse:
        receipt = await self._workflows.cancel(read_command(_CANCEL_WORKFLOW, request.command))
        return pb.CancelWorkflowResponse(receipt=pack(receipt))

    async def get_workflow(self, request: pb.GetWorkflowRequest, /) -> pb.GetWorkflowResponse:
        view = await self._workflows.get(read_command(_GET_WORKFLOW, request.command))
        return pb.GetWorkflowResponse(workflow=pack(view))

    async def query_workflow(self, request: pb.QueryWorkflowRequest, /) -> pb.QueryWorkflowResponse:
        result = await self._workflows.query(read_command(_QUERY_WORKFLOW, request.command))
        return pb.QueryWorkflowResponse(result=result)

    async def list_workflows(self, request: pb.ListWorkflowsRequest, /) -> pb.ListWorkflowsResponse:
        page = await self._workflows.list(read_command(_LIST_WORKFLOWS, request.command))
        return pb.ListWorkflowsResponse(page=pack(page))

    # ── plain tasks ─────────────────────────────────────────────────────────────────────────────

    async def submit_tasks(self, request: pb.SubmitTasksRequest, /) -> pb.SubmitTasksResponse:
        receipts = await self._plain_tasks.submit(read_command(_SUBMIT_TASKS, request.command))
        return pb.SubmitTasksResponse(receipts=pack(receipts))

    async def get_plain_task(self, request: pb.GetPlainTaskRequest, /) -> pb.GetPlainTaskResponse:
        view = await self._plain_tasks.get(read_command(_GET_TASK, request.command))
        return pb.GetPlainTaskResponse(task=pack(view))

    # ── operators ───────────────────────────────────────────────────────────────────────────────

    async def inspect(self, request: pb.InspectRequest, /) -> pb.InspectResponse:
        question = read_command(operations.read_question, request.question)
        return pb.InspectResponse(answer=pack(await self._operator.inspect(question)))

    async def operate(self, request: pb.OperateRequest, /) -> pb.OperateResponse:
        order = read_command(operations.read_order, request.order)
        return pb.OperateResponse(answer=pack(await self._operator.operate(order)))


def _answer(answer: commands.Receipt | MainspringError) -> pb.SubmitAnswer:
    if isinstance(answer, commands.Receipt):
        return pb.SubmitAnswer(receipt=pack(answer))
    return pb.SubmitAnswer(refusal=_refusal(answer))


def _start_answer(answer: workflows.Started | MainspringError) -> pb.StartAnswer:
    if isinstance(answer, workflows.Started):
        return pb.StartAnswer(receipt=pack(answer))
    return pb.StartAnswer(refusal=_refusal(answer))


def _refusal(error: MainspringError) -> pb.Refusal:
    retry_after_ms = round((error.retry_after_s or 0) * 1000)
    return pb.Refusal(code=error.code, message=error.detail, retry_after_ms=retry_after_ms)
