"""Engine, log and bus in one small fake: what api needs of them, and ways to lose messages."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

import msgspec

from mainspring_api.ports.feed import Deliver
from mainspring_api.ports.log import HeadView, Listing, Page, Verification
from mainspring_kernel.errors import (
    IdempotencyMismatch,
    NotFound,
    NotWaitingForToolResults,
    Unavailable,
    WorkflowEnded,
    WorkflowKeyMismatch,
)
from mainspring_kernel.ids import OrgId, Position, SessionId
from mainspring_schema.codec import pack
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
from mainspring_schema.events import Context, InputMessage, StoredDelta, StoredEvent, draft
from mainspring_schema.grants import ForkHead, OpenHead
from mainspring_schema.listing import EventFilter
from mainspring_schema.stream import LogBatch
from mainspring_schema.workflows import (
    CancelWorkflow,
    Fork,
    ForkWorkflow,
    GetWorkflow,
    ListWorkflows,
    Signalled,
    SignalWorkflow,
    Started,
    StartWorkflow,
    WorkflowCancelReceipt,
    WorkflowPage,
    WorkflowView,
    start_hash_of,
)
from tests.api.appeals_backend import AppealsBackend
from tests.api.sessions_backend import FakeSession, forked

TS = 1_763_800_000_000
TURN = UUID(int=7)


class Backend(AppealsBackend):
    """Implements Log, Control, Feed and both grants."""

    def __init__(self) -> None:
        self.sessions: dict[UUID, FakeSession] = {}
        self.away = False
        self.bus = True
        self.store_epoch = 1
        self.reads = 0
        self.listed: list[EventFilter] = []
        self.submits: list[Submit] = []
        self.cancels: list[Cancel] = []
        self.waiting_calls: dict[UUID, str] = {}
        self.held: dict[tuple[UUID, int], tuple[UUID, UUID]] = {}
        super().__init__()
        self.workflows: dict[UUID, tuple[UUID, WorkflowView]] = {}
        self.starts: list[StartWorkflow] = []
        self.workflow_keys: dict[tuple[UUID, str], tuple[UUID, bytes]] = {}
        self.signals: dict[UUID, SignalWorkflow] = {}
        self.subscribed = asyncio.Event()
        self._listeners: dict[UUID, list[Deliver]] = {}

    # ── writing ─────────────────────────────────────────────────────────────────────────────

    def append(self, session_id: UUID, type_: str, data: object, *, publish: bool = True) -> int:
        session = self.sessions[session_id]
        event = StoredEvent(
            seq=session.seq + 1,
            type=type_,
            ts_ms=TS,
            payload=draft(type_, Context(), data).payload,
            deltas_before=session.n,
        )
        session.events.append(event)
        self._publish(session_id, LogBatch(self.store_epoch, (event,)), publish)
        return event.seq

    def stream(
        self,
        session_id: UUID,
        anchor: str,
        fragment: str,
        *,
        offset: int,
        publish: bool = True,
        turn: UUID = TURN,
        attempt: int = 1,
        channel: str = "text",
        reset: bool = False,
    ) -> None:
        session = self.sessions[session_id]
        delta = StoredDelta(
            session.seq, session.n + 1, TS, turn, anchor, attempt, channel, offset, fragment, reset
        )
        session.deltas.append(delta)
        self._publish(session_id, LogBatch(self.store_epoch, (), (delta,)), publish)

    def close_log(self, session_id: UUID, *, publish: bool = True) -> None:
        self.sessions[session_id].closed = True
        self.sessions[session_id].status = "idle"
        self._publish(session_id, LogBatch(self.store_epoch, (), (), closed=True), publish)

    def _publish(self, session_id: UUID, batch: LogBatch, publish: bool) -> None:
        if publish and self.bus:
            for deliver in self._listeners.get(session_id, ()):
                deliver(batch)

    def open(self, heads: Sequence[OpenHead]) -> None:
        for head in heads:
            session = FakeSession(head.org_id)
            session.events.append(StoredEvent(1, head.type, head.ts_ms, head.payload))
            self.sessions[head.session_id] = session

    def fork(self, fork: ForkHead) -> None:
        self.sessions[fork.session_id] = forked(self.sessions[fork.source_id], fork)

    def hold(self, task_id: UUID, fence: int) -> tuple[UUID, UUID] | None:
        return self.held.get((task_id, fence))

    # ── Feed ────────────────────────────────────────────────────────────────────────────────

    async def subscribe(
        self, org_id: OrgId, session_id: SessionId, deliver: Deliver
    ) -> "FakeSubscription":
        self._listeners.setdefault(session_id, []).append(deliver)
        self.subscribed.set()
        return FakeSubscription(self._listeners[session_id], deliver)

    # ── Log ─────────────────────────────────────────────────────────────────────────────────

    def _session(self, session_id: UUID, org_id: UUID) -> FakeSession:
        self._check_away()
        session = self.sessions.get(session_id)
        if session is None or session.org_id != org_id:
            raise NotFound
        return session

    def _check_away(self) -> None:
        if self.away:
            msg = "the backend is away"
            raise Unavailable(msg, retry_after_s=2.0)

    def head(self, session_id: UUID) -> HeadView:
        session = self.sessions[session_id]
        return HeadView(
            session_id=session_id,
            seq=session.seq,
            n=session.n,
            status=session.status,
            closed=session.closed,
            turn_first_seq=session.turn_first,
            updated_ms=TS,
        )

    async def read(
        self,
        session_id: SessionId,
        org_id: OrgId,
        *,
        after: Position | None,
        limit: int,
        events_only: bool = False,
    ) -> Page:
        self.reads += 1
        session = self._session(session_id, org_id)
        at = after or Position(max(0, session.turn_first - 1), 1 << 27)
        items: list[StoredEvent | StoredDelta] = [*session.events]
        items += [] if events_only else session.deltas
        found = sorted(
            (item for item in items if where(item) > at),
            key=where,
        )
        kept = found[:limit]
        return Page(
            events=tuple(item for item in kept if isinstance(item, StoredEvent)),
            deltas=tuple(item for item in kept if isinstance(item, StoredDelta)),
            head=self.head(session_id),
            more=len(found) > limit,
        )

    async def list(self, session_id: SessionId, org_id: OrgId, filter_: EventFilter) -> Listing:
        self._check_away()
        self.listed.append(filter_)
        session = self.sessions.get(session_id)
        # As the event store answers: nothing, and no error, for what it does not know.
        events = session.events if session is not None and session.org_id == org_id else []
        found = [
            event
            for event in events
            if (not filter_.types or event.type in filter_.types)
            and event.type not in filter_.exclude
        ]
        page = [
            event
            for event in found
            if event.seq > (filter_.after_seq or 0)
            and (filter_.before_seq is None or event.seq < filter_.before_seq)
        ]
        newest = filter_.after_seq is None
        page = page[-filter_.limit :] if newest else page[: filter_.limit]
        return Listing(
            events=tuple(reversed(page) if filter_.descending else page), total=len(found)
        )

    async def heads(self, session_ids: Sequence[UUID]) -> Mapping[UUID, HeadView]:
        self._check_away()
        return {id_: self.head(id_) for id_ in session_ids if id_ in self.sessions}

    async def epoch(self) -> int:
        return self.store_epoch

    async def verify(self, session_id: SessionId) -> Verification:
        return Verification(events=self.sessions[session_id].seq, intact=True)

    # ── Control ─────────────────────────────────────────────────────────────────────────────

    async def submit(self, command: Submit) -> Receipt:
        session = self._session(command.session_id, command.org_id)
        if session.closed:
            raise NotFound
        self.submits.append(command)
        if command.message_id in session.seqs:
            return self._receipt(session, command, duplicate=True)
        key = command.idempotency_key
        first = session.submitted.get(key) if key is not None else None
        if first is not None:
            if first.body_hash != command.body_hash:
                raise IdempotencyMismatch
            return self._receipt(session, first, duplicate=True)
        session.turn_first = session.seq + 1
        session.seqs[command.message_id] = session.seq + 1
        if key is not None:
            session.submitted[key] = command
        self.append(command.session_id, "input.message", InputMessage(message=command.message))
        return self._receipt(session, command)

    def _receipt(
        self, session: FakeSession, command: Submit, *, duplicate: bool = False
    ) -> Receipt:
        return Receipt(
            message_id=command.message_id,
            turn_id=uuid4(),
            seq=session.seqs[command.message_id],
            steered=False,
            created_ms=TS,
            duplicate=duplicate,
        )

    async def cancel(self, command: Cancel) -> CancelReceipt:
        session = self._session(command.session_id, command.org_id)
        self.cancels.append(command)
        if session.status != "active":
            return CancelReceipt(status="no_op")
        session.status = "idle"
        return CancelReceipt(status="cancelled")

    async def tool_results(self, command: SubmitToolResults) -> ToolResultsReceipt:
        self._session(command.session_id, command.org_id)
        if self.waiting_calls.pop(command.session_id, None) is None:
            msg = "nothing was asked"
            raise NotWaitingForToolResults(msg)
        return ToolResultsReceipt(accepted=len(command.results), status="active")

    async def close(self, command: Close) -> CloseReceipt:
        session = self._session(command.session_id, command.org_id)
        self.close_log(command.session_id)
        return CloseReceipt(closed=session.closed)

    # ── workflows ───────────────────────────────────────────────────────────────────────────

    async def start_workflow(self, command: StartWorkflow) -> Started:
        self._check_away()
        self.starts.append(command)
        key = command.key or command.workflow_id.hex
        known = self.workflow_keys.get((command.org_id, key))
        hash_ = start_hash_of(command.type, command.queue, command.input, command.fork)
        if known is not None:
            if known[1] != hash_:
                raise WorkflowKeyMismatch
            return Started(workflow_id=known[0], duplicate=True)
        self.workflow_keys[command.org_id, key] = (command.workflow_id, hash_)
        self.workflows[command.workflow_id] = (
            command.org_id,
            WorkflowView(
                workflow_id=command.workflow_id,
                type=command.type,
                key=key,
                queue=command.queue,
                status="running",
                started_ms=TS,
                forked_from=None if command.fork is None else command.fork.source_id,
            ),
        )
        self.sessions[command.workflow_id] = FakeSession(command.org_id)
        self.append(command.workflow_id, "workflow.started", {"type": command.type})
        return Started(workflow_id=command.workflow_id)

    async def fork_workflow(self, command: ForkWorkflow) -> Started:
        source = await self.get_workflow(
            GetWorkflow(org_id=command.org_id, workflow_id=command.source_id)
        )
        return await self.start_workflow(
            StartWorkflow(
                org_id=command.org_id,
                workflow_id=command.workflow_id,
                type=source.type,
                input=b"[]",
                key=command.key,
                queue=command.queue or source.queue,
                fork=Fork(source_id=command.source_id, before=command.step),
                build=command.build,
                declaration=command.declaration,
            )
        )

    def end_workflow(self, workflow_id: UUID, result: bytes, *, publish: bool = True) -> None:
        org_id, view = self.workflows[workflow_id]
        ended = msgspec.structs.replace(view, status="completed", result=result)
        self.workflows[workflow_id] = (org_id, ended)
        self.append(workflow_id, "workflow.completed", {}, publish=publish)
        if publish:
            self.endings.tell_workflow(workflow_id, self.sessions[workflow_id].events[-1])

    async def get_workflow(self, command: GetWorkflow) -> WorkflowView:
        self._check_away()
        org_id, view = self.workflows.get(command.workflow_id, (None, None))
        if view is None or org_id != command.org_id:
            raise NotFound
        return view

    async def list_workflows(self, command: ListWorkflows) -> WorkflowPage:
        self._check_away()
        pack(command)  # as on its way to an engine
        newest = reversed(self.workflows.values())
        mine = [
            view
            for org_id, view in newest
            if org_id == command.org_id
            and command.type in (None, view.type)
            and command.key in (None, view.key)
            and (command.before is None or view.workflow_id.int < command.before.int)
        ]
        shown, more = tuple(mine[: command.limit]), len(mine) > command.limit
        return WorkflowPage(
            workflows=shown, more=more, next=shown[-1].workflow_id if more else None
        )

    async def signal_workflow(self, command: SignalWorkflow) -> Signalled:
        view = await self.get_workflow(
            GetWorkflow(org_id=command.org_id, workflow_id=command.workflow_id)
        )
        repeated = command.signal_id in self.signals
        if view.status != "running" and not repeated:
            raise WorkflowEnded
        self.signals[command.signal_id] = command
        return Signalled(duplicate=repeated)

    async def cancel_workflow(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        view = await self.get_workflow(
            GetWorkflow(org_id=command.org_id, workflow_id=command.workflow_id)
        )
        if view.status != "running":
            return WorkflowCancelReceipt(status="no_op")
        cancelled = msgspec.structs.replace(view, status="cancelled")
        self.workflows[command.workflow_id] = (command.org_id, cancelled)
        return WorkflowCancelReceipt(status="cancelled")


class FakeSubscription:
    def __init__(self, listeners: list[Deliver], deliver: Deliver) -> None:
        self._listeners = listeners
        self._deliver = deliver

    async def close(self) -> None:
        if self._deliver in self._listeners:
            self._listeners.remove(self._deliver)


def where(item: StoredEvent | StoredDelta) -> Position:
    return Position(item.seq, item.n if isinstance(item, StoredDelta) else 0)
