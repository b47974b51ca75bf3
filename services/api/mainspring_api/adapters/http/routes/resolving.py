"""/sessions/{id}/resolve and /agents/{id}/resolve: who said what of a configuration"""

from mainspring_api.adapters.http.routes.sessions import session_id_of
from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.adapters.http.wire.resolved import ResolvedView, resolved_view
from mainspring_api.usecases import preview

table = RouteTable("sessions")


@table.route("GET", "/sessions/{session_id:str}/resolve", answer=ResolvedView)
async def resolve_session(call: Call[NoBody, NoQuery]) -> Reply:
    """What the session's next turn works with, and which tier each value came from."""
    services = call.services
    shown = await preview.of_session(
        services.store, services.registry, call.org_id, session_id_of(call)
    )
    return json_reply(resolved_view(shown))


@table.route("GET", "/agents/{agent_id:str}/resolve", answer=ResolvedView, other_statuses=(422,))
async def resolve_agent(call: Call[NoBody, NoQuery]) -> Reply:
    """What a new session of the agent would work with, and which tier each value came from."""
    services = call.services
    async with services.store.transaction(call.org_id) as tx:
        shown = await preview.of_stored_agent(tx, services.registry, call.path["agent_id"])
    return json_reply(resolved_view(shown))
