"""/mcp-servers and /sessions/{id}/mcp-servers: whom agents may call, and what sessions pinned"""

from typing import Annotated
from uuid import UUID

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
from mainspring_api.adapters.http.wire.mcp_servers import (
    McpServerBody,
    McpServerPatch,
    McpServerView,
    PinView,
    pin_view,
    server_draft,
    server_view,
)
from mainspring_api.domain.naming import matches, tokens
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import mcp_servers
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel.ids import Prefix, from_wire

table = RouteTable("mcp_servers")
_ONE = "/mcp-servers/{server_id:str}"
_PINS = "/sessions/{session_id:str}/mcp-servers"


class McpServerList(Struct, frozen=True, kw_only=True):
    data: tuple[McpServerView, ...]


class McpServersQuery(Struct, frozen=True, kw_only=True):
    search: Annotated[str, Meta(max_length=200)] | None = None
    include_archived: bool = False


class PinList(Struct, frozen=True, kw_only=True):
    data: tuple[PinView, ...]


def _server_id(call: Call[object, object]) -> UUID:
    return from_wire(Prefix.MCP_SERVER, call.path["server_id"])


@table.route("GET", "/mcp-servers", query=McpServersQuery, answer=McpServerList)
async def list_mcp_servers(call: Call[NoBody, McpServersQuery]) -> Reply:
    """The organization's servers, newest first; keys are never shown."""
    wanted = tokens(call.query.search)
    async with call.services.store.transaction(call.org_id) as tx:
        found = await mcp_servers.list_all(tx, call.org_id)
    shown = tuple(
        server_view(one)
        for one in found
        if (call.query.include_archived or one.status == "active")
        and matches(wanted, one.name, one.description)
    )
    return json_reply(McpServerList(data=shown))


@table.route(
    "POST",
    "/mcp-servers",
    body=McpServerBody,
    answer=McpServerView,
    status=201,
    other_statuses=(501,),
)
async def create_mcp_server(call: Call[McpServerBody, NoQuery]) -> Reply:
    """Adds a server, which agents name as `mcp:<id>`; its key is sealed and never read back."""
    services, draft = call.services, server_draft(call.body, None)

    async def work(tx: Transaction) -> Answer:
        made = await mcp_servers.put(
            tx, services.vault, call.org_id, services.ids.uuid7(), draft, now_ms=call.now_ms
        )
        return json_answer(server_view(made), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


@table.route("GET", _ONE, answer=McpServerView)
async def get_mcp_server(call: Call[NoBody, NoQuery]) -> Reply:
    """One server."""
    async with call.services.store.transaction(call.org_id) as tx:
        return json_reply(server_view(await mcp_servers.get(tx, _server_id(call))))


@table.route("PATCH", _ONE, body=McpServerPatch, answer=McpServerView, other_statuses=(409, 501))
async def update_mcp_server(call: Call[McpServerPatch, NoQuery]) -> Reply:
    """Changes the members that are given; sessions ask a server that is reached anew again."""
    vault = call.services.vault
    async with call.services.store.transaction(call.org_id) as tx:
        present = await mcp_servers.get(tx, _server_id(call), lock=True)
        draft = server_draft(call.body, present)
        changed = await mcp_servers.put(
            tx, vault, call.org_id, present.id, draft, now_ms=call.now_ms
        )
    return json_reply(server_view(changed))


@table.route("DELETE", _ONE, status=204)
async def delete_mcp_server(call: Call[NoBody, NoQuery]) -> Reply:
    """Removes a server; turns of agents that name it fail, and say so."""
    async with call.services.store.transaction(call.org_id) as tx:
        await mcp_servers.drop(tx, _server_id(call))
    return Reply(status=204)


# ── pins ────────────────────────────────────────────────────────────────────────────────────────


@table.route("GET", _PINS, answer=PinList)
async def list_session_mcp_servers(call: Call[NoBody, NoQuery]) -> Reply:
    """The tools that the session saw of each server, and keeps to."""
    async with call.services.store.transaction(call.org_id) as tx:
        found = await mcp_servers.pins(tx, session_id_of(call))
    return json_reply(PinList(data=tuple(pin_view(one) for one in found)))


@table.route("DELETE", f"{_PINS}/{{name:str}}", status=204)
async def unpin_session_mcp_server(call: Call[NoBody, NoQuery]) -> Reply:
    """Accepts what the server offers now: the next turn asks it anew and pins that."""
    async with call.services.store.transaction(call.org_id) as tx:
        await mcp_servers.unpin(tx, session_id_of(call), call.path["name"])
    return Reply(status=204)
