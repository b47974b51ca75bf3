"""/sessions: the resource, its cancel, its tool results and its preview"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.conversation import (
    CancelView,
    ToolResultsBody,
    ToolResultsView,
    client_results,
)
from mainspring_api.adapters.http.wire.preview import PreviewView, preview_view
from mainspring_api.adapters.http.wire.resources import (
    SessionBody,
    SessionOut,
    SessionPatch,
    session_draft,
    session_out,
)
from mainspring_api.adapters.http.wire.tiers import kept, tier_of
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.naming import tokens
from mainspring_api.domain.resources import Session
from mainspring_api.ports.store import Listed, Transaction
from mainspring_api.usecases import messages, preview, sessions
from mainspring_api.usecases.known import known_session
from mainspring_api.usecases.once import Answer, once, once_elsewhere
from mainspring_api.usecases.session_ends import Ending
from mainspring_api.usecases.session_tasks import cancel_below
from mainspring_harness.registry import Registry
from mainspring_kernel import limits
from mainspring_kernel.ids import Prefix, SessionId, from_wire
from mainspring_schema.commands import Cancel, SubmitToolResults

table = RouteTable("sessions")
_AT_REST: Final = "no turn was running; what the session has at work in the background is stopped"


class SessionsQuery(Struct, frozen=True, kw_only=True):
    agent_id: Annotated[str, Meta(max_length=bounds.NAME_CHARS_MAX)] | None = None
    search: Annotated[str, Meta(max_length=200)] | None = None
    offset: Annotated[int, Meta(ge=0, le=bounds.RESUME_OFFSET_MAX)] = 0
    limit: Annotated[int, Meta(ge=1)] = bounds.LIST_ROWS_DEFAULT


class SessionPage(Struct, frozen=True, kw_only=True):
    data: tuple[SessionOut, ...]
    total: int
    offset: int
    limit: int


class ExportQuery(Struct, frozen=True, kw_only=True):
    """Both are the one form there is; another one is refused rather than answered in this one."""

    format: Literal["jsonl", "ndjson"] = "ndjson"


def session_id_of(call: Call[object, object]) -> SessionId:
    return SessionId(from_wire(Prefix.SESSION, call.path["session_id"]))


@table.route("GET", "/sessions", query=SessionsQuery, answer=SessionPage)
async def list_sessions(call: Call[NoBody, SessionsQuery]) -> Reply:
    """Sessions, newest first."""
    query, services = call.query, call.services
    listed = Listed(
        tokens=tokens(query.search),
        offset=query.offset,
        limit=min(query.limit, limits.LIST_ROWS_MAX),
    )
    views, total = await sessions.list_page(
        services.store, services.log, call.org_id, listed, agent=query.agent_id
    )
    shown = await services.outlines.shown(call.org_id, views)
    page = SessionPage(
        data=tuple(session_out(view) for view in shown),
        total=total,
        offset=listed.offset,
        limit=listed.limit,
    )
    return json_reply(page)


@table.route(
    "POST", "/sessions", body=SessionBody, answer=SessionOut, status=201, other_statuses=(404, 409)
)
async def create_session(call: Call[SessionBody, NoQuery]) -> Reply:
    """Creates a session with its log and its files."""
    services = call.services
    draft = session_draft(call.body, services.registry)

    async def work(tx: Transaction) -> Answer:
        view = await sessions.create(
            tx,
            draft,
            id_=SessionId(services.ids.uuid7()),
            ids=services.ids,
            now_ms=call.now_ms,
        )
        return json_answer(session_out(await services.outlines.begun(tx, view)), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


@table.route("GET", "/sessions/{session_id:str}", answer=SessionOut)
async def get_session(call: Call[NoBody, NoQuery]) -> Reply:
    """One session with what it is doing now."""
    services = call.services
    view = await sessions.get(services.store, services.log, call.org_id, session_id_of(call))
    (shown,) = await services.outlines.shown(call.org_id, [view])
    return json_reply(session_out(await sessions.with_usage(services.log, shown)))


@table.route("PATCH", "/sessions/{session_id:str}", body=SessionPatch, answer=SessionOut)
async def update_session(call: Call[SessionPatch, NoQuery]) -> Reply:
    """Changes the members that are given; the next message works with them."""
    services, id_ = call.services, session_id_of(call)
    async with services.store.transaction(call.org_id) as tx:
        present = await known_session(tx, id_, lock=True)
        changed = patched(present, call.body, services.registry)
        await sessions.change(tx, changed, now_ms=call.now_ms)
    view = await sessions.get(services.store, services.log, call.org_id, id_)
    (shown,) = await services.outlines.shown(call.org_id, [view])
    return json_reply(session_out(shown))


def patched(session: Session, body: SessionPatch, registry: Registry) -> Session:
    return msgspec.structs.replace(
        session,
        title=kept(body.title, session.title),
        locale=kept(body.locale, session.locale),
        tier=tier_of(
            body, session.tier, registry, UNSET if body.model_id is UNSET else body.model_id
        ),
    )


@table.route("DELETE", "/sessions/{session_id:str}", status=204)
async def delete_session(call: Call[NoBody, NoQuery]) -> Reply:
    """Deletes a session, also while a turn is at work: that and what it spawned are cancelled."""
    services = call.services
    await cancel_below(
        services.store, services.control, call.org_id, session_id_of(call), now_ms=call.now_ms
    )
    ending = Ending(
        configurations=services.configurations,
        registry=services.registry,
        vault=services.vault,
        ids=services.ids,
    )
    await sessions.delete(
        services.store,
        services.control,
        ending,
        call.org_id,
        session_id_of(call),
        now_ms=call.now_ms,
    )
    return Reply(status=204)


@table.route("POST", "/sessions/{session_id:str}/cancel", answer=CancelView)
async def cancel_turn(call: Call[NoBody, NoQuery]) -> Reply:
    """Cancels the running turn and what the session has spawned; without them nothing happens."""
    services, id_ = call.services, session_id_of(call)

    async def work() -> Answer:
        receipt = await services.control.cancel(Cancel(org_id=call.org_id, session_id=id_))
        await cancel_below(services.store, services.control, call.org_id, id_, now_ms=call.now_ms)
        said = "the turn is cancelled" if receipt.status == "cancelled" else _AT_REST
        return json_answer(CancelView(status=receipt.status, message=said), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


@table.route(
    "POST",
    "/sessions/{session_id:str}/tool-results",
    body=ToolResultsBody,
    answer=ToolResultsView,
    other_statuses=(409,),
)
async def submit_tool_results(call: Call[ToolResultsBody, NoQuery]) -> Reply:
    """Brings the results of client-side tools; each call has one result."""
    services, id_ = call.services, session_id_of(call)
    command = SubmitToolResults(
        org_id=call.org_id, session_id=id_, results=client_results(call.body)
    )

    async def work() -> Answer:
        receipt = await services.control.tool_results(command)
        view = ToolResultsView(accepted=receipt.accepted, status=receipt.status)
        return json_answer(view, status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


@table.route("GET", "/sessions/{session_id:str}/preview", answer=PreviewView)
async def preview_session(call: Call[NoBody, NoQuery]) -> Reply:
    """What the tiers of a session fold into: exactly what its next turn works with."""
    services = call.services
    id_ = session_id_of(call)
    shown = await preview.of_session(services.store, services.registry, call.org_id, id_)
    shown = await preview.announced(services.operator, services.registry, shown)
    return json_reply(preview_view(shown))


@table.route(
    "GET",
    "/sessions/{session_id:str}/export",
    query=ExportQuery,
    answer=str,
    media_types=("application/x-ndjson",),
)
async def export_session(call: Call[NoBody, ExportQuery]) -> Reply:
    """The conversation, one message a line, in the order a model reads it."""
    services, id_ = call.services, session_id_of(call)
    found, _ = await messages.list_all(services.store, services.log, call.org_id, id_, limit=None)
    wire = call.path["session_id"]
    lines = [
        msgspec.json.encode({"session_id": wire, "sequence": n, **msgspec.to_builtins(message)})
        for n, message in enumerate(found, start=1)
    ]
    return Reply(body=b"".join(line + b"\n" for line in lines), media_type="application/x-ndjson")


@table.route("PUT", "/sessions/{session_id:str}/pin", status=204)
async def pin_session(call: Call[NoBody, NoQuery]) -> Reply:
    """Pins a session."""
    return await _pin(call, pinned=True)


@table.route("DELETE", "/sessions/{session_id:str}/pin", status=204)
async def unpin_session(call: Call[NoBody, NoQuery]) -> Reply:
    """Takes the pin off."""
    return await _pin(call, pinned=False)


async def _pin(call: Call[NoBody, NoQuery], *, pinned: bool) -> Reply:
    async with call.services.store.transaction(call.org_id) as tx:
        session = await known_session(tx, session_id_of(call), lock=True)
        await tx.put_session(msgspec.structs.replace(session, pinned=pinned))
    return Reply(status=204)
