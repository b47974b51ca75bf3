"""Findings about an agent on the wire."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from mainspring_api.adapters.http.wire.tiers import Prompt, or_unset
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.analysis import Analysed, Category, Finding, Severity
from mainspring_kernel import limits
from mainspring_schema.agents import CapabilityRef, ToolDefinition
from mainspring_schema.messages import Json


class AnalysedCapability(Struct, frozen=True, kw_only=True):
    ref: Annotated[str, Meta(max_length=200)]
    config: Json | None = None


class AnalysedTool(Struct, frozen=True, kw_only=True):
    """More lenient than where a tool is stored: what is wrong becomes a finding."""

    name: Annotated[str, Meta(max_length=200)]
    description: str = ""
    parameters: Json = field(default_factory=dict)


class AnalysisBody(Struct, frozen=True, kw_only=True, rename={"mcp_servers": "mcpServers"}):
    system_prompt: Prompt
    capabilities: Annotated[
        list[AnalysedCapability], Meta(max_length=limits.CAPABILITIES_PER_AGENT_MAX)
    ] = field(default_factory=list)
    tools: Annotated[list[AnalysedTool], Meta(max_length=bounds.TOOLS_PER_AGENT_MAX)] = field(
        default_factory=list
    )
    mcp_servers: Json | None = None


class Location(Struct, frozen=True, kw_only=True):
    field: str
    start: int | UnsetType = UNSET
    end: int | UnsetType = UNSET


class FindingView(Struct, frozen=True, kw_only=True):
    rule_id: str
    severity: Severity
    category: Category
    source: str
    message: str
    fix: str | None
    location: Location | None


class AnalysisView(Struct, frozen=True, kw_only=True):
    findings: tuple[FindingView, ...]


def analysed(body: AnalysisBody) -> Analysed:
    return Analysed(
        system_prompt=body.system_prompt,
        capabilities=tuple(
            CapabilityRef(ref=one.ref, config=one.config) for one in body.capabilities
        ),
        tools=tuple(
            ToolDefinition(name=one.name, description=one.description, parameters=one.parameters)
            for one in body.tools
        ),
        mcp_servers=body.mcp_servers or {},
    )


def finding_view(found: Finding) -> FindingView:
    """`source` says who found it: rules of ours, no model."""
    at = None
    if found.at is not None:
        at = Location(field=found.at, start=or_unset(found.start), end=or_unset(found.end))
    return FindingView(
        rule_id=found.rule_id,
        severity=found.severity,
        category=found.category,
        source="rules",
        message=found.message,
        fix=found.fix,
        location=at,
    )
