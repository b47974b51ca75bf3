"""/channels/{id}/runtime-auth"""

from msgspec import Struct

from mainspring_api.adapters.http.admission import admitted
from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.domain.limits import RUNTIME_TOKEN_S
from mainspring_api.usecases import runtime_tokens
from mainspring_kernel.errors import InvalidParameter, PermissionDenied
from mainspring_kernel.ids import Prefix, to_wire

table = RouteTable("channels")


class RuntimeTokenView(Struct, frozen=True, kw_only=True):
    """`expires_in` seconds."""

    access_token: str
    expires_in: int
    virtual_user_id: str
    token_type: str = "Bearer"  # noqa: S105 -- the word of RFC 6750


@table.route(
    "POST",
    "/channels/{channel_id:str}/runtime-auth",
    answer=RuntimeTokenView,
    other_statuses=(401, 403, 501),
)
async def make_runtime_token(call: Call[NoBody, NoQuery]) -> Reply:
    """A token by which a browser calls the agent as one end user; only a key makes one.

    Nothing is kept of it, so the same Idempotency-Key gives another one, of as little harm.
    """
    services = call.services
    async with services.store.transaction(call.org_id) as tx:
        caller = await admitted(services, tx, call.request, call.path["channel_id"])
    if caller.has_token:
        msg = "a runtime token makes no other"
        raise PermissionDenied(msg)
    if "end-user" not in call.request.headers:
        msg = "a runtime token is for one end user: say which in End-User"
        raise InvalidParameter(msg)
    token = runtime_tokens.minted(
        services.vault,
        caller.channel,
        caller_id=caller.id,
        key_id=caller.key_id,
        now_ms=call.now_ms,
    )
    view = RuntimeTokenView(
        access_token=token,
        expires_in=RUNTIME_TOKEN_S,
        virtual_user_id=to_wire(Prefix.VIRTUAL_USER, caller.id),
    )
    return json_reply(view)
