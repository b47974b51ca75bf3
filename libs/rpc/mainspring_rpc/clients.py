"""The services as their clients see them: one typed attribute per method."""

from typing import Final

from mainspring_rpc.channel import Channel
from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as eventstore
from mainspring_rpc.generated.resource.v1 import resource_pb2 as resource
from mainspring_rpc.generated.scheduler.v1 import scheduler_pb2 as scheduler
from mainspring_rpc.generated.session.v1 import session_pb2 as session
from mainspring_rpc.generated.worker.v1 import worker_pb2 as worker

_CONTROL: Final = "/mainspring.control.v1.ControlService"
_WORKER: Final = "/mainspring.worker.v1.WorkerService"
_EVENT_STORE: Final = "/mainspring.eventstore.v1.EventStoreService"
_RESOURCE: Final = "/mainspring.resource.v1.ResourceService"
_SCHEDULE: Final = "/mainspring.scheduler.v1.ScheduleService"
_SESSION: Final = "/mainspring.session.v1.SessionService"


class PlainCalls:
    """The part of ControlService that is about plain tasks."""

    def __init__(self, channel: Channel) -> None:
        self.submit_tasks = channel.unary(
            f"{_CONTROL}/SubmitTasks",
            control.SubmitTasksRequest,
            control.SubmitTasksResponse,
        )
        self.get_plain_task = channel.unary(
            f"{_CONTROL}/GetPlainTask",
            control.GetPlainTaskRequest,
            control.GetPlainTaskResponse,
        )


class WorkflowCalls(PlainCalls):
    """What concerns users' workflows."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.start_workflow = channel.unary(
            f"{_CONTROL}/StartWorkflow",
            control.StartWorkflowRequest,
            control.StartWorkflowResponse,
        )
        self.start_workflows = channel.unary(
            f"{_CONTROL}/StartWorkflows",
            control.StartWorkflowsRequest,
            control.StartWorkflowsResponse,
        )
        self.signal_workflow = channel.unary(
            f"{_CONTROL}/SignalWorkflow",
            control.SignalWorkflowRequest,
            control.SignalWorkflowResponse,
        )
        self.fork_workflow = channel.unary(
            f"{_CONTROL}/ForkWorkflow", control.ForkWorkflowRequest, control.ForkWorkflowResponse
        )
        self.cancel_workflow = channel.unary(
            f"{_CONTROL}/CancelWorkflow",
            control.CancelWorkflowRequest,
            control.CancelWorkflowResponse,
        )
        self.get_workflow = channel.unary(
            f"{_CONTROL}/GetWorkflow", control.GetWorkflowRequest, control.GetWorkflowResponse
        )
        self.list_workflows = channel.unary(
            f"{_CONTROL}/ListWorkflows",
            control.ListWorkflowsRequest,
            control.ListWorkflowsResponse,
        )
        self.query_workflow = channel.unary(
            f"{_CONTROL}/QueryWorkflow",
            control.QueryWorkflowRequest,
            control.QueryWorkflowResponse,
        )


class GateCalls(WorkflowCalls):
    """The part of ControlService that is about circuits, limits and weights."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.list_circuits = channel.unary(
            f"{_CONTROL}/ListCircuits", control.ListCircuitsRequest, control.ListCircuitsResponse
        )
        self.set_circuit = channel.unary(
            f"{_CONTROL}/SetCircuit", control.SetCircuitRequest, control.SetCircuitResponse
        )
        self.list_limits = channel.unary(
            f"{_CONTROL}/ListLimits", control.ListLimitsRequest, control.ListLimitsResponse
        )
        self.set_limit = channel.unary(
            f"{_CONTROL}/SetLimit", control.SetLimitRequest, control.SetLimitResponse
        )
        self.drop_limit = channel.unary(
            f"{_CONTROL}/DropLimit", control.DropLimitRequest, control.DropLimitResponse
        )
        self.list_weights = channel.unary(
            f"{_CONTROL}/ListWeights", control.ListWeightsRequest, control.ListWeightsResponse
        )
        self.set_weight = channel.unary(
            f"{_CONTROL}/SetWeight", control.SetWeightRequest, control.SetWeightResponse
        )


class ControlClient(GateCalls):
    """What api and scheduler ask of the engine."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.submit_many = channel.unary(
            f"{_CONTROL}/SubmitMany", control.SubmitManyRequest, control.SubmitManyResponse
        )
        self.cancel = channel.unary(
            f"{_CONTROL}/Cancel", control.CancelRequest, control.CancelResponse
        )
        self.submit_tool_results = channel.unary(
            f"{_CONTROL}/SubmitToolResults",
            control.SubmitToolResultsRequest,
            control.SubmitToolResultsResponse,
        )
        self.answer_appeals = channel.unary(
            f"{_CONTROL}/AnswerAppeals",
            control.AnswerAppealsRequest,
            control.AnswerAppealsResponse,
        )
        self.close_session = channel.unary(
            f"{_CONTROL}/CloseSession", control.CloseSessionRequest, control.CloseSessionResponse
        )
        self.sweep = channel.unary(f"{_CONTROL}/Sweep", control.SweepRequest, control.SweepResponse)
        self.upkeep = channel.unary(
            f"{_CONTROL}/Upkeep", control.UpkeepRequest, control.UpkeepResponse
        )
        self.inspect = channel.unary(
            f"{_CONTROL}/Inspect", control.InspectRequest, control.InspectResponse
        )
        self.operate = channel.unary(
            f"{_CONTROL}/Operate", control.OperateRequest, control.OperateResponse
        )


class WorkerClient:
    """The worker's one stream to an engine."""

    def __init__(self, channel: Channel) -> None:
        self.work = channel.streaming(f"{_WORKER}/Work", worker.WorkRequest, worker.WorkResponse)


