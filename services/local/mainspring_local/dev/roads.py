"""What the services ask of each other, as calls inside one process.

Errors are raised as they are.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar, assert_never
from uuid import UUID

import msgspec

from mainspring_api.ports.log import HeadView, Listing, Page, Verification
from mainspring_api.ports.store import Store
from mainspring_api.usecases import held as held_resources
from mainspring_api.usecases.credentials import StoredCredentials, credentials_for
from mainspring_api.usecases.held_files import HeldWrite
from mainspring_api.usecases.held_files import write as write_held
from mainspring_api.usecases.keeper import Keeper
from mainspring_engine.main import Engine
from mainspring_engine.usecases.control import Control
from mainspring_engine.usecases.operating import Operator
from mainspring_engine.usecases.plain_tasks import PlainTasks
from mainspring_engine.usecases.sweeps import SweepKind
from mainspring_engine.usecases.upkeep import keep_up
from mainspring_engine.usecases.workflows import Workflows
from mainspring_eventstore.ports.log import HeadView as StoredHead
from mainspring_eventstore.usecases.eventstore import EventStore
from mainspring_eventstore.usecases.reading import Read
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import MainspringError, NotFound, rebuild
from mainspring_kernel.ids import (
    Ids,
    OrgId,
    Position,
    Prefix,
    ProviderId,
    SessionId,
    TaskId,
    from_wire,
)
from mainspring_kernel.tracing import current_trace
from mainspring_scheduler.domain.duties import AskedDuty, Duty, Report
from mainspring_schema import holdings
from mainspring_schema.appeals import AnswerAppeals, AppealsReceipt
from mainspring_schema.asking import Order, Question, answer_type
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
from mainspring_schema.frames import Held
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_schema.listing import EventFilter
from mainspring_schema.operations import (
    read_order,
    read_question,
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
    WorkflowCommand,
    WorkflowPage,
    WorkflowView,
)
from mainspring_worker.ports.credentials import ProviderAccess
from mainspring_worker.ports.eventlog import LogPage
from mainspring_worker.ports.model import Credentials

A = TypeVar("A")
Crossing = (
    Submit
    | Cancel
    | SubmitToolResults
    | AnswerAppeals
    | Close
    | EventFilter
    | WorkflowCommand
    | SubmitTasks
)


def checked(value: Crossing) -> None:
    """What could not cross to another process is refused here too. Raises ValidationFailed."""
    pack_command(value)


class DirectControl:
    """api → engine."""

    def __init__(self, control: Control, workflows: Workflows, plain: PlainTasks) -> None:
        self._control = control
        self._workflows = workflows
        self._plain = plain

    async def submit(self, command: Submit) -> Receipt:
        checked(command)
        (answer,) = await self._control.submit_many((command,))
        if isinstance(answer, MainspringError):
            raise answer
        return answer

    async def cancel(self, command: Cancel) -> CancelReceipt:
        checked(command)
        return await self._control.cancel(command)

    async def tool_results(self, command: SubmitToolResults) -> ToolResultsReceipt:
        checked(command)
        return await self._control.submit_tool_results(command)

    async def answer_appeals(self, command: AnswerAppeals) -> AppealsReceipt:
        checked(command)
        return await self._control.answer_appeals(command)

    async def close(self, command: Close) -> CloseReceipt:
        checked(command)
        return await self._control.close(command)

    async def start_workflow(self, command: StartWorkflow) -> Started:
        checked(command)
        return await self._workflows.start(command)

    async def signal_workflow(self, command: SignalWorkflow) -> Signalled:
        checked(command)
        return await self._workflows.signal(command)

    async def fork_workflow(self, command: ForkWorkflow) -> Started:
        checked(command)
        return await self._workflows.fork(command)

    async def cancel_workflow(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        checked(command)
        return await self._workflows.cancel(command)

    async def get_workflow(self, command: GetWorkflow) -> WorkflowView:
        return await self._workflows.get(command)

    async def query_workflow(self, command: QueryWorkflow) -> bytes:
        checked(command)
        return await self._workflows.query(command)

    async def submit_task(self, command: SubmitTask) -> TaskReceipt:
        (receipt,) = (await self.submit_tasks(SubmitTasks(tasks=(command,)))).receipts
        if receipt.refusal is not None:
            refusal = receipt.refusal
            raise rebuild(refusal.code, refusal.message)
        return receipt

    async def submit_tasks(self, command: SubmitTasks) -> TaskReceipts:
        checked(command)
        return await self._plain.submit(command)

    async def get_plain_task(self, command: GetPlainTask) -> PlainTaskView:
        return await self._plain.get(command)

    async def list_workflows(self, command: ListWorkflows) -> WorkflowPage:
        checked(command)
        return await self._workflows.list(command)


class DirectOperator:
    """api → engine, for operators. Both ways through bytes, so that what crosses is what could."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    async def inspect(self, question: Question[A]) -> A:
        answer = await self._operator.inspect(read_question(pack_command(question)))
        return msgspec.msgpack.decode(pack_command(answer), type=answer_type(question))

    async def operate(self, order: Order[A]) -> A:
        answer = await self._operator.operate(read_order(pack_command(order)))
        return msgspec.msgpack.decode(pack_command(answer), type=answer_type(order))


