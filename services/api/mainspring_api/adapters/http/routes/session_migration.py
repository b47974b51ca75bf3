"""/sessions/{id}/migration: from the agent a session keeps to the one that is there now"""

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
from mainspring_api.adapters.http.wire.resources import id_or_none
from mainspring_api.domain.differences import Difference
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import pinning
from mainspring_api.usecases.once import Answer, once
from mainspring_api.usecases.pinning import Migration
from mainspring_kernel.ids import Prefix, from_wire, to_wire

table = RouteTable("sessions")
_AT = "/sessions/{session_id:str}/migration"


class MigrationQuery(Struct, frozen=True, kw_only=True):
    """Without a version: the agent's default one, else the agent as it is."""

    agent_version_id: Annotated[str, Meta(max_length=64)] | None = None


class MigrationBody(Struct, frozen=True, kw_only=True):
    agent_version_id: Annotated[str, Meta(max_length=64)] | None = None


class MigrationView(Struct, frozen=True, kw_only=True):
    """`changes` are those of the folded agent that turns work with."""

    session_id: str
    agent_version_id: str | None
    changes: tuple[Difference, ...]


def migration_view(migration: Migration) -> MigrationView:
    return MigrationView(
        session_id=to_wire(Prefix.SESSION, migration.session.id),
        agent_version_id=id_or_none(Prefix.AGENT_VERSION, migration.base.agent_version_id),
        changes=migration.changes,
    )


@table.route("GET", _AT, query=MigrationQuery, answer=MigrationView)
async def show_migration(call: Call[NoBody, MigrationQuery]) -> Reply:
    """What a migration would change; nothing is done."""
    given = call.query.agent_version_id
    version_id = from_wire(Prefix.AGENT_VERSION, given) if given else None
    async with call.services.store.transaction(call.org_id) as tx:
        planned = await pinning.plan(tx, session_id_of(call), version_id, now_ms=call.now_ms)
    return json_reply(migration_view(planned))


@table.route("POST", _AT, body=MigrationBody, answer=MigrationView)
async def migrate_session(call: Call[MigrationBody, NoQuery]) -> Reply:
    """The session's next message works with the harness and the agent as they are now."""
    given = call.body.agent_version_id
    version_id = from_wire(Prefix.AGENT_VERSION, given) if given else None

    async def work(tx: Transaction) -> Answer:
        done = await pinning.migrate(tx, session_id_of(call), version_id, now_ms=call.now_ms)
        return json_answer(migration_view(done), status=200)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))
