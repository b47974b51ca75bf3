"""The services as their servers implement them: one async method per rpc.

A method returns its answer or raises an error of the house; the trace of the caller is current.
"""

from typing import Protocol

from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as eventstore
from mainspring_rpc.generated.resource.v1 import resource_pb2 as resource
from mainspring_rpc.generated.scheduler.v1 import scheduler_pb2 as scheduler
from mainspring_rpc.generated.session.v1 import session_pb2 as session
from mainspring_rpc.generated.worker.v1 import worker_pb2 as worker
from mainspring_rpc.handlers import ServerStream, Service


class ControlServicer(Protocol):
    """Answers ControlService; see control.proto."""

    async def submit_many(
        self, request: control.SubmitManyRequest, /
    ) -> control.SubmitManyResponse: ...
    async def cancel(self, request: control.CancelRequest, /) -> control.CancelResponse: ...
    async def submit_tool_results(
        self, request: control.SubmitToolResultsRequest, /
    ) -> control.SubmitToolResultsResponse: ...
    async def answer_appeals(
        self, request: control.AnswerAppealsRequest, /
    ) -> control.AnswerAppealsResponse: ...
    async def close_session(
        self, request: control.CloseSessionRequest, /
    ) -> control.CloseSessionResponse: ...
    async def sweep(self, request: control.SweepRequest, /) -> control.SweepResponse: ...
    async def upkeep(self, request: control.UpkeepRequest, /) -> control.UpkeepResponse: ...
    async def list_circuits(
        self, request: control.ListCircuitsRequest, /
    ) -> control.ListCircuitsResponse: ...
    async def set_circuit(
        self, request: control.SetCircuitRequest, /
    ) -> control.SetCircuitResponse: ...
    async def inspect(self, request: control.InspectRequest, /) -> control.InspectResponse: ...
    async def operate(self, request: control.OperateRequest, /) -> control.OperateResponse: ...
    async def list_limits(
        self, request: control.ListLimitsRequest, /
    ) -> control.ListLimitsResponse: ...
    async def set_limit(self, request: control.SetLimitRequest, /) -> control.SetLimitResponse: ...
    async def drop_limit(
        self, request: control.DropLimitRequest, /
    ) -> control.DropLimitResponse: ...
    async def list_weights(
        self, request: control.ListWeightsRequest, /
    ) -> control.ListWeightsResponse: ...
    async def set_weight(
        self, request: control.SetWeightRequest, /
    ) -> control.SetWeightResponse: ...

    async def start_workflow(
        self, request: control.StartWorkflowRequest, /
    ) -> control.StartWorkflowResponse: ...
    async def start_workflows(
        self, request: control.StartWorkflowsRequest, /
    ) -> control.StartWorkflowsResponse: ...
    async def signal_workflow(
        self, request: control.SignalWorkflowRequest, /
    ) -> control.SignalWorkflowResponse: ...
    async def fork_workflow(
        self, request: control.ForkWorkflowRequest, /
    ) -> control.ForkWorkflowResponse: ...
    async def cancel_workflow(
        self, request: control.CancelWorkflowRequest, /
    ) -> control.CancelWorkflowResponse: ...
    async def get_workflow(
        self, request: control.GetWorkflowRequest, /
    ) -> control.GetWorkflowResponse: ...
    async def list_workflows(
        self, request: control.ListWorkflowsRequest, /
    ) -> control.ListWorkflowsResponse: ...
    async def submit_tasks(
        self, request: control.SubmitTasksRequest, /
    ) -> control.SubmitTasksResponse: ...
    async def query_workflow(
        self, request: control.QueryWorkflowRequest, /
    ) -> control.QueryWorkflowResponse: ...
    async def get_plain_task(
        self, request: control.GetPlainTaskRequest, /
    ) -> control.GetPlainTaskResponse: ...


class WorkerServicer(Protocol):
    """Answers WorkerService; see worker.proto."""

    async def work(
        self, stream: ServerStream[worker.WorkRequest, worker.WorkResponse], /
    ) -> None: ...


