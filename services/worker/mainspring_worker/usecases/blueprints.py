"""Agents with their capabilities applied, by configuration hash; made once, used by every call."""

from typing import Final

from msgspec import Struct

from mainspring_harness.hashing import stable_digest
from mainspring_harness.prompt import Blueprint, blueprint, system_prompt
from mainspring_harness.registry import Registry
from mainspring_kernel.limits import CONFIG_CACHE_ENTRIES_MAX, CONTEXT_CACHE_BYTES_MAX
from mainspring_schema.agents import RuntimeAgent
from mainspring_workstream.cache import Cache

_PER_PROMPT: Final = 4
"""A blueprint holds its tools and texts several times over; a rough factor is enough."""


class Prepared(Struct, frozen=True, kw_only=True):
    """What all prompts of one configuration share. `digest` covers everything but the messages."""

    plan: Blueprint
    system: str
    digest: bytes


class Blueprints:
    """One per worker."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: Cache[bytes, Prepared] = Cache(
            entries_max=CONFIG_CACHE_ENTRIES_MAX, bytes_max=CONTEXT_CACHE_BYTES_MAX // 4
        )

    def prepare(self, hash_: bytes, agent: RuntimeAgent) -> Prepared:
        """Raises what `Registry.resolve` raises: this worker lacks a capability, or refuses it."""
        kept = self._kept.get(hash_)
        if kept is None:
            kept = _prepare(agent, self._registry)
            size = _PER_PROMPT * (len(kept.system) + 1024 * (1 + len(kept.plan.tools)))
            self._kept.put(hash_, kept, size=size)
        return kept


def _prepare(agent: RuntimeAgent, registry: Registry) -> Prepared:
    plan = blueprint(agent, registry)
    system = system_prompt(plan)
    return Prepared(plan=plan, system=system, digest=stable_digest(plan, system))
