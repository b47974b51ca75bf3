"""/channels/{id}: what is behind the door of an agent, for those who call it"""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from mainspring_api.adapters.http.admission import admit_to, admitted
from mainspring_api.adapters.http.routes import appeals, messages, sessions
from mainspring_api.adapters.http.routes.messages import EventList
from mainspring_api.adapters.http.routing import (
    PREFIX,
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
)
from mainspring_api.adapters.http.wire.appeals import (
    AnswersBody,
    AnswersView,
    DecisionsBody,
    DecisionsView,
    PendingApproval,
    PendingQuestion,
    pending_view,
)
from mainspring_api.adapters.http.wire.conversation import (
    CancelView,
    ControlsBody,
    EventsQuery,
    MessageBody,
)
from mainspring_api.adapters.http.wire.resources import SessionOut, session_out
from mainspring_api.adapters.http.wire.tiers import Label, extended
from mainspring_api.domain.limits import CALLER_PAGE_ROWS_MAX
from mainspring_api.ports.store import RequestKey, Transaction
from mainspring_api.usecases import appeals as appeal_cases
from mainspring_api.usecases import channels
from mainspring_api.usecases import sessions as session_cases
from mainspring_api.usecases.channels import Caller
from mainspring_api.usecases.once import Answer, once
from mainspring_api.usecases.sessions import SessionView, with_head
from mainspring_kernel.errors import InvalidParameter, PermissionDenied
from mainspring_kernel.ids import Prefix, SessionId, from_wire
from mainspring_schema.messages import Message

table = RouteTable("channels")
_CHANNEL = "/channels/{channel_id:str}"
_SESSIONS = f"{_CHANNEL}/sessions"
_SESSION = f"{_SESSIONS}/{{session_id:str}}"
_OWNERS_CONTROLS = ("model_id", "reasoning", "speed", "hints", "error_disclosure")
_PAGE_TOKEN = "^[0-9]{1,13}-[0-9a-f]{32}$"  # noqa: S105 - of a page, no secret


class InputKinds(Struct, frozen=True, kw_only=True):
    text: bool = True
    images: bool = True
    files: bool = False


class Credential(Struct, frozen=True, kw_only=True):
    type: str = "agent_key"


class Links(Struct, frozen=True, kw_only=True):
    sessions: str


class CardView(Struct, frozen=True, kw_only=True):
    name: str
    description: str | None
    streaming: bool
    input: InputKinds
    auth: tuple[Credential, ...]
    links: Links


class CallerSessionBody(Struct, frozen=True, kw_only=True):
    title: Label | None = None


class CallerSession(SessionOut, frozen=True, kw_only=True):
    """What waits for people is told where one session is asked for, not in a list."""

    pending_questions: tuple[PendingQuestion, ...] = ()
    pending_approvals: tuple[PendingApproval, ...] = ()


class _Made(Struct, frozen=True, kw_only=True):
    id: str


class CallerSessions(Struct, frozen=True, kw_only=True):
    data: tuple[CallerSession, ...]
    next_page_token: str | None


class PageQuery(Struct, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=CALLER_PAGE_ROWS_MAX)] = 50
    page_token: Annotated[str, Meta(pattern=_PAGE_TOKEN)] | None = None


def caller_session(view: SessionView) -> CallerSession:
    return extended(CallerSession, session_out(view))


@table.route("GET", _CHANNEL, answer=CardView, other_statuses=(401,))
async def channel_card(call: Call[NoBody, NoQuery]) -> Reply:
    """What the agent is and takes."""
    async with call.services.store.transaction(call.org_id) as tx:
        caller = await admitted(call.services, tx, call.request, call.path["channel_id"])
    agent = caller.agent
    card = CardView(
        name=agent.display_name or agent.name,
        description=agent.description,
        streaming=True,
        input=InputKinds(),
        auth=(Credential(), Credential(type="runtime_token")),
        links=Links(sessions=f"{PREFIX}/channels/{call.path['channel_id']}/sessions"),
    )
    return json_reply(card)


@table.route(
    "POST",
    _SESSIONS,
    body=CallerSessionBody,
    answer=CallerSession,
    status=201,
    other_statuses=(401,),
)
async def begin_caller_session(call: Call[CallerSessionBody, NoQuery]) -> Reply:
    """Begins a session of the caller's."""
    # First, so that nobody is answered who may not call.
    async with call.services.store.transaction(call.org_id) as tx:
        caller = await admitted(call.services, tx, call.request, call.path["channel_id"])

    async def work(tx: Transaction) -> Answer:
        view = await channels.begin(
            tx, caller, call.body.title, ids=call.services.ids, now_ms=call.now_ms
        )
        shown = await call.services.outlines.begun(tx, view)
        return json_answer(caller_session(shown), status=201)

    answer = await once(call.services.store, call.org_id, _key_of(caller, call.key), work)
    made = msgspec.json.decode(answer.body, type=_Made)
    where = f"{PREFIX}/channels/{call.path['channel_id']}/sessions/{made.id}"
    return Reply(status=answer.status, body=answer.body, headers={"Location": where})


