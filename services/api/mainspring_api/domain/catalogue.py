"""What every organization has from the start: harnesses, providers and models of the house.

They are code and no rows, so a new version brings its own without a migration; an organization's
rows stand beside them.
"""

from typing import Final
from uuid import UUID

from msgspec import Struct

from mainspring_api.domain.resources import Harness, Tier
from mainspring_kernel.ids import (
    ANTHROPIC_PROVIDER_ID,
    FIRST_HARNESS_ID,
    GEMINI_PROVIDER_ID,
    LLMSIM_LATENCY_MODEL_ID,
    LLMSIM_MODEL_ID,
    LLMSIM_PROVIDER_ID,
    OPENAI_PROVIDER_ID,
    HarnessId,
    ModelId,
    OrgId,
    Prefix,
    ProviderId,
    to_wire,
)
from mainspring_schema.agents import NO_DRIVER, CapabilityRef, ModelChoice

CREATED_MS: Final = 1_763_769_600_000
"""When this catalogue was first published."""

BASE_HARNESS_ID: Final = FIRST_HARNESS_ID
GENERIC_HARNESS_ID: Final = HarnessId(UUID(int=FIRST_HARNESS_ID.int + 1))
WORKBENCH_HARNESS_ID: Final = HarnessId(UUID(int=FIRST_HARNESS_ID.int + 2))
GENERIC_HARNESS_NAME: Final = "generic"


class Provider(Struct, frozen=True, kw_only=True):
    """`key_name` names the setting its key comes from; None where no key is needed."""

    id: ProviderId
    name: str
    driver: str
    key_name: str | None = None


class Model(Struct, frozen=True, kw_only=True):
    id: ModelId
    provider_id: ProviderId
    model: str
    display_name: str
    capabilities: tuple[str, ...] = ("chat",)


PROVIDERS: Final[dict[ProviderId, Provider]] = {
    provider.id: provider
    for provider in (
        Provider(id=LLMSIM_PROVIDER_ID, name="LlmSim", driver="llmsim"),
        Provider(id=OPENAI_PROVIDER_ID, name="OpenAI", driver="openai", key_name="openai"),
        Provider(
            id=ANTHROPIC_PROVIDER_ID, name="Anthropic", driver="anthropic", key_name="anthropic"
        ),
        Provider(id=GEMINI_PROVIDER_ID, name="Gemini", driver="gemini", key_name="gemini"),
    )
}


def _model(low: int, provider: ProviderId, model: str, display_name: str) -> Model:
    id_ = ModelId(UUID(int=LLMSIM_MODEL_ID.int - 0x401 + low))
    return Model(id=id_, provider_id=provider, model=model, display_name=display_name)


MODELS: Final[dict[ModelId, Model]] = {
    model.id: model
    for model in (
        Model(
            id=LLMSIM_MODEL_ID,
            provider_id=LLMSIM_PROVIDER_ID,
            model="llmsim",
            display_name="Simulated model",
        ),
        Model(
            id=LLMSIM_LATENCY_MODEL_ID,
            provider_id=LLMSIM_PROVIDER_ID,
            model="llmsim-latency",
            display_name="Simulated model with realistic latency",
        ),
        _model(0x101, OPENAI_PROVIDER_ID, "gpt-5.2", "GPT-5.2"),
        _model(0x102, OPENAI_PROVIDER_ID, "gpt-5-mini", "GPT-5 mini"),
        _model(0x201, ANTHROPIC_PROVIDER_ID, "claude-sonnet-4-5", "Claude Sonnet 4.5"),
        _model(0x202, ANTHROPIC_PROVIDER_ID, "claude-haiku-4-5", "Claude Haiku 4.5"),
        _model(0x301, GEMINI_PROVIDER_ID, "gemini-3-pro-preview", "Gemini 3 Pro"),
        _model(0x302, GEMINI_PROVIDER_ID, "gemini-2.5-flash", "Gemini 2.5 Flash"),
    )
}


def models_of_driver(driver: str) -> tuple[Model, ...]:
    return tuple(m for m in MODELS.values() if PROVIDERS[m.provider_id].driver == driver)


WORKBENCH_CAPABILITIES: Final = tuple(
    CapabilityRef(ref=ref)
    for ref in (
        "session_file_system",
        "bashkit_shell",
        "web_fetch",
        "session_storage",
        "session",
        "agent_instructions",
        "skills",
        "tool_search",
        "tool_output_persistence",
        "compaction",
        "loop_detection",
    )
)
"""Not what `generic` has: an agent that shall only talk would get hands that nobody asked for, and
each of its messages would cost the statements that look for the workspace's AGENTS.md."""


class BuiltIn(Struct, frozen=True, kw_only=True):
    """A harness of every organization, without what makes it one organization's."""

    id: HarnessId
    name: str
    display_name: str
    description: str
    tier: Tier = Tier()
    parent_id: HarnessId | None = None


BUILT_IN_HARNESSES: Final = (
    BuiltIn(
        id=BASE_HARNESS_ID,
        name="base",
        display_name="Base",
        description="A helpful assistant without capabilities.",
        tier=Tier(system_prompt="You are a helpful assistant."),
    ),
    BuiltIn(
        id=GENERIC_HARNESS_ID,
        name=GENERIC_HARNESS_NAME,
        display_name="Generic",
        description="The default environment of an agent.",
        parent_id=BASE_HARNESS_ID,
    ),
    BuiltIn(
        id=WORKBENCH_HARNESS_ID,
        name="workbench",
        display_name="Workbench",
        description="Files, a shell, the web, skills, and a conversation that stays readable.",
        parent_id=GENERIC_HARNESS_ID,
        tier=Tier(capabilities=WORKBENCH_CAPABILITIES),
    ),
)
"""`base` says little and can do nothing; `generic` is what an agent gets without asking;
`workbench` is what an agent needs that works alone."""


def built_in_harnesses(org_id: OrgId) -> tuple[Harness, ...]:
    """As one organization has them."""
    return tuple(
        Harness(
            org_id=org_id,
            id=one.id,
            name=one.name,
            display_name=one.display_name,
            description=one.description,
            parent_id=one.parent_id,
            built_in=True,
            tier=one.tier,
            created_ms=CREATED_MS,
            updated_ms=CREATED_MS,
        )
        for one in BUILT_IN_HARNESSES
    )


def built_in_harness(org_id: OrgId, id_: HarnessId) -> Harness | None:
    return next((h for h in built_in_harnesses(org_id) if h.id == id_), None)


def model_choice(model_id: ModelId) -> ModelChoice:
    """What a worker needs to call it. A model nobody knows is chosen all the same: its turn fails
    visibly, and the message that asked for it is not lost."""
    model = MODELS.get(model_id)
    wire = to_wire(Prefix.MODEL, model_id)
    if model is None:
        return ModelChoice(
            model_id=wire, model="", provider_id="", driver=NO_DRIVER, provider=NO_DRIVER
        )
    provider = PROVIDERS[model.provider_id]
    return ModelChoice(
        model_id=wire,
        model=model.model,
        provider_id=to_wire(Prefix.PROVIDER, provider.id),
        driver=provider.driver,
        provider=provider.name,
    )
