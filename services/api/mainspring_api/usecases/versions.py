"""Versions of an agent: saved, compared, restored, and forked into agents of their own."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain import versions
from mainspring_api.domain.limits import AGENT_VERSIONS_MAX
from mainspring_api.domain.resources import Agent
from mainspring_api.domain.tiers import Tiers, folded_agent, folded_tiers
from mainspring_api.domain.versions import AgentVersion, Authored, ChangeKind
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import agents, harnesses
from mainspring_kernel.errors import Conflict, NameTaken, NotFound
from mainspring_kernel.ids import AgentId, Ids, Prefix, from_wire
from mainspring_schema.messages import Json


class VersionDraft(Struct, frozen=True, kw_only=True):
    """What is said of a version beside what the agent is."""

    change: ChangeKind = "manual"
    summary: str | None = None
    source_id: UUID | None = None


class ForkDraft(Struct, frozen=True, kw_only=True):
    """The new agent's own words; what is left out is taken from the version."""

    name: str
    display_name: str | None = None
    description: str | None = None


class Rollback(Struct, frozen=True, kw_only=True):
    """With `save_version` what the agent is now is not lost, and the rollback has a version."""

    save_version: bool = True
    summary: str | None = None


async def save(
    tx: Transaction, ref: str, draft: VersionDraft, *, ids: Ids, now_ms: int
) -> AgentVersion:
    """The agent as it is, under the next number. Raises NotFound."""
    return await save_agent(tx, await agents.get(tx, ref, lock=True), draft, ids=ids, now_ms=now_ms)


async def save_agent(
    tx: Transaction, agent: Agent, draft: VersionDraft, *, ids: Ids, now_ms: int
) -> AgentVersion:
    """`agent` was read with its lock, which keeps the numbers dense. Raises Conflict when full."""
    newest = await _newest(tx, agent)
    number = newest.number + 1 if newest else 1
    if number > AGENT_VERSIONS_MAX:
        msg = f"an agent has at most {AGENT_VERSIONS_MAX} versions"
        raise Conflict(msg)
    written = versions.authored(agent)
    version = AgentVersion(
        org_id=agent.org_id,
        id=ids.uuid7(),
        owner_id=agent.id,
        key=str(number),
        created_ms=now_ms,
        updated_ms=now_ms,
        number=number,
        semver=versions.following(newest.semver, draft.change) if newest else versions.FIRST,
        change=draft.change,
        authored=written,
        resolved=await _resolved(tx, agent),
        config_hash=versions.hash_of(written),
        parent_id=newest.id if newest else None,
        source_id=draft.source_id,
        summary=draft.summary,
    )
    await tx.put_record(version)
    return version


async def list_all(tx: Transaction, ref: str) -> Sequence[AgentVersion]:
    """Newest first. Raises NotFound."""
    agent = await agents.get(tx, ref)
    found = await tx.records(AgentVersion, agent.id, limit=AGENT_VERSIONS_MAX)
    return sorted(found, key=lambda version: version.number, reverse=True)


async def get(tx: Transaction, agent: Agent, version_ref: str) -> AgentVersion:
    """Raises NotFound, also for a version of another agent."""
    version = await tx.record(AgentVersion, from_wire(Prefix.AGENT_VERSION, version_ref))
    if version is None or version.agent_id != agent.id:
        msg = "no such version"
        raise NotFound(msg)
    return version


async def set_default(tx: Transaction, ref: str, version_ref: str, *, now_ms: int) -> Agent:
    """New sessions get this version, whatever becomes of the agent. Raises NotFound."""
    agent = await agents.get(tx, ref, lock=True)
    version = await get(tx, agent, version_ref)
    changed = msgspec.structs.replace(
        agent, default_version_id=version.id, rev=agent.rev + 1, updated_ms=now_ms
    )
    await tx.put_agent(changed)
    return changed


async def fork(
    tx: Transaction, ref: str, version_ref: str, draft: ForkDraft, *, ids: Ids, now_ms: int
) -> Agent:
    """Raises NotFound, NameTaken, ValidationFailed."""
    agent = await agents.get(tx, ref)
    version = await get(tx, agent, version_ref)
    words = Authored(
        display_name=draft.display_name or version.authored.display_name,
        description=draft.description or version.authored.description,
        harness_id=version.authored.harness_id,
        tier=version.authored.tier,
    )
    new = agents.descendant(agent, words, AgentId(ids.uuid7()), name=draft.name, now_ms=now_ms)
    new = msgspec.structs.replace(new, forked_from_version_id=version.id)
    if await tx.agent_named(new.name) is not None:
        msg = f"another agent is named {draft.name!r}"
        raise NameTaken(msg)
    await tx.put_agent(new)
    first = VersionDraft(change="fork", summary=version.summary, source_id=version.id)
    await save_agent(tx, new, first, ids=ids, now_ms=now_ms)
    return new


async def roll_back(
    tx: Transaction, ref: str, version_ref: str, wish: Rollback, *, ids: Ids, now_ms: int
) -> Agent:
    """The agent becomes what it was. Raises NotFound."""
    agent = await agents.get(tx, ref, lock=True)
    version = await get(tx, agent, version_ref)
    if wish.save_version:
        await _keep_unsaved(tx, agent, ids=ids, now_ms=now_ms)
    changed = msgspec.structs.replace(
        versions.applied(agent, version), rev=agent.rev + 1, updated_ms=now_ms
    )
    await tx.put_agent(changed)
    if wish.save_version:
        draft = VersionDraft(change="rollback", summary=wish.summary, source_id=version.id)
        await save_agent(tx, changed, draft, ids=ids, now_ms=now_ms)
    return changed


async def _keep_unsaved(tx: Transaction, agent: Agent, *, ids: Ids, now_ms: int) -> None:
    newest = await _newest(tx, agent)
    if newest is None or newest.config_hash != versions.hash_of(versions.authored(agent)):
        await save_agent(tx, agent, VersionDraft(change="auto"), ids=ids, now_ms=now_ms)


async def _newest(tx: Transaction, agent: Agent) -> AgentVersion | None:
    """By number: none is ever removed, so there are as many as the highest says."""
    count = await tx.count_records(AgentVersion, agent.id)
    return await tx.record_keyed(AgentVersion, agent.id, str(count)) if count else None


async def _resolved(tx: Transaction, agent: Agent) -> Json:
    organization = await tx.organization()
    tiers = Tiers(
        harnesses=await harnesses.chain(tx, agent.harness_id),
        agent=agent,
        default_model_id=organization.default_model_id if organization else None,
    )
    runtime = folded_agent(tiers, folded_tiers(tiers))
    return msgspec.convert(msgspec.to_builtins(runtime), Json)
