"""/capabilities: what there is to choose from"""

from typing import Annotated

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.adapters.http.wire.tiers import ToolView, tool_view
from mainspring_api.domain import catalogue
from mainspring_api.domain.naming import matches, tokens
from mainspring_harness.registry import CatalogueEntry
from mainspring_kernel import limits
from mainspring_kernel.errors import NotFound
from mainspring_kernel.times import rfc3339
from mainspring_schema.messages import Json

table = RouteTable("catalogue")
_PUBLISHED = rfc3339(catalogue.CREATED_MS)


class CapabilityOut(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    description: str
    status: str
    category: str | None
    icon: str | None
    dependencies: tuple[str, ...]
    features: tuple[str, ...]
    config_schema: Json | None
    config_ui_schema: Json | None
    risk_level: str
    is_guardrail: bool
    is_mcp: bool
    is_skill: bool
    docs_slug: str | None
    tool_definitions: tuple[ToolView, ...]


class CapabilityPage(Struct, frozen=True, kw_only=True):
    data: tuple[CapabilityOut, ...]
    total: int
    offset: int
    limit: int


class CapabilityQuery(Struct, frozen=True, kw_only=True):
    search: Annotated[str, Meta(max_length=200)] | None = None
    offset: Annotated[int, Meta(ge=0, le=limits.RESUME_OFFSET_MAX)] = 0
    limit: Annotated[int, Meta(ge=1)] = limits.LIST_ROWS_MAX


# ── capabilities ────────────────────────────────────────────────────────────────────────────────


def capability_out(entry: CatalogueEntry) -> CapabilityOut:
    info = entry.info
    return CapabilityOut(
        id=info.id,
        name=info.name,
        description=info.description,
        status=info.status,
        category=info.category,
        icon=info.icon,
        dependencies=info.dependencies,
        features=info.features,
        config_schema=info.config_schema,
        config_ui_schema=info.config_ui_schema,
        risk_level=info.risk_level,
        is_guardrail=info.is_guardrail,
        is_mcp=False,
        is_skill=False,
        docs_slug=info.docs_slug,
        tool_definitions=tuple(tool_view(tool) for tool in entry.tool_definitions),
    )


@table.route("GET", "/capabilities", query=CapabilityQuery, answer=CapabilityPage)
async def list_capabilities(call: Call[NoBody, CapabilityQuery]) -> Reply:
    """The capabilities an agent may name."""
    wanted, query = tokens(call.query.search), call.query
    found = [
        entry
        for entry in call.services.registry.catalogue()
        if matches(wanted, entry.info.id, entry.info.name, entry.info.description)
    ]
    limit = min(query.limit, limits.LIST_ROWS_MAX)
    shown = found[query.offset : query.offset + limit]
    page = CapabilityPage(
        data=tuple(capability_out(entry) for entry in shown),
        total=len(found),
        offset=query.offset,
        limit=limit,
    )
    return json_reply(page)


@table.route("GET", "/capabilities/{capability_id:str}", answer=CapabilityOut)
async def get_capability(call: Call[NoBody, NoQuery]) -> Reply:
    """One capability."""
    for entry in call.services.registry.catalogue():
        if call.path["capability_id"] in {entry.info.id, *entry.info.aliases}:
            return json_reply(capability_out(entry))
    msg = "no such capability"
    raise NotFound(msg)
