"""The engine over gRPC."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar
from uuid import UUID

import msgspec

from mainspring_api.adapters.flights import Flights, FlightsTo
from mainspring_api.domain.limits import (
    STARTS_BYTES_PER_CALL_MAX,
    STARTS_PER_CALL_MAX,
    SUBMIT_FLIGHT_ITEMS_MAX,
)
from mainspring_kernel.errors import (
    MainspringError,
    NotImplementedHere,
    rebuild,
)
from mainspring_kernel.limits import LANE_QUEUE_ITEMS_MAX
from mainspring_kernel.plain_limits import PLAIN_TASKS_PER_CALL_MAX, PLAIN_TASKS_WAITING_MAX
from mainspring_rpc import ControlClient, Endpoint
from mainspring_rpc.generated.control.v1 import control_pb2 as pb
from mainspring_schema.appeals import AnswerAppeals, AppealsReceipt
from mainspring_schema.codec import pack_command
from mainspring_schema.commands import (
    Cancel,
    CancelReceipt,
    Close,
    CloseReceipt,
    Receipt,
    Submit,
    SubmitToolResults,
    ToolResultsReceipt,
)
from mainspring_schema.plain import (
    GetPlainTask,
    PlainTaskView,
    SubmitTask,
    SubmitTasks,
    TaskReceipt,
    TaskReceipts,
)
from mainspring_schema.workflows import (
    CancelWorkflow,
    ForkWorkflow,
    GetWorkflow,
    ListWorkflows,
    QueryWorkflow,
    Signalled,
    SignalWorkflow,
    Started,
    StartWorkflow,
    WorkflowCancelReceipt,
    WorkflowPage,
    WorkflowView,
)

T = TypeVar("T")
_RECEIPT = msgspec.msgpack.Decoder(Receipt)
_STARTED = msgspec.msgpack.Decoder(Started)


class RpcControl:
    """All waiting submits ride one call, and one call to each engine is in the air.

    A session's commands go to one engine, which remembers it: two that write it in turn would each
    decide on what the other has changed, and again.
    """

    def __init__(self, client: ControlClient, place: Callable[[bytes], Endpoint | None]) -> None:
        """`place` tells which engine a key belongs to."""
        self._client = client
        self._place = place
        self._submits: FlightsTo[Endpoint | None, bytes, Receipt] = FlightsTo(
            self._submit_many,
            items_max=SUBMIT_FLIGHT_ITEMS_MAX,
            waiting_max=LANE_QUEUE_ITEMS_MAX,
        )
        self._tasks: Flights[SubmitTask, TaskReceipt] = Flights(
            self._submit_some,
            items_max=PLAIN_TASKS_PER_CALL_MAX,
            waiting_max=PLAIN_TASKS_WAITING_MAX,
        )
        self._starts: FlightsTo[Endpoint | None, bytes, Started] = FlightsTo(
            self._start_many,
            items_max=STARTS_PER_CALL_MAX,
            waiting_max=LANE_QUEUE_ITEMS_MAX,
        )

    def _engine_of(self, session_id: UUID) -> Endpoint | None:
        return self._place(session_id.bytes)

    async def submit(self, command: Submit) -> Receipt:
        return await self._submits.ask(self._engine_of(command.session_id), pack_command(command))

    async def _submit_many(
        self, engine: Endpoint | None, items: Sequence[bytes]
    ) -> Sequence[Receipt | MainspringError]:
        response = await self._client.submit_many(pb.SubmitManyRequest(items=items), to=engine)
        return [_answer(answer) for answer in response.answers]

    async def cancel(self, command: Cancel) -> CancelReceipt:
        request = pb.CancelRequest(command=pack_command(command))
        engine = self._engine_of(command.session_id)
        response = await self._client.cancel(request, to=engine)
        return msgspec.msgpack.decode(response.receipt, type=CancelReceipt)

    async def tool_results(self, command: SubmitToolResults) -> ToolResultsReceipt:
        request = pb.SubmitToolResultsRequest(command=pack_command(command))
        engine = self._engine_of(command.session_id)
        response = await self._client.submit_tool_results(request, to=engine)
        return msgspec.msgpack.decode(response.receipt, type=ToolResultsReceipt)

    async def answer_appeals(self, command: AnswerAppeals) -> AppealsReceipt:
        request = pb.AnswerAppealsRequest(command=pack_command(command))
        engine = self._engine_of(command.session_id)
        response = await self._client.answer_appeals(request, to=engine)
        return msgspec.msgpack.decode(response.receipt, type=AppealsReceipt)

    async def close(self, command: Close) -> CloseReceipt:
        request = pb.CloseSessionRequest(command=pack_command(command))
        engine = self._engine_of(command.session_id)
        response = await self._client.close_session(request, to=engine)
        return msgspec.msgpack.decode(response.receipt, type=CloseReceipt)

    async def start_workflow(self, command: StartWorkflow) -> Started:
        return await self._starts.ask(self._engine_of(command.workflow_id), pack_command(command))

    async def _start_many(
        self, engine: Endpoint | None, commands: Sequence[bytes]
    ) -> Sequence[Started | MainspringError]:
        """Together where they fit a message, else each by itself."""
        if len(commands) > 1 and sum(map(len, commands)) <= STARTS_BYTES_PER_CALL_MAX:
            with suppress(NotImplementedHere):  # an engine of the version before
                request = pb.StartWorkflowsRequest(commands=commands)
                response = await self._client.start_workflows(request, to=engine)
                return [_started(answer) for answer in response.answers]
        return await asyncio.gather(*(self._start_one(engine, command) for command in commands))

    async def _start_one(
        self, engine: Endpoint | None, command: bytes
    ) -> Started | MainspringError:
        try:
            request = pb.StartWorkflowRequest(command=command)
            response = await self._client.start_workflow(request, to=engine)
        except MainspringError as error:
            return error
        return _STARTED.decode(response.receipt)

    async def signal_workflow(self, command: SignalWorkflow) -> Signalled:
        request = pb.SignalWorkflowRequest(command=pack_command(command))
        engine = self._engine_of(command.workflow_id)
        response = await self._client.signal_workflow(request, to=engine)
        return msgspec.msgpack.decode(response.receipt, type=Signalled)

    async def fork_workflow(self, command: ForkWorkflow) -> Started:
        request = pb.ForkWorkflowRequest(command=pack_command(command))
        response = await self._client.fork_workflow(request)
        return msgspec.msgpack.decode(response.receipt, type=Started)

    async def cancel_workflow(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        request = pb.CancelWorkflowRequest(command=pack_command(command))
        engine = self._engine_of(command.workflow_id)
        response = await self._client.cancel_workflow(request, to=engine)
        return msgspec.msgpack.decode(response.receipt, type=WorkflowCancelReceipt)

    async def get_workflow(self, command: GetWorkflow) -> WorkflowView:
        request = pb.GetWorkflowRequest(command=pack_command(command))
        response = await self._client.get_workflow(request)
        return msgspec.msgpack.decode(response.workflow, type=WorkflowView)

    async def query_workflow(self, command: QueryWorkflow) -> bytes:
        request = pb.QueryWorkflowRequest(command=pack_command(command))
        return (await self._client.query_workflow(request)).result

    async def submit_task(self, command: SubmitTask) -> TaskReceipt:
        return await self._tasks.ask(command)

    async def _submit_some(
        self, tasks: Sequence[SubmitTask]
    ) -> Sequence[TaskReceipt | MainspringError]:
        answer = await self.submit_tasks(SubmitTasks(tasks=tuple(tasks)))
        return [refusal_of(receipt) or receipt for receipt in answer.receipts]

    async def submit_tasks(self, command: SubmitTasks) -> TaskReceipts:
        response = await self._client.submit_tasks(
            pb.SubmitTasksRequest(command=pack_command(command))
        )
        return msgspec.msgpack.decode(response.receipts, type=TaskReceipts)

    async def get_plain_task(self, command: GetPlainTask) -> PlainTaskView:
        response = await self._client.get_plain_task(
            pb.GetPlainTaskRequest(command=pack_command(command))
        )
        return msgspec.msgpack.decode(response.task, type=PlainTaskView)

    async def list_workflows(self, command: ListWorkflows) -> WorkflowPage:
        request = pb.ListWorkflowsRequest(command=pack_command(command))
        response = await self._client.list_workflows(request)
        return msgspec.msgpack.decode(response.page, type=WorkflowPage)


def refusal_of(receipt: TaskReceipt) -> MainspringError | None:
    """The error that a task alone would have been refused with."""
    refusal = receipt.refusal
    if refusal is None:
        return None
    wait_ms = refusal.retry_after_ms
    return rebuild(refusal.code, refusal.message, retry_after_s=wait_ms / 1000 if wait_ms else None)


def _answer(answer: pb.SubmitAnswer) -> Receipt | MainspringError:
    if answer.HasField("refusal"):
        return _refused(answer.refusal)
    return _RECEIPT.decode(answer.receipt)


def _started(answer: pb.StartAnswer) -> Started | MainspringError:
    if answer.HasField("refusal"):
        return _refused(answer.refusal)
    return _STARTED.decode(answer.receipt)


def _refused(refusal: pb.Refusal) -> MainspringError:
    wait_ms = refusal.retry_after_ms
    retry_after_s = wait_ms / 1000 if wait_ms else None
    return rebuild(refusal.code, refusal.message, retry_after_s=retry_after_s)
