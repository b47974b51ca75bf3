"""The folded result of the tiers, and who said what, on the wire."""

from msgspec import Struct

from mainspring_api.adapters.http.wire.tiers import (
    CapabilityView,
    NetworkView,
    ToolView,
    capability_views,
    network_view,
    tool_view,
)
from mainspring_api.usecases.preview import Preview
from mainspring_harness.folding import Origin
from mainspring_schema.agents import ModelChoice


class OriginView(Struct, frozen=True, kw_only=True):
    """`tier` is default, harness, agent, session or message."""

    tier: str
    id: str | None
    name: str | None


class PromptLayer(Struct, frozen=True, kw_only=True):
    text: str
    origin: OriginView


class AppliedView(Struct, frozen=True, kw_only=True):
    """`needed_by` names the capability that pulled it in."""

    id: str
    name: str
    needed_by: str | None


class ModelView(Struct, frozen=True, kw_only=True):
    model_id: str
    model: str
    provider: str
    driver: str
    origin: OriginView | None


class PreviewView(Struct, frozen=True, kw_only=True):
    """`system_prompt` is the text a model gets; `prompts` are the tiers' own parts of it."""

    harness_id: str
    agent_id: str | None
    system_prompt: str
    prompts: tuple[PromptLayer, ...]
    capabilities: tuple[CapabilityView, ...]
    applied_capabilities: tuple[AppliedView, ...]
    tools: tuple[ToolView, ...]
    model: ModelView
    max_iterations: int
    parallel_tool_calls: bool
    network_access: NetworkView | None


def preview_view(shown: Preview) -> PreviewView:
    agent, folded = shown.agent, shown.folded
    origin = folded.model_id.origin if folded.model_id else None
    return PreviewView(
        harness_id=agent.harness_id,
        agent_id=agent.agent_id,
        system_prompt=shown.system_prompt,
        prompts=tuple(
            PromptLayer(text=part.value, origin=origin_view(part.origin)) for part in folded.prompts
        ),
        capabilities=capability_views(agent.capabilities),
        applied_capabilities=tuple(
            AppliedView(id=one.id, name=one.capability.info.name, needed_by=one.needed_by)
            for one in shown.plan.applied
        ),
        tools=tuple(tool_view(tool) for tool in shown.plan.definitions),
        model=_model(agent.model, origin),
        max_iterations=agent.max_iterations,
        parallel_tool_calls=agent.parallel_tool_calls,
        network_access=network_view(agent.network_access),
    )


def _model(model: ModelChoice, origin: Origin | None) -> ModelView:
    return ModelView(
        model_id=model.model_id,
        model=model.model,
        provider=model.provider,
        driver=model.driver,
        origin=origin_view(origin) if origin is not None else None,
    )


def origin_view(origin: Origin) -> OriginView:
    return OriginView(tier=origin.tier, id=origin.id or None, name=origin.name or None)
