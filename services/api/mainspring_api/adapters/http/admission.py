"""Who calls through a channel: read from the request's headers, decided by the use case."""

from typing import Final

from mainspring_api.adapters.http import edge
from mainspring_api.adapters.http.services import Services
from mainspring_api.domain import limits
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import channels
from mainspring_api.usecases.channels import Caller, Shown
from mainspring_kernel.errors import InvalidParameter
from mainspring_kernel.ids import OrgId, Prefix, SessionId, from_wire

_BEARER: Final = "bearer "


async def admitted(
    services: Services, tx: Transaction, request: edge.HttpRequest, channel: str
) -> Caller:
    """Raises Unauthenticated, InvalidParameter for an end user that nobody should be."""
    given = request.headers.get("authorization", "")
    bearer = given[len(_BEARER) :].strip() if given.lower().startswith(_BEARER) else None
    end_user = request.headers.get("end-user")
    if end_user is not None and not 0 < len(end_user) <= limits.NAME_CHARS_MAX:
        msg = f"End-User has 1 to {limits.NAME_CHARS_MAX} characters"
        raise InvalidParameter(msg)
    channel_id, shown = from_wire(Prefix.CHANNEL, channel), Shown(bearer, end_user)
    now_ms = services.clock.wall_ms()
    return await channels.admit(tx, services.vault, channel_id, shown, now_ms=now_ms)


async def admit_to(services: Services, org_id: OrgId, request: edge.HttpRequest) -> Caller:
    """For the caller of a session. Raises Unauthenticated, NotFound."""
    params: dict[str, object] = request.path_params
    session_id = SessionId(from_wire(Prefix.SESSION, str(params["session_id"])))
    async with services.store.transaction(org_id) as tx:
        caller = await admitted(services, tx, request, str(params["channel_id"]))
        await channels.check_session(tx, caller, session_id)
    return caller
