"""What the turn machine knows of the folded agent. The engine never reads the prompt."""

from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_kernel.ids import Prefix, from_wire
from mainspring_schema.agents import ModelChoice, Prices, RuntimeAgent
from mainspring_schema.budgets import Subject, subjects_of
from mainspring_schema.events import COST_DIGITS, ModelMetadata, Usage

_SPAWNING: Final = frozenset({"subagents", "background_execution"})
"""The capabilities whose calls spawn children."""


class AskedModel(Struct, frozen=True, kw_only=True):
    """One of the models that a call may go to."""

    metadata: ModelMetadata
    provider: str
    prices: Prices | None = None


class TurnAgent(Struct, frozen=True, kw_only=True):
    """`model_route` names provider and model for claiming; ids are in wire form.

    It is empty where there are fallbacks: a model that does not answer holds nothing up then, for
    the next attempt goes to another.
    """

    config_hash: bytes
    harness_id: str
    agent_id: str | None
    agent_name: str | None
    agent_description: str | None
    model: ModelMetadata
    provider: str
    model_route: str
    max_iterations: int
    fallbacks: tuple[AskedModel, ...] = ()
    ancestors: tuple[str, ...] = ()
    user: str | None = None
    spawns: bool = False
    """Whether it may give work to children."""
    prices: Prices | None = None
    """Of the first model."""
    judge_prices: Prices | None = None
    """Of whom guardrails ask, where that is not the first model."""

    def asked(self, choice: int) -> AskedModel:
        """The model at that place of the chain; the first one where there is no such place."""
        chain = self._chain()
        return chain[choice] if 0 <= choice < len(chain) else chain[0]

    def _chain(self) -> tuple[AskedModel, ...]:
        first = AskedModel(metadata=self.model, provider=self.provider, prices=self.prices)
        return (first, *self.fallbacks)

    @property
    def models(self) -> int:
        """How many a call may go to."""
        return 1 + len(self.fallbacks)

    def priced(self, usage: Usage, choice: int) -> Usage:
        """With what it cost at the model of that place, where that is known."""
        return _priced(usage, self.asked(choice).prices)

    def judged(self, usage: Usage) -> Usage:
        """The same of what judges have used."""
        return _priced(usage, self.judge_prices or self.prices)

    @property
    def token_usd(self) -> float:
        """What a million tokens cost at most, of whatever kind, at whichever model."""
        known = [one.prices for one in self._chain() if one.prices is not None]
        return max((max(one.input, one.output) for one in known), default=0.0)

    def subjects(self, session_id: UUID, org_id: UUID) -> tuple[Subject, ...]:
        """Whose budgets a model call of this agent in a session falls under; its own first."""
        return subjects_of(
            session_id=session_id,
            above=self.ancestors,
            org_id=org_id,
            user=self.user,
            agent_id=None if self.agent_id is None else from_wire(Prefix.AGENT, self.agent_id),
        )


def turn_agent(config_hash: bytes, agent: RuntimeAgent) -> TurnAgent:
    fallbacks = tuple(
        AskedModel(metadata=_metadata(choice), provider=choice.provider, prices=choice.prices)
        for choice in agent.model.fallbacks
    )
    return TurnAgent(
        config_hash=config_hash,
        harness_id=agent.harness_id,
        agent_id=agent.agent_id,
        agent_name=agent.agent_name,
        agent_description=agent.agent_description,
        model=_metadata(agent.model),
        provider=agent.model.provider,
        model_route="" if fallbacks else f"{agent.model.provider_id}/{agent.model.model}",
        max_iterations=agent.max_iterations,
        fallbacks=fallbacks,
        ancestors=agent.ancestors,
        user=agent.user,
        prices=agent.model.prices,
        judge_prices=None if agent.judge is None else agent.judge.prices,
        spawns=any(ref.ref in _SPAWNING for ref in agent.capabilities),
    )


def _priced(usage: Usage, prices: Prices | None) -> Usage:
    if prices is None:
        return usage
    cost = round(prices.cost_usd(usage), COST_DIGITS)
    return msgspec.structs.replace(usage, estimated_cost_usd=cost)


def _metadata(choice: ModelChoice) -> ModelMetadata:
    return ModelMetadata(
        model=choice.model, model_id=choice.model_id, provider_id=choice.provider_id
    )