def _key_of(caller: Caller, key: RequestKey | None) -> RequestKey | None:
    """The caller's own: users of one application may well think of the same key."""
    if key is None:
        return None
    return msgspec.structs.replace(key, route=f"{key.route}:{caller.id.hex}")


@table.route("GET", _SESSIONS, query=PageQuery, answer=CallerSessions, other_statuses=(401,))
async def list_caller_sessions(call: Call[NoBody, PageQuery]) -> Reply:
    """The caller's sessions, newest first."""
    limit, token = call.query.limit, call.query.page_token
    async with call.services.store.transaction(call.org_id) as tx:
        caller = await admitted(call.services, tx, call.request, call.path["channel_id"])
        found = await channels.sessions_of(tx, caller, _place(token), limit=limit + 1)
        marks = found[:limit]
        rows = [await tx.session(SessionId(mark.id)) for mark in marks]
    known = [row for row in rows if row is not None]
    heads = await call.services.log.heads([row.id for row in known])
    views = [view for row in known if (view := with_head(row, heads)) is not None]
    shown = await call.services.outlines.shown(call.org_id, views)
    more = f"{marks[-1].created_ms}-{marks[-1].id.hex}" if len(found) > limit else None
    data = tuple(caller_session(view) for view in shown)
    return json_reply(CallerSessions(data=data, next_page_token=more))


def _place(token: str | None) -> tuple[int, UUID] | None:
    """Of the last session that a page showed: new ones do not move it."""
    if token is None:
        return None
    created_ms, _, id_ = token.partition("-")
    return int(created_ms), UUID(id_)


@table.route("GET", _SESSION, answer=CallerSession, other_statuses=(401,))
async def get_caller_session(call: Call[NoBody, NoQuery]) -> Reply:
    """One of the caller's sessions."""
    services = call.services
    await admit_to(services, call.org_id, call.request)
    id_ = SessionId(from_wire(Prefix.SESSION, call.path["session_id"]))
    view = await session_cases.get(services.store, services.log, call.org_id, id_)
    asked = await appeal_cases.pending(services.store, services.log, call.org_id, id_)
    pending = pending_view(asked)
    (view,) = await services.outlines.shown(call.org_id, [view])
    shown = msgspec.structs.replace(
        caller_session(view),
        pending_questions=pending.pending_questions,
        pending_approvals=pending.pending_approvals,
    )
    return json_reply(shown)


@table.route(
    "POST",
    f"{_SESSION}/messages",
    body=MessageBody,
    answer=Message,
    status=201,
    other_statuses=(401, 403),
)
async def say_in_caller_session(call: Call[MessageBody, NoQuery]) -> Reply:
    """Starts a turn, or steers the one at work."""
    caller = await admit_to(call.services, call.org_id, call.request)
    _check_controls(caller, call.body.controls)
    reply = await messages.create_message(call)
    # Receipts are not for callers.
    return msgspec.structs.replace(reply, headers={})


def _check_controls(caller: Caller, controls: ControlsBody | None) -> None:
    """Raises PermissionDenied for what costs the owner, or shows more than he chose to."""
    if controls is None or caller.channel.delegates_controls:
        return
    for name in _OWNERS_CONTROLS:
        if getattr(controls, name) is not None:
            msg = f"this channel does not let its callers choose controls.{name}"
            raise PermissionDenied(msg)


@table.route("POST", f"{_SESSION}/cancel", answer=CancelView, other_statuses=(401,))
async def cancel_caller_turn(call: Call[NoBody, NoQuery]) -> Reply:
    """Cancels the running turn."""
    await admit_to(call.services, call.org_id, call.request)
    return await sessions.cancel_turn(call)


@table.route(
    "POST",
    f"{_SESSION}/tool-approvals",
    body=DecisionsBody,
    answer=DecisionsView,
    other_statuses=(401, 403, 409),
)
async def decide_caller_tool_calls(call: Call[DecisionsBody, NoQuery]) -> Reply:
    """Allows or rejects tool calls, where the channel leaves that to its callers."""
    caller = await admit_to(call.services, call.org_id, call.request)
    if not caller.channel.delegates_approvals:
        msg = "this channel does not let its callers decide about tool calls"
        raise PermissionDenied(msg)
    return await appeals.decide_tool_calls(call)


@table.route(
    "POST",
    f"{_SESSION}/question-answers",
    body=AnswersBody,
    answer=AnswersView,
    other_statuses=(401, 409),
)
async def answer_caller_questions(call: Call[AnswersBody, NoQuery]) -> Reply:
    """Answers the agent's questions; secrets of a session are not for callers to name."""
    await admit_to(call.services, call.org_id, call.request)
    if any(one.secret_ref is not None for one in call.body.answers):
        msg = "secrets are not answered through a channel"
        raise InvalidParameter(msg)
    return await appeals.answer_questions(call)


@table.route(
    "GET", f"{_SESSION}/events", query=EventsQuery, answer=EventList, other_statuses=(401,)
)
async def list_caller_events(call: Call[NoBody, EventsQuery]) -> Reply:
    """Events, oldest first."""
    await admit_to(call.services, call.org_id, call.request)
    return await messages.list_events(call)