class EventStoreServicer(Protocol):
    """Answers EventStoreService; see eventstore.proto."""

    async def append_many(
        self, request: eventstore.AppendManyRequest, /
    ) -> eventstore.AppendManyResponse: ...
    async def read(self, request: eventstore.ReadRequest, /) -> eventstore.ReadResponse: ...
    async def list(self, request: eventstore.ListRequest, /) -> eventstore.ListResponse: ...
    async def heads(self, request: eventstore.HeadsRequest, /) -> eventstore.HeadsResponse: ...
    async def verify(self, request: eventstore.VerifyRequest, /) -> eventstore.VerifyResponse: ...
    async def upkeep(self, request: eventstore.UpkeepRequest, /) -> eventstore.UpkeepResponse: ...


class ResourceServicer(Protocol):
    """Answers ResourceService; see resource.proto."""

    async def get_credentials(
        self, request: resource.GetCredentialsRequest, /
    ) -> resource.GetCredentialsResponse: ...
    async def write_file(
        self, request: resource.WriteFileRequest, /
    ) -> resource.WriteFileResponse: ...
    async def ask(self, request: resource.AskRequest, /) -> resource.AskResponse: ...
    async def change(self, request: resource.ChangeRequest, /) -> resource.ChangeResponse: ...


class SessionServicer(Protocol):
    """Answers SessionService; see session.proto."""

    async def post(self, request: session.PostRequest, /) -> session.PostResponse: ...
    async def turns(self, request: session.TurnsRequest, /) -> session.TurnsResponse: ...
    async def cancel_turn(
        self, request: session.CancelTurnRequest, /
    ) -> session.CancelTurnResponse: ...


class ScheduleServicer(Protocol):
    """Answers ScheduleService; see scheduler.proto."""

    async def create_schedule(
        self, request: scheduler.CreateScheduleRequest, /
    ) -> scheduler.CreateScheduleResponse: ...
    async def get_schedule(
        self, request: scheduler.GetScheduleRequest, /
    ) -> scheduler.GetScheduleResponse: ...
    async def list_schedules(
        self, request: scheduler.ListSchedulesRequest, /
    ) -> scheduler.ListSchedulesResponse: ...
    async def change_schedule(
        self, request: scheduler.ChangeScheduleRequest, /
    ) -> scheduler.ChangeScheduleResponse: ...
    async def delete_schedule(
        self, request: scheduler.DeleteScheduleRequest, /
    ) -> scheduler.DeleteScheduleResponse: ...
    async def trigger_schedule(
        self, request: scheduler.TriggerScheduleRequest, /
    ) -> scheduler.TriggerScheduleResponse: ...
    async def list_slots(
        self, request: scheduler.ListSlotsRequest, /
    ) -> scheduler.ListSlotsResponse: ...
    async def get_slot(self, request: scheduler.GetSlotRequest, /) -> scheduler.GetSlotResponse: ...
    async def count_slots(
        self, request: scheduler.CountSlotsRequest, /
    ) -> scheduler.CountSlotsResponse: ...
    async def count_of_sessions(
        self, request: scheduler.CountOfSessionsRequest, /
    ) -> scheduler.CountOfSessionsResponse: ...


def control_service(servicer: ControlServicer) -> Service:
    """ControlService, answered by `servicer`."""
    return Service(control.DESCRIPTOR.services_by_name["ControlService"], servicer)


def worker_service(servicer: WorkerServicer) -> Service:
    """WorkerService, answered by `servicer`."""
    return Service(worker.DESCRIPTOR.services_by_name["WorkerService"], servicer)


def event_store_service(servicer: EventStoreServicer) -> Service:
    """EventStoreService, answered by `servicer`."""
    return Service(eventstore.DESCRIPTOR.services_by_name["EventStoreService"], servicer)


def resource_service(servicer: ResourceServicer) -> Service:
    """ResourceService, answered by `servicer`."""
    return Service(resource.DESCRIPTOR.services_by_name["ResourceService"], servicer)


def session_service(servicer: SessionServicer) -> Service:
    """SessionService, answered by `servicer`."""
    return Service(session.DESCRIPTOR.services_by_name["SessionService"], servicer)


def schedule_service(servicer: ScheduleServicer) -> Service:
    """ScheduleService, answered by `servicer`."""
    return Service(scheduler.DESCRIPTOR.services_by_name["ScheduleService"], servicer)
