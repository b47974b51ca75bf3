"""What the turn machine knows of the folded agent. The engine never reads the prompt."""

from uuid import UUID

from msgspec import Struct

from mainspring_kernel.ids import Prefix, from_wire
from mainspring_schema.agents import RuntimeAgent
from mainspring_schema.budgets import Subject
from mainspring_schema.events import ModelMetadata


class TurnAgent(Struct, frozen=True, kw_only=True):
    """`model_route` names provider and model for claiming; ids are in wire form."""

    config_hash: bytes
    harness_id: str
    agent_id: str | None
    agent_name: str | None
    agent_description: str | None
    model: ModelMetadata
    provider: str
    model_route: str
    max_iterations: int

    def subjects(self, session_id: UUID, org_id: UUID) -> tuple[Subject, ...]:
        """Whose budgets a model call of this agent in a session falls under."""
        those = (
            Subject(type="session", id=session_id),
            Subject(type="organization", id=org_id),
        )
        if self.agent_id is None:
            return those
        return (*those, Subject(type="agent", id=from_wire(Prefix.AGENT, self.agent_id)))


def turn_agent(config_hash: bytes, agent: RuntimeAgent) -> TurnAgent:
    return TurnAgent(
        config_hash=config_hash,
        harness_id=agent.harness_id,
        agent_id=agent.agent_id,
        agent_name=agent.agent_name,
        agent_description=agent.agent_description,
        model=ModelMetadata(
            model=agent.model.model,
            model_id=agent.model.model_id,
            provider_id=agent.model.provider_id,
        ),
        provider=agent.model.provider,
        model_route=f"{agent.model.provider_id}/{agent.model.model}",
        max_iterations=agent.max_iterations,
    )
