"""MCP servers for the holder of a task: the secrets that open them, and the pins of a session."""

from typing import assert_never

import msgspec

from mainspring_api.domain.mcp import OwnServer, PinnedTools
from mainspring_api.domain.secrets import about
from mainspring_api.ports.store import Holding
from mainspring_api.ports.vault import Vault
from mainspring_kernel.errors import Conflict, NotFound, PayloadTooLarge
from mainspring_kernel.ids import Ids, Prefix, from_wire
from mainspring_schema.limits import MCP_PIN_BYTES_MAX, MCP_PINS_MAX
from mainspring_schema.mcp import ListPins, OpenServer, PinTools, ServerKey, ToolPin, ToolPins


async def answer(holding: Holding, vault: Vault, question: ListPins | OpenServer) -> object:
    """Raises NotFound, InvalidId, SecretUnreadable."""
    match question:
        case ListPins():
            return await _pins(holding)
        case OpenServer():
            return await _opened(holding, vault, question.id)
        case _:
            assert_never(question)


async def pin(holding: Holding, order: PinTools, ids: Ids, *, now_ms: int) -> ToolPins:
    """Raises NotFound, Conflict, PayloadTooLarge."""
    tx, session_id = holding.tx, holding.session_id
    # Its lock lets the session's writers in one by one, so that the bound holds.
    if await tx.session(session_id, lock=True) is None:
        msg = "the session is gone"
        raise NotFound(msg)
    for one in order.pins:
        if len(msgspec.msgpack.encode(one)) > 2 * MCP_PIN_BYTES_MAX:
            what = "what a server says of its tools"
            raise PayloadTooLarge(what, MCP_PIN_BYTES_MAX)
        await _put(holding, one, ids, now_ms=now_ms)
    return await _pins(holding)


async def _put(holding: Holding, one: ToolPin, ids: Ids, *, now_ms: int) -> None:
    tx, session_id = holding.tx, holding.session_id
    known = await tx.record_keyed(PinnedTools, session_id, one.server)
    if known is not None and known.pin.source == one.source:
        return
    if known is None and await tx.count_records(PinnedTools, session_id) >= MCP_PINS_MAX:
        msg = f"a session pins the tools of at most {MCP_PINS_MAX} servers"
        raise Conflict(msg)
    await tx.put_record(
        PinnedTools(
            org_id=holding.org_id,
            id=known.id if known else ids.uuid7(),
            owner_id=session_id,
            key=one.server,
            pin=one,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
    )


async def _pins(holding: Holding) -> ToolPins:
    found = await holding.tx.records(PinnedTools, holding.session_id, limit=MCP_PINS_MAX)
    return ToolPins(pins=tuple(sorted((one.pin for one in found), key=lambda pin: pin.server)))


async def _opened(holding: Holding, vault: Vault, id_: str) -> ServerKey:
    server = await holding.tx.record(OwnServer, from_wire(Prefix.MCP_SERVER, id_))
    if server is None or server.status != "active":
        msg = "there is no such MCP server any more"
        raise NotFound(msg)
    if server.sealed is None:
        return ServerKey()
    return ServerKey(api_key=vault.open(server.sealed, about=about(server)))
