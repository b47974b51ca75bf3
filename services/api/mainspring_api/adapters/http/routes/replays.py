"""/sessions/{id}/replay"""

from msgspec import Struct

from mainspring_api.adapters.http.routes.sessions import session_id_of
from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.usecases.replaying import replay
from mainspring_harness.replaying import Status

table = RouteTable("sessions")


class ReplayedOut(Struct, frozen=True, kw_only=True):
    """`sequence` is that of the event that recorded the call."""

    turn_id: str | None
    sequence: int
    status: Status
    recorded_hash: str
    rebuilt_hash: str


class ReplayOut(Struct, frozen=True, kw_only=True):
    """`intact`: no request differs from what was recorded."""

    intact: bool
    calls: tuple[ReplayedOut, ...]


@table.route("GET", "/sessions/{session_id:str}/replay", answer=ReplayOut)
async def replay_session(call: Call[NoBody, NoQuery]) -> Reply:
    """Rebuilds every prompt from the log and compares it with its recorded hash; asks no model."""
    services = call.services
    at = call.org_id, session_id_of(call)
    found = await replay(services.store, services.log, services.operator, services.registry, at)
    calls = tuple(
        ReplayedOut(
            turn_id=one.turn_id,
            sequence=one.seq,
            status=one.status,
            recorded_hash=one.recorded,
            rebuilt_hash=one.rebuilt,
        )
        for one in found
    )
    intact = all(one.status != "differs" for one in found)
    return json_reply(ReplayOut(intact=intact, calls=calls))