class EventStoreClient:
    """The session log."""

    def __init__(self, channel: Channel) -> None:
        self.append_many = channel.unary(
            f"{_EVENT_STORE}/AppendMany",
            eventstore.AppendManyRequest,
            eventstore.AppendManyResponse,
        )
        self.read = channel.unary(
            f"{_EVENT_STORE}/Read", eventstore.ReadRequest, eventstore.ReadResponse
        )
        self.list = channel.unary(
            f"{_EVENT_STORE}/List", eventstore.ListRequest, eventstore.ListResponse
        )
        self.heads = channel.unary(
            f"{_EVENT_STORE}/Heads", eventstore.HeadsRequest, eventstore.HeadsResponse
        )
        self.verify = channel.unary(
            f"{_EVENT_STORE}/Verify", eventstore.VerifyRequest, eventstore.VerifyResponse
        )
        self.upkeep = channel.unary(
            f"{_EVENT_STORE}/Upkeep", eventstore.UpkeepRequest, eventstore.UpkeepResponse
        )


class ResourceClient:
    """What a worker may ask of api while it holds a task."""

    def __init__(self, channel: Channel) -> None:
        self.get_credentials = channel.unary(
            f"{_RESOURCE}/GetCredentials",
            resource.GetCredentialsRequest,
            resource.GetCredentialsResponse,
        )
        self.write_file = channel.unary(
            f"{_RESOURCE}/WriteFile", resource.WriteFileRequest, resource.WriteFileResponse
        )
        self.ask = channel.unary(f"{_RESOURCE}/Ask", resource.AskRequest, resource.AskResponse)
        self.change = channel.unary(
            f"{_RESOURCE}/Change", resource.ChangeRequest, resource.ChangeResponse
        )


class SessionClient:
    """What other services ask of api about sessions."""

    def __init__(self, channel: Channel) -> None:
        self.post = channel.unary(f"{_SESSION}/Post", session.PostRequest, session.PostResponse)
        self.turns = channel.unary(f"{_SESSION}/Turns", session.TurnsRequest, session.TurnsResponse)
        self.cancel_turn = channel.unary(
            f"{_SESSION}/CancelTurn", session.CancelTurnRequest, session.CancelTurnResponse
        )


class _ScheduleCounts:
    """What is counted and not listed."""

    def __init__(self, channel: Channel) -> None:
        self.count_slots = channel.unary(
            f"{_SCHEDULE}/CountSlots", scheduler.CountSlotsRequest, scheduler.CountSlotsResponse
        )
        self.count_of_sessions = channel.unary(
            f"{_SCHEDULE}/CountOfSessions",
            scheduler.CountOfSessionsRequest,
            scheduler.CountOfSessionsResponse,
        )


class ScheduleClient(_ScheduleCounts):
    """What api asks of the scheduler."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.create_schedule = channel.unary(
            f"{_SCHEDULE}/CreateSchedule",
            scheduler.CreateScheduleRequest,
            scheduler.CreateScheduleResponse,
        )
        self.get_schedule = channel.unary(
            f"{_SCHEDULE}/GetSchedule", scheduler.GetScheduleRequest, scheduler.GetScheduleResponse
        )
        self.list_schedules = channel.unary(
            f"{_SCHEDULE}/ListSchedules",
            scheduler.ListSchedulesRequest,
            scheduler.ListSchedulesResponse,
        )
        self.change_schedule = channel.unary(
            f"{_SCHEDULE}/ChangeSchedule",
            scheduler.ChangeScheduleRequest,
            scheduler.ChangeScheduleResponse,
        )
        self.delete_schedule = channel.unary(
            f"{_SCHEDULE}/DeleteSchedule",
            scheduler.DeleteScheduleRequest,
            scheduler.DeleteScheduleResponse,
        )
        self.trigger_schedule = channel.unary(
            f"{_SCHEDULE}/TriggerSchedule",
            scheduler.TriggerScheduleRequest,
            scheduler.TriggerScheduleResponse,
        )
        self.list_slots = channel.unary(
            f"{_SCHEDULE}/ListSlots", scheduler.ListSlotsRequest, scheduler.ListSlotsResponse
        )
        self.get_slot = channel.unary(
            f"{_SCHEDULE}/GetSlot", scheduler.GetSlotRequest, scheduler.GetSlotResponse
        )
