"""An organization's MCP servers: created, changed, archived, and found by the refs of agents."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain.limits import MCP_SERVERS_MAX
from mainspring_api.domain.mcp import OwnServer, PinnedTools, server_id
from mainspring_api.domain.secrets import about
from mainspring_api.domain.tiers import Tiers, folded_tiers
from mainspring_api.ports.store import Transaction
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases.known import known_session
from mainspring_kernel.errors import NotFound, ValidationFailed
from mainspring_kernel.ids import OrgId, SessionId
from mainspring_schema.limits import MCP_PINS_MAX
from mainspring_schema.mcp import McpServer
from mainspring_schema.messages import Json


class ServerDraft(Struct, frozen=True, kw_only=True):
    """`api_key` of None leaves the present one, unless `keyless` says that there is none."""

    name: str
    description: str | None = None
    config: Json
    api_key: str | None = None
    keyless: bool = False
    status: Literal["active", "archived"] = "active"


async def put(
    tx: Transaction, vault: Vault, org_id: OrgId, id_: UUID, draft: ServerDraft, *, now_ms: int
) -> OwnServer:
    """Makes a server, or brings the one with the id up to date.

    Raises NameTaken, InvalidMcpServer, ValidationFailed, EncryptionUnconfigured.
    """
    known = await tx.record(OwnServer, id_, lock=True)
    if known is None and await tx.count_records(OwnServer, org_id) >= MCP_SERVERS_MAX:
        msg = f"an organization has at most {MCP_SERVERS_MAX} MCP servers"
        raise ValidationFailed(msg)
    server = OwnServer(
        org_id=org_id,
        id=id_,
        owner_id=org_id,
        key=draft.name,
        description=draft.description,
        config=draft.config,
        sealed=known.sealed if known and not draft.keyless else None,
        status=draft.status,
        created_ms=known.created_ms if known else now_ms,
        updated_ms=now_ms,
    )
    server.server()
    if draft.api_key is not None:
        sealed = vault.seal(draft.api_key, about=about(server))
        server = msgspec.structs.replace(server, sealed=sealed)
    await tx.put_record(server)
    await tx.renew_configurations()
    return server


async def get(tx: Transaction, id_: UUID, *, lock: bool = False) -> OwnServer:
    """Raises NotFound."""
    server = await tx.record(OwnServer, id_, lock=lock)
    if server is None:
        msg = "no such MCP server"
        raise NotFound(msg)
    return server


async def list_all(tx: Transaction, org_id: OrgId) -> Sequence[OwnServer]:
    """Newest first."""
    return await tx.records(OwnServer, org_id, limit=MCP_SERVERS_MAX)


async def drop(tx: Transaction, id_: UUID) -> None:
    """Agents that name it fail visibly from now on. Raises NotFound."""
    server = await get(tx, id_, lock=True)
    await tx.drop_record(OwnServer, server.id)
    await tx.renew_configurations()


async def with_own_servers(tx: Transaction, tiers: Tiers) -> Tiers:
    """The tiers with the organization's servers that they name."""
    found: dict[str, tuple[str, McpServer]] = {}
    for ref in folded_tiers(tiers).capabilities:
        id_ = server_id(ref.value.ref)
        server = await tx.record(OwnServer, id_) if id_ is not None else None
        if server is not None and server.status == "active":
            found[ref.value.ref] = (server.name, server.server())
    return msgspec.structs.replace(tiers, own_servers=found) if found else tiers


# ── what sessions have pinned ───────────────────────────────────────────────────────────────────


async def pins(tx: Transaction, session_id: SessionId) -> Sequence[PinnedTools]:
    """By name. Raises NotFound."""
    await known_session(tx, session_id)
    found = await tx.records(PinnedTools, session_id, limit=MCP_PINS_MAX)
    return sorted(found, key=lambda one: one.key)


async def unpin(tx: Transaction, session_id: SessionId, name: str) -> None:
    """What the server offers at the next turn is accepted, and pinned anew. Raises NotFound."""
    await known_session(tx, session_id, lock=True)
    await tx.own_records(session_id)
    pinned = await tx.record_keyed(PinnedTools, session_id, name) if name.isprintable() else None
    if pinned is None:
        msg = "the session has pinned nothing of that server"
        raise NotFound(msg)
    await tx.drop_record(PinnedTools, pinned.id)
