"""/sessions/{id}/fork"""

from typing import Annotated

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routes.sessions import session_id_of
from mainspring_api.adapters.http.routing import (
    Call,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    reply_of,
)
from mainspring_api.adapters.http.wire.resources import SessionOut, session_out
from mainspring_api.adapters.http.wire.tiers import Label
from mainspring_api.domain.cursor import resume_from_id
from mainspring_api.usecases import forking
from mainspring_api.usecases.forking import Forks, ForkWish
from mainspring_api.usecases.once import Answer, once_under_id
from mainspring_kernel.errors import ConflictingReferences
from mainspring_kernel.ids import Prefix, SessionId, from_wire

table = RouteTable("sessions")


class ForkBody(Struct, frozen=True, kw_only=True):
    """Behind which event, by its id, its sequence or a message; otherwise behind the newest.

    `up_to_message_id`: the fork's conversation ends with that message.
    """

    event_id: str | None = None
    sequence: Annotated[int, Meta(ge=1, le=(1 << 40) - 1)] | None = None
    up_to_message_id: str | None = None
    title: Label | None = None


def wish_of(body: ForkBody, source_id: SessionId) -> ForkWish:
    """Raises ConflictingReferences, InvalidId, CursorMismatch."""
    named = (body.event_id, body.sequence, body.up_to_message_id)
    if sum(one is not None for one in named) > 1:
        msg = "name the event by its id, by its sequence or by a message"
        raise ConflictingReferences(msg)
    seq, message_id = body.sequence, body.up_to_message_id
    if body.event_id is not None:
        event = from_wire(Prefix.EVENT, body.event_id)
        seq = resume_from_id(event, source_id).position.seq
    if message_id is not None:
        from_wire(Prefix.MESSAGE, message_id)
    return ForkWish(source_id=source_id, seq=seq, message_id=message_id, title=body.title)


@table.route(
    "POST",
    "/sessions/{session_id:str}/fork",
    body=ForkBody,
    answer=SessionOut,
    status=201,
    other_statuses=(409,),
)
async def fork_session(call: Call[ForkBody, NoQuery]) -> Reply:
    """Makes a session that goes on from any event of this one, with its files as of then."""
    services = call.services
    place = Forks(
        store=services.store,
        log=services.log,
        vault=services.vault,
        ids=services.ids,
        org_id=call.org_id,
    )
    wish = wish_of(call.body, session_id_of(call))

    async def work(id_: SessionId) -> Answer:
        view = await forking.fork(place, wish, id_, now_ms=call.now_ms)
        (shown,) = await services.outlines.shown(call.org_id, [view])
        return json_answer(session_out(shown), status=201)

    new_id = services.ids.uuid7()
    return reply_of(
        await once_under_id(
            services.store, call.org_id, call.key, new_id, lambda id_: work(SessionId(id_))
        )
    )