class DirectLog:
    """api → eventstore."""

    def __init__(self, eventstore: EventStore) -> None:
        self._eventstore = eventstore

    async def read(
        self,
        session_id: SessionId,
        org_id: OrgId,
        *,
        after: Position | None,
        limit: int,
        events_only: bool = False,
    ) -> Page:
        wanted = Read(
            session_id=session_id, org_id=org_id, after=after, limit=limit, events_only=events_only
        )
        page = await self._eventstore.read(wanted)
        if page is None:
            detail = "no such session"
            raise NotFound(detail)
        return Page(events=page.events, deltas=page.deltas, head=_shown(page.head), more=page.more)

    async def list(self, session_id: SessionId, org_id: OrgId, filter_: EventFilter) -> Listing:
        checked(filter_)
        listed = await self._eventstore.list_events(session_id, org_id, filter_)
        return Listing(events=listed.events, total=listed.total)

    async def heads(self, session_ids: Sequence[UUID]) -> Mapping[UUID, HeadView]:
        found = await self._eventstore.heads(session_ids)
        return {head.session_id: _shown(head) for head in found.heads if head is not None}

    async def epoch(self) -> int:
        return (await self._eventstore.heads(())).epoch

    async def verify(self, session_id: SessionId) -> Verification:
        found = await self._eventstore.verify(session_id)
        return Verification(
            events=found.events,
            intact=found.intact,
            broken_seq=found.broken_seq,
            reason=found.reason,
            head_hash=found.head_hash,
        )


def _shown(head: StoredHead) -> HeadView:
    return HeadView(
        session_id=head.session_id,
        seq=head.seq,
        n=head.n,
        status=head.status.wire,
        paused=head.paused,
        closed=head.closed,
        turn_first_seq=head.turn_first_seq,
        updated_ms=head.updated_ms,
    )


class DirectEventLog:
    """worker → eventstore."""

    def __init__(self, eventstore: EventStore) -> None:
        self._eventstore = eventstore

    async def append(self, deltas: Sequence[DeltaAppend]) -> Sequence[AppendVerdict]:
        return await self._eventstore.append_many(deltas, trace=current_trace())

    async def read(
        self, session_id: UUID, org_id: UUID, *, after: Position, events_only: bool
    ) -> LogPage:
        page = await self._eventstore.read(
            Read(session_id=session_id, org_id=org_id, after=after, events_only=events_only)
        )
        if page is None:
            return LogPage()
        return LogPage(events=page.events, deltas=page.deltas, more=page.more)


class DirectCredentials:
    """worker → api: to the holder of a task, as over the wire."""

    def __init__(self, store: Store, source: StoredCredentials) -> None:
        self._store = store
        self._source = source

    async def fetch(self, held: Held, provider_id: str) -> ProviderAccess:
        found = await credentials_for(
            self._store,
            self._source,
            TaskId(held.task_id),
            held.fence,
            ProviderId(from_wire(Prefix.PROVIDER, provider_id)),
        )
        return ProviderAccess(
            credentials=Credentials(api_key=found.api_key or None),
            base_url=found.base_url or None,
            driver=found.driver,
        )


class DirectFiles:
    """worker → api: for the holder of a task, as over the wire."""

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def write(self, held: Held, *, key: str, path: str, content: bytes) -> str:
        wanted = HeldWrite(
            task_id=TaskId(held.task_id), fence=held.fence, key=key, path=path, content=content
        )
        return await write_held(self._store, wanted, self._ids, now_ms=self._clock.wall_ms())


class DirectResources:
    """worker → api: for the holder of a task, as over the wire. Both ways through bytes."""

    def __init__(self, keeper: Keeper, clock: Clock) -> None:
        self._keeper = keeper
        self._clock = clock

    async def ask(self, held: Held, question: Question[A]) -> A:
        answer = await held_resources.ask(
            self._keeper,
            held,
            holdings.read_question(pack_command(question)),
            now_ms=self._clock.wall_ms(),
        )
        return msgspec.msgpack.decode(answer, type=answer_type(question))

    async def change(self, held: Held, order: Order[A], *, key: str) -> A:
        answer = await held_resources.change(
            self._keeper,
            held,
            holdings.read_order(pack_command(order)),
            key=key,
            now_ms=self._clock.wall_ms(),
        )
        return msgspec.msgpack.decode(answer, type=answer_type(order))


class DirectDuties:
    """scheduler → engine and eventstore."""

    def __init__(self, engine: Engine, eventstore: EventStore) -> None:
        self._sweeps = engine.sweeps
        self._engine = engine
        self._eventstore = eventstore

    async def perform(self, duty: AskedDuty) -> Report:
        match duty:
            case Duty.TIMERS:
                return await self._sweep(SweepKind.TIMERS)
            case Duty.RETRIES:
                return await self._sweep(SweepKind.RETRIES)
            case Duty.LEASES:
                return await self._sweep(SweepKind.LEASES)
            case Duty.ENGINE_UPKEEP:
                done = await keep_up(self._engine.store, self._engine.registry)
                return Report(handled=done.keys_forgotten, more=done.more)
            case Duty.LOG_UPKEEP:
                kept = await self._eventstore.upkeep()
                return Report(handled=kept.deltas_dropped, more=kept.more)
            case _:
                assert_never(duty)

    async def _sweep(self, kind: SweepKind) -> Report:
        swept = await self._sweeps.sweep(kind)
        return Report(handled=swept.handled, more=swept.more)
