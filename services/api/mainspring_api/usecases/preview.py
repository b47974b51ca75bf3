"""Shows what the tiers fold into, before anything is sent to a model."""

from msgspec import Struct, structs

from mainspring_api.domain import catalogue
from mainspring_api.domain.resources import Agent
from mainspring_api.domain.tiers import Tiers, folded_agent, folded_tiers, reads_instructions
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.ports.store import Store, Transaction
from mainspring_api.usecases import agents, harnesses
from mainspring_api.usecases.agents import AgentDraft
from mainspring_api.usecases.configuration import instructions, load_tiers
from mainspring_api.usecases.mcp_servers import with_own_servers
from mainspring_api.usecases.pinning import choose
from mainspring_api.usecases.providers import with_own_model
from mainspring_harness import toolsets
from mainspring_harness.folding import Folded
from mainspring_harness.prompt import Blueprint, blueprint, system_prompt
from mainspring_harness.registry import Registry
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import AgentId, OrgId, SessionId
from mainspring_schema.agents import RuntimeAgent
from mainspring_schema.toolsets import ListToolsets


class Preview(Struct, frozen=True, kw_only=True):
    """The folded agent with its capabilities applied, and where each value came from."""

    agent: RuntimeAgent
    folded: Folded
    plan: Blueprint
    system_prompt: str


async def of_session(
    store: Store, registry: Registry, org_id: OrgId, session_id: SessionId
) -> Preview:
    """Exactly what the session's next turn works with. Raises NotFound."""
    tiers = await load_tiers(store, org_id, session_id)
    return preview(registry, tiers, await instructions(store, org_id, session_id))


async def of_agent(
    tx: Transaction, registry: Registry, draft: AgentDraft, *, id_: AgentId, now_ms: int
) -> Preview:
    """An agent that need not exist. Raises NotFound for an unknown harness."""
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    harness_id = (
        (await harnesses.get(tx, draft.harness)).id
        if draft.harness is not None
        else organization.default_harness_id or catalogue.GENERIC_HARNESS_ID
    )
    agent = Agent(
        org_id=organization.id,
        id=id_,
        name=draft.name,
        display_name=draft.display_name,
        description=draft.description,
        harness_id=harness_id,
        tier=draft.tier,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    tiers = Tiers(
        harnesses=await harnesses.chain(tx, harness_id),
        agent=agent,
        default_model_id=organization.default_model_id,
    )
    return preview(registry, await with_own_model(tx, await with_own_servers(tx, tiers)))


async def of_stored_agent(tx: Transaction, registry: Registry, ref: str) -> Preview:
    """An agent as new sessions get it: in its default version, where it has one.

    Raises NotFound.
    """
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    chosen = await choose(tx, await agents.get(tx, ref), None)
    tiers = Tiers(
        harnesses=await harnesses.chain(tx, chosen.agent.harness_id),
        agent=chosen.agent,
        default_model_id=organization.default_model_id,
    )
    return preview(registry, await with_own_model(tx, await with_own_servers(tx, tiers)))


async def announced(operator: OperatorDoor, registry: Registry, shown: Preview) -> Preview:
    """The same with the tools that workers have announced. Raises Unavailable."""
    names = toolsets.names(shown.agent.capabilities)
    if not names:
        return shown
    told = await operator.inspect(ListToolsets(names=names))
    agent = toolsets.with_toolsets(shown.agent, told.toolsets, lenient=True)
    plan = blueprint(agent, registry)
    return structs.replace(shown, agent=agent, plan=plan, system_prompt=system_prompt(plan))


def preview(registry: Registry, tiers: Tiers, said: str | None = None) -> Preview:
    """`said` is what the workspace says, if the agent listens.

    Raises what the registry raises for unknown or wrong capabilities.
    """
    folded = folded_tiers(tiers)
    agent = folded_agent(tiers, folded)
    if reads_instructions(agent):
        agent = structs.replace(agent, agent_instructions=said)
    plan = blueprint(agent, registry)
    return Preview(agent=agent, folded=folded, plan=plan, system_prompt=system_prompt(plan))
