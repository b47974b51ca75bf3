"""/durable/workflows: durable programs of users"""

from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.adapters.http.routes.messages import EventList
from mainspring_api.adapters.http.routing import (
    AnyCall,
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.conversation import EventsQuery, event_wish
from mainspring_api.adapters.http.wire.workflows import (
    CancelAnswer,
    CancelBody,
    ListQuery,
    QueryAnswer,
    QueryQuery,
    ResultQuery,
    SignalAnswer,
    SignalBody,
    StartBody,
    StateAnswer,
    WorkflowForkBody,
    WorkflowJson,
    WorkflowList,
    listed,
    milliseconds,
    workflow_json,
)
from mainspring_api.domain.frames import event_json
from mainspring_api.usecases import events, workflows
from mainspring_api.usecases.once import Answer, once_elsewhere, once_under_id
from mainspring_kernel import limits
from mainspring_kernel.ids import Prefix, SessionId, from_wire, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_kernel.tracing import TRACEPARENT
from mainspring_schema.events import decode_payload
from mainspring_schema.listing import EventFilter
from mainspring_schema.workflows import (
    CancelWorkflow,
    ForkWorkflow,
    GetWorkflow,
    ListWorkflows,
    QueryWorkflow,
    SignalWorkflow,
    StartWorkflow,
    WorkflowView,
)

table = RouteTable("workflows")


class Reported(Struct):
    """Of a report's event: JSON that passes as it is, whatever numbers it has."""

    result: msgspec.Raw


class _Started(Struct):
    """Of the kept answer to a start."""

    id: str


def _given(declaration: msgspec.Raw) -> bytes | None:
    raw = bytes(declaration)
    return None if raw == b"null" else raw


def workflow_id_of(call: AnyCall) -> UUID:
    return from_wire(Prefix.WORKFLOW, call.path["workflow_id"])


@table.route(
    "POST",
    "/durable/workflows",
    body=StartBody,
    query=ResultQuery,
    answer=WorkflowJson,
    status=201,
    other_statuses=(409,),
)
async def start_workflow(call: Call[StartBody, ResultQuery]) -> Reply:
    """Starts a workflow; one that its `key` started before is answered as it is now.

    With `wait_s` the answer comes once it has ended, or after that.
    """
    body, services, wait_s = call.body, call.services, call.query.wait_s
    # A request with a key is waited for behind its start: who asks again waits for the same one.
    waits_behind = call.key is not None and wait_s > 0

    async def work(id_: UUID) -> Answer:
        command = StartWorkflow(
            org_id=call.org_id,
            workflow_id=id_,
            type=body.type,
            input=bytes(body.input),
            key=body.key or call.idempotency_key,
            queue=body.queue,
            traceparent=call.request.headers.get(TRACEPARENT),
            declaration=_given(body.declaration),
            build=body.build or "",
            keys=body.keys,
            circuit=body.circuit or "",
            start_within_ms=milliseconds(body.start_within_seconds),
            close_within_ms=milliseconds(body.close_within_seconds),
        )
        view = await workflows.started(
            services.control,
            services.endings,
            services.clock,
            command,
            wait_s=0.0 if waits_behind else wait_s,
        )
        return json_answer(workflow_json(view), status=201)

    new_id = services.ids.uuid7()
    answer = await once_under_id(services.store, call.org_id, call.key, new_id, work)
    return await _as_it_ends(call, answer, wait_s) if waits_behind else reply_of(answer)


async def _as_it_ends(call: AnyCall, started: Answer, wait_s: float) -> Reply:
    services, id_ = call.services, msgspec.json.decode(started.body, type=_Started).id
    wanted = GetWorkflow(org_id=call.org_id, workflow_id=from_wire(Prefix.WORKFLOW, id_))
    view = await workflows.ended(
        services.control, services.endings, services.clock, wanted, wait_s=wait_s
    )
    return json_reply(workflow_json(view), status=started.status)


async def _known(call: AnyCall, id_: UUID) -> WorkflowView:
    wanted = GetWorkflow(org_id=call.org_id, workflow_id=id_)
    return await call.services.control.get_workflow(wanted)


@table.route("GET", "/durable/workflows", query=ListQuery, answer=WorkflowList)
async def list_workflows(call: Call[NoBody, ListQuery]) -> Reply:
    """Workflows by type, key and status, newest first."""
    query = call.query
    page = await call.services.control.list_workflows(
        ListWorkflows(
            org_id=call.org_id,
            type=query.type or query.workflow_type,
            key=query.key,
            status=query.status,
            before=None if query.before is None else from_wire(Prefix.WORKFLOW, query.before),
            limit=min(query.limit, limits.LIST_ROWS_MAX),
        )
    )
    shown = tuple(listed(view) for view in page.workflows)
    # An older engine does not say where to go on: behind the last one that is shown.
    last = page.workflows[-1].workflow_id if page.more and page.workflows else None
    after = page.next or last
    next_ = None if after is None else to_wire(Prefix.WORKFLOW, after)
    return json_reply(WorkflowList(data=shown, has_more=page.more, next=next_))


@table.route("GET", "/durable/workflows/{workflow_id:str}", answer=WorkflowJson)
async def get_workflow(call: Call[NoBody, NoQuery]) -> Reply:
    """A workflow as it is: its status, its result, what it waits for, why it does not move."""
    wanted = GetWorkflow(org_id=call.org_id, workflow_id=workflow_id_of(call))
    return json_reply(workflow_json(await call.services.control.get_workflow(wanted)))


@table.route(
    "GET",
    "/durable/workflows/{workflow_id:str}/result",
    query=ResultQuery,
    answer=WorkflowJson,
)
async def get_workflow_result(call: Call[NoBody, ResultQuery]) -> Reply:
    """The workflow once it has ended; after `wait_s` as it is."""
    services = call.services
    view = await workflows.ended(
        services.control,
        services.endings,
        services.clock,
        GetWorkflow(org_id=call.org_id, workflow_id=workflow_id_of(call)),
        wait_s=call.query.wait_s,
    )
    return json_reply(workflow_json(view))


@table.route(
    "GET", "/durable/workflows/{workflow_id:str}/events", query=EventsQuery, answer=EventList
)
async def list_workflow_events(call: Call[NoBody, EventsQuery]) -> Reply:
    """Its history by filter, oldest first; `X-Total-Count` counts all that match."""
    id_, services = workflow_id_of(call), call.services
    await services.control.get_workflow(GetWorkflow(org_id=call.org_id, workflow_id=id_))
    # A workflow is its own session.
    session_id = SessionId(id_)
    wish = event_wish(call.query, session_id)
    listing = await events.list_known(services.log, call.org_id, session_id, wish)
    epoch = await services.log.epoch()
    shown = b",".join(event_json(one, session_id=session_id, epoch=epoch) for one in listing.events)
    return Reply(body=b'{"data":[%s]}' % shown, headers={"X-Total-Count": str(listing.total)})


@table.route("GET", "/durable/workflows/{workflow_id:str}/state", answer=StateAnswer)
async def get_workflow_state(call: Call[NoBody, NoQuery]) -> Reply:
    """What the workflow reported last, from what is recorded: no worker is asked."""
    id_, services = workflow_id_of(call), call.services
    await services.control.get_workflow(GetWorkflow(org_id=call.org_id, workflow_id=id_))
    newest = EventFilter(types=("workflow.reported",), limit=1, descending=True)
    listing = await services.log.list(SessionId(id_), call.org_id, newest)
    if not listing.events:
        return json_reply(StateAnswer(state=None, reported_at=None))
    event = listing.events[0]
    told = msgspec.json.decode(decode_payload(event.payload).data, type=Reported)
    return json_reply(StateAnswer(state=told.result, reported_at=rfc3339(event.ts_ms)))


@table.route(
    "GET",
    "/durable/workflows/{workflow_id:str}/queries/{name:str}",
    query=QueryQuery,
    answer=QueryAnswer,
    other_statuses=(409, 422, 504),
)
async def query_workflow(call: Call[NoBody, QueryQuery]) -> Reply:
    """What the workflow's own code answers, by a worker that replays it. Moves nothing."""
    command = QueryWorkflow(
        org_id=call.org_id,
        workflow_id=workflow_id_of(call),
        name=call.path["name"],
        arguments=call.query.args.encode(),
    )
    result = await call.services.control.query_workflow(command)
    return json_reply(QueryAnswer(result=msgspec.Raw(result)))


@table.route(
    "POST",
    "/durable/workflows/{workflow_id:str}/signal",
    body=SignalBody,
    answer=SignalAnswer,
    other_statuses=(409,),
)
async def signal_workflow(call: Call[SignalBody, NoQuery]) -> Reply:
    """Brings a signal; one that nothing waits for yet is kept."""
    body, services, workflow_id = call.body, call.services, workflow_id_of(call)

    async def work(id_: UUID) -> Answer:
        command = SignalWorkflow(
            org_id=call.org_id,
            workflow_id=workflow_id,
            signal_id=id_,
            name=body.name,
            payload=bytes(body.payload),
        )
        signalled = await services.control.signal_workflow(command)
        view = SignalAnswer(id=to_wire(Prefix.SIGNAL, id_), duplicate=signalled.duplicate)
        return json_answer(view, status=200)

    signal_id = services.ids.uuid7() if body.id is None else from_wire(Prefix.SIGNAL, body.id)
    return reply_of(await once_under_id(services.store, call.org_id, call.key, signal_id, work))


@table.route(
    "POST",
    "/durable/workflows/{workflow_id:str}/fork",
    body=WorkflowForkBody,
    answer=WorkflowJson,
    status=201,
    other_statuses=(409,),
)
async def fork_workflow(call: Call[WorkflowForkBody, NoQuery]) -> Reply:
    """Starts a workflow with what this one recorded before a step; this one stays as it is."""
    body, services, source_id = call.body, call.services, workflow_id_of(call)

    async def work(id_: UUID) -> Answer:
        command = ForkWorkflow(
            org_id=call.org_id,
            workflow_id=id_,
            source_id=source_id,
            step=body.step,
            key=body.key or call.idempotency_key,
            queue=body.queue,
            traceparent=call.request.headers.get(TRACEPARENT),
            build=body.build or "",
            declaration=_given(body.declaration),
        )
        started = await services.control.fork_workflow(command)
        view = await _known(call, started.workflow_id)
        return json_answer(workflow_json(view), status=201)

    new_id = services.ids.uuid7()
    return reply_of(await once_under_id(services.store, call.org_id, call.key, new_id, work))


@table.route(
    "POST",
    "/durable/workflows/{workflow_id:str}/cancel",
    body=CancelBody,
    answer=CancelAnswer,
)
async def cancel_workflow(call: Call[CancelBody, NoQuery]) -> Reply:
    """Cancels a workflow and what it started; an ended one is `no_op`.

    Code that compensates ends by itself. With `force` it ends where it stands.
    """
    command = CancelWorkflow(
        org_id=call.org_id,
        workflow_id=workflow_id_of(call),
        reason=call.body.reason,
        force=call.body.force,
    )
    services = call.services

    async def work() -> Answer:
        receipt = await services.control.cancel_workflow(command)
        return json_answer(CancelAnswer(status=receipt.status), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))
