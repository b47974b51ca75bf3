"""/sessions/{id}/storage and /user/connections: what a session stores; secrets are not read back"""

from typing import Annotated

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routes.sessions import session_id_of
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
from mainspring_api.adapters.http.wire.models import ApiKey
from mainspring_api.domain.limits import SESSION_SECRETS_MAX
from mainspring_api.domain.secrets import Connection
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import held_storage, secrets
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel.errors import NotFound
from mainspring_kernel.times import rfc3339

table = RouteTable("secrets")
_SECRETS = "/sessions/{session_id:str}/storage/secrets"
_CONNECTION = "/user/connections/{provider:str}"
SecretName = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,128}$")]
SecretValue = Annotated[str, Meta(max_length=65_536)]
PROVIDER_CHARS_MAX = 64


class SecretsBody(Struct, frozen=True, kw_only=True):
    secrets: Annotated[dict[SecretName, SecretValue], Meta(max_length=SESSION_SECRETS_MAX)]


class SecretsCount(Struct, frozen=True, kw_only=True):
    count: int


class SecretView(Struct, frozen=True, kw_only=True):
    name: str
    created_at: str
    updated_at: str


class SecretList(Struct, frozen=True, kw_only=True):
    data: tuple[SecretView, ...]


class ValueView(Struct, frozen=True, kw_only=True):
    key: str
    value: str
    created_at: str
    updated_at: str


class ValueList(Struct, frozen=True, kw_only=True):
    data: tuple[ValueView, ...]


@table.route("GET", "/sessions/{session_id:str}/storage/keys", answer=ValueList)
async def list_session_values(call: Call[NoBody, NoQuery]) -> Reply:
    """What the agent stored in its session by key."""
    async with call.services.store.transaction(call.org_id) as tx:
        found = await held_storage.values(tx, session_id_of(call))
    shown = tuple(
        ValueView(
            key=one.key,
            value=one.value,
            created_at=rfc3339(one.created_ms),
            updated_at=rfc3339(one.updated_ms),
        )
        for one in found
    )
    return json_reply(ValueList(data=shown))


@table.route("PUT", _SECRETS, body=SecretsBody, answer=SecretsCount, other_statuses=(501,))
async def set_session_secrets(call: Call[SecretsBody, NoQuery]) -> Reply:
    """Keeps secrets for a session, sealed; those it has and that are not named stay."""
    services = call.services
    async with services.store.transaction(call.org_id) as tx:
        await secrets.put_all(
            tx,
            services.vault,
            session_id_of(call),
            call.body.secrets,
            ids=services.ids,
            now_ms=call.now_ms,
        )
    return json_reply(SecretsCount(count=len(call.body.secrets)))


@table.route("GET", _SECRETS, answer=SecretList)
async def list_session_secrets(call: Call[NoBody, NoQuery]) -> Reply:
    """The names of a session's secrets."""
    async with call.services.store.transaction(call.org_id) as tx:
        found = await secrets.names(tx, session_id_of(call))
    shown = tuple(
        SecretView(
            name=one.key, created_at=rfc3339(one.created_ms), updated_at=rfc3339(one.updated_ms)
        )
        for one in found
    )
    return json_reply(SecretList(data=shown))


@table.route("DELETE", f"{_SECRETS}/{{name:str}}", status=204)
async def delete_session_secret(call: Call[NoBody, NoQuery]) -> Reply:
    """Takes a secret away."""
    async with call.services.store.transaction(call.org_id) as tx:
        await secrets.drop(tx, session_id_of(call), _checked(call.path["name"]))
    return Reply(status=204)


# ── connections ─────────────────────────────────────────────────────────────────────────────────


class ConnectionBody(Struct, frozen=True, kw_only=True):
    api_key: ApiKey


class ConnectionView(Struct, frozen=True, kw_only=True):
    provider: str
    created_at: str
    updated_at: str


class ConnectionList(Struct, frozen=True, kw_only=True):
    data: tuple[ConnectionView, ...]


def connection_view(one: Connection) -> ConnectionView:
    return ConnectionView(
        provider=one.key, created_at=rfc3339(one.created_ms), updated_at=rfc3339(one.updated_ms)
    )


@table.route("GET", "/user/connections", answer=ConnectionList)
async def list_connections(call: Call[NoBody, NoQuery]) -> Reply:
    """Which third parties there is a key of."""
    async with call.services.store.transaction(call.org_id) as tx:
        found = await secrets.connections(tx, call.org_id)
    return json_reply(ConnectionList(data=tuple(connection_view(one) for one in found)))


@table.route("POST", _CONNECTION, body=ConnectionBody, answer=ConnectionView, other_statuses=(501,))
async def set_connection(call: Call[ConnectionBody, NoQuery]) -> Reply:
    """Keeps a third party's key, sealed; the newest counts."""
    services = call.services
    given = secrets.Given(
        org_id=call.org_id,
        provider=_checked(call.path["provider"]),
        api_key=call.body.api_key,
        new_id=services.ids.uuid7(),
    )

    async def work(tx: Transaction) -> Answer:
        made = await secrets.connect(tx, services.vault, given, now_ms=call.now_ms)
        return json_answer(connection_view(made), status=200)

    return reply_of(await once(services.store, call.org_id, call.key, work))


@table.route("DELETE", _CONNECTION, status=204)
async def remove_connection(call: Call[NoBody, NoQuery]) -> Reply:
    """Takes a third party's key away."""
    async with call.services.store.transaction(call.org_id) as tx:
        await secrets.disconnect(tx, call.org_id, _checked(call.path["provider"]))
    return Reply(status=204)


def _checked(name: str) -> str:
    """Raises NotFound: nothing that is kept has such a name, and no store takes all of them."""
    if len(name) > 2 * PROVIDER_CHARS_MAX or not name.isprintable():
        msg = "no such name"
        raise NotFound(msg)
    return name
