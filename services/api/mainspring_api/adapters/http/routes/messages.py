"""/sessions/{id}/messages, /events and what is read from the log"""

import time
from typing import Annotated

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routes.sessions import session_id_of
from mainspring_api.adapters.http.routing import (
    PREFIX,
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
    EventsQuery,
    EventView,
    MessageBody,
    SummaryView,
    TypeCount,
    VerificationView,
    checked_content,
    controls_of,
    event_wish,
    message_results,
)
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.frames import event_json
from mainspring_api.usecases import events, messages, sessions
from mainspring_api.usecases.messages import MessageDraft, MessagePath
from mainspring_api.usecases.once import Answer, once_elsewhere
from mainspring_kernel import limits
from mainspring_kernel.ids import MessageId, Prefix, SessionId, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_kernel.tracing import TRACEPARENT
from mainspring_schema.commands import SubmitToolResults
from mainspring_schema.messages import InputPart, Message, ToolResultPart

table = RouteTable("messages")


class MessagesQuery(Struct, frozen=True, kw_only=True):
    """Without a limit all messages come."""

    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_ROWS_MAX)] | None = None
    offset: Annotated[int, Meta(ge=0, le=bounds.RESUME_OFFSET_MAX)] = 0


class MessageList(Struct, frozen=True, kw_only=True):
    data: tuple[Message, ...]
    total: int


class EventList(Struct, frozen=True, kw_only=True):
    data: tuple[EventView, ...]


@table.route("GET", "/sessions/{session_id:str}/messages", query=MessagesQuery, answer=MessageList)
async def list_messages(call: Call[NoBody, MessagesQuery]) -> Reply:
    """Messages in the order a model reads them."""
    id_, query = session_id_of(call), call.query
    found, total = await messages.list_all(
        call.services.store,
        call.services.log,
        call.org_id,
        id_,
        limit=query.limit,
        offset=query.offset,
    )
    return json_reply(MessageList(data=found, total=total))


@table.route(
    "POST",
    "/sessions/{session_id:str}/messages",
    body=MessageBody,
    answer=Message,
    status=201,
    other_statuses=(409,),
)
async def create_message(call: Call[MessageBody, NoQuery]) -> Reply:
    """Brings a message into a session: it starts a turn, or meets the one at work by its mode."""
    start_ns = time.time_ns()
    services, id_ = call.services, session_id_of(call)
    content = checked_content(call.body)
    if call.body.message.role == "tool_result":
        return await _tool_results(call, id_, content)
    draft = MessageDraft(
        content=content,
        controls=controls_of(call.body),
        metadata=call.body.metadata,
        external_actor=call.body.external_actor,
        idempotency_key=call.idempotency_key,
        body_hash=call.body_hash,
        traceparent=call.request.headers.get(TRACEPARENT),
        mode=call.body.delivery,
        tags=tuple(call.body.tags or ()),
    )
    posted = await messages.post(
        MessagePath(
            configurations=services.configurations, control=services.control, log=services.log
        ),
        call.org_id,
        id_,
        draft,
        message_id=MessageId(services.ids.uuid4()),
        now_ms=call.now_ms,
    )
    services.spans.posted(
        parent=posted.receipt.traceparent,
        start_ns=start_ns,
        session_id=call.path["session_id"],
        status=201,
    )
    where = f"{PREFIX}/sessions/{call.path['session_id']}/messages/{posted.message.id}/receipt"
    return json_reply(posted.message, status=201, Location=where)


async def _tool_results(
    call: Call[MessageBody, NoQuery], id_: SessionId, content: tuple[InputPart, ...]
) -> Reply:
    """The same results as a message: the older way in of the same command."""
    parts = [part for part in content if isinstance(part, ToolResultPart)]
    command = SubmitToolResults(org_id=call.org_id, session_id=id_, results=message_results(parts))

    async def work() -> Answer:
        await call.services.control.tool_results(command)
        message = Message(
            id=to_wire(Prefix.MESSAGE, call.services.ids.uuid4()),
            role="tool_result",
            content=tuple(parts),
            created_at=rfc3339(call.now_ms),
        )
        return json_answer(message, status=201)

    return reply_of(await once_elsewhere(call.services.store, call.org_id, call.key, work))


@table.route("GET", "/sessions/{session_id:str}/events", query=EventsQuery, answer=EventList)
async def list_events(call: Call[NoBody, EventsQuery]) -> Reply:
    """Events by filter, oldest first; `X-Total-Count` counts all that match."""
    id_, log = session_id_of(call), call.services.log
    wish = event_wish(call.query, id_)
    listing = await events.list_page(call.services.store, log, call.org_id, id_, wish)
    epoch = await log.epoch()
    shown = b",".join(event_json(one, session_id=id_, epoch=epoch) for one in listing.events)
    return Reply(body=b'{"data":[%s]}' % shown, headers={"X-Total-Count": str(listing.total)})


@table.route("GET", "/sessions/{session_id:str}/events/summary", answer=SummaryView)
async def summarize_events(call: Call[NoBody, NoQuery]) -> Reply:
    """What happened, counted."""
    found = await events.summary(
        call.services.store, call.services.log, call.org_id, session_id_of(call)
    )
    return json_reply(
        SummaryView(
            total=found.total,
            turn_count=found.turn_count,
            error_count=found.error_count,
            first_ts=rfc3339(found.first_ms) if found.first_ms is not None else None,
            last_ts=rfc3339(found.last_ms) if found.last_ms is not None else None,
            by_type=tuple(TypeCount(type=t, count=n) for t, n in found.by_type.items()),
        )
    )


@table.route("GET", "/sessions/{session_id:str}/events/verify", answer=VerificationView)
async def verify_events(call: Call[NoBody, NoQuery]) -> Reply:
    """Recomputes the hash chain: nobody rewrote history."""
    id_, services = session_id_of(call), call.services
    await sessions.get(services.store, services.log, call.org_id, id_)
    found = await services.log.verify(id_)
    return json_reply(
        VerificationView(
            events=found.events,
            intact=found.intact,
            broken_sequence=found.broken_seq or None,
            reason=found.reason or None,
            head_hash=found.head_hash.hex(),
        )
    )
