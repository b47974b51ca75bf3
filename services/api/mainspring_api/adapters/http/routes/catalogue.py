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
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.http.wire.tiers import ToolView, tool_view
from mainspring_api.domain import catalogue
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.naming import matches, tokens
from mainspring_harness import guarding, toolsets
from mainspring_harness.builtin import guardrails
from mainspring_harness.capability import CatalogueEntry
from mainspring_kernel import limits
from mainspring_kernel.errors import MainspringError, NotFound
from mainspring_kernel.times import rfc3339
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.messages import Json
from mainspring_schema.toolsets import ListToolsets, name_of

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
    offset: Annotated[int, Meta(ge=0, le=bounds.RESUME_OFFSET_MAX)] = 0
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


async def _announced(services: Services, *names: str) -> tuple[CatalogueEntry, ...]:
    """Tools that workers have announced. An engine that is away, or older, knows of none."""
    try:
        found = await services.operator.inspect(ListToolsets(names=names))
    except MainspringError:
        return ()
    return tuple(toolsets.entry(toolset) for toolset in found.toolsets)


@table.route("GET", "/capabilities", query=CapabilityQuery, answer=CapabilityPage)
async def list_capabilities(call: Call[NoBody, CapabilityQuery]) -> Reply:
    """The capabilities an agent may name."""
    wanted, query = tokens(call.query.search), call.query
    found = [
        entry
        for entry in (*call.services.registry.catalogue(), *await _announced(call.services))
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


# ── guardrails ──────────────────────────────────────────────────────────────────────────────────


class GuardrailExampleView(Struct, frozen=True, kw_only=True):
    name: str
    display_name: str
    description: str
    config: Json
    stages: tuple[str, ...]
    check_types: tuple[str, ...]
    tags: tuple[str, ...]
    data_egress: str


class GuardrailExamples(Struct, frozen=True, kw_only=True):
    examples: tuple[GuardrailExampleView, ...]


class RehearsalBody(Struct, frozen=True, kw_only=True):
    config: Json
    stage: guarding.Stage
    text: Annotated[str, Meta(max_length=guarding.TEXT_CHARS_MAX)]
    tool_name: Annotated[str, Meta(max_length=200)] | None = None


class HitView(Struct, frozen=True, kw_only=True):
    check_id: str
    check_index: int
    rule_type: str
    stage: str
    action: str
    reason_code: str
    matched: str | None
    replacement: str | None


class RehearsalView(Struct, frozen=True, kw_only=True):
    blocked: bool
    hits: tuple[HitView, ...]


@table.route("GET", "/capabilities/guardrails/examples", answer=GuardrailExamples)
async def list_guardrail_examples(call: Call[NoBody, NoQuery]) -> Reply:
    """Configurations of guardrails to begin with."""
    del call
    return json_reply(GuardrailExamples(examples=tuple(map(_example, guardrails.EXAMPLES))))


@table.route("POST", "/capabilities/guardrails/dry-run", body=RehearsalBody, answer=RehearsalView)
async def rehearse_guardrails(call: Call[RehearsalBody, NoQuery]) -> Reply:
    """What a configuration of guardrails would find in a text. No model is asked to judge."""
    body = call.body
    ref = CapabilityRef(ref=guardrails.ID, config=body.config)
    rules = guardrails.rules(call.services.registry.resolve((ref,)))
    subject = guarding.Subject(stage=body.stage, text=body.text, tool_name=body.tool_name)
    found = () if rules is None else guarding.hits(rules, subject)
    shown = tuple(_hit(hit, body.stage) for hit in found)
    return json_reply(RehearsalView(blocked=guarding.blocking(found) is not None, hits=shown))


def _example(one: guardrails.Example) -> GuardrailExampleView:
    checks = one.rules.checks
    return GuardrailExampleView(
        name=one.name,
        display_name=one.display_name,
        description=one.description,
        config=one.config,
        stages=tuple(s for s in guarding.STAGES if one.rules.looks_at(s)),
        check_types=tuple(dict.fromkeys(check.type for check in checks)),
        tags=one.tags,
        data_egress=one.data_egress,
    )


def _hit(hit: guarding.Hit, stage: str) -> HitView:
    return HitView(
        check_id=hit.check_id,
        check_index=hit.index,
        rule_type=hit.check.type,
        stage=stage,
        action="block" if hit.blocks else "log",
        reason_code=hit.reason_code,
        matched=hit.matched,
        replacement=hit.check.replacement if hit.blocks else None,
    )


# ── one ─────────────────────────────────────────────────────────────────────────────────────────


@table.route("GET", "/capabilities/{capability_id:str}", answer=CapabilityOut)
async def get_capability(call: Call[NoBody, NoQuery]) -> Reply:
    """One capability."""
    wanted = call.path["capability_id"]
    name = name_of(wanted)
    announced = () if name is None else await _announced(call.services, name)
    for entry in (*call.services.registry.catalogue(), *announced):
        if wanted in {entry.info.id, *entry.info.aliases}:
            return json_reply(capability_out(entry))
    msg = "no such capability"
    raise NotFound(msg)
