"""Agents: created or updated by id or by name, archived, deleted, and found again."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from mainspring_api.domain import catalogue
from mainspring_api.domain.naming import can_name, check_name, numbered
from mainspring_api.domain.resources import Agent, Status, Tier
from mainspring_api.domain.versions import Authored, authored
from mainspring_api.ports.store import Listed, Transaction
from mainspring_api.usecases import harnesses
from mainspring_kernel.errors import Conflict, NameTaken, NotFound
from mainspring_kernel.ids import AgentId, HarnessId, Prefix, from_wire


class AgentDraft(Struct, frozen=True, kw_only=True):
    """What a client says of an agent. Without harness the organization's default is taken."""

    name: str
    display_name: str | None = None
    description: str | None = None
    harness: str | None = None
    tier: Tier


class Upserted(Struct, frozen=True, kw_only=True):
    agent: Agent
    created: bool


async def upsert(
    tx: Transaction, draft: AgentDraft, *, given_id: AgentId | None, new_id: AgentId, now_ms: int
) -> Upserted:
    """The agent with this id, or with this name, becomes what the draft says; archived ones wake.

    Raises NameTaken where the id is one agent's and the name another's, NotFound where the harness
    is not there, ValidationFailed for a name that none can have.
    """
    check_name(draft.name)
    harness_id = await _harness_id(tx, draft.harness)
    known = await tx.agent(given_id, lock=True) if given_id is not None else None
    named = await tx.agent_named(draft.name, lock=True)
    if known is None and named is not None and given_id in {None, named.id}:
        known = named
    if named is not None and (known is None or named.id != known.id):
        msg = f"another agent is named {draft.name!r}"
        raise NameTaken(msg)
    if known is not None:
        return Upserted(agent=await _replace(tx, known, draft, harness_id, now_ms), created=False)
    agent = await _new(tx, draft, given_id or new_id, harness_id, now_ms)
    await tx.put_agent(agent)
    return Upserted(agent=agent, created=True)


async def add(tx: Transaction, draft: AgentDraft, *, new_id: AgentId, now_ms: int) -> Agent:
    """A new agent, whose name is the draft's, or that with a number behind it if it is taken.

    Raises Conflict where too many names are taken.
    """
    name = await _free_name(tx, check_name(draft.name))
    harness_id = await _harness_id(tx, draft.harness)
    free = msgspec.structs.replace(draft, name=name)
    agent = await _new(tx, free, new_id, harness_id, now_ms)
    await tx.put_agent(agent)
    return agent


async def _new(
    tx: Transaction, draft: AgentDraft, id_: AgentId, harness_id: HarnessId, now_ms: int
) -> Agent:
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    return Agent(
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


async def _replace(
    tx: Transaction, known: Agent, draft: AgentDraft, harness_id: HarnessId, now_ms: int
) -> Agent:
    changed = msgspec.structs.replace(
        known,
        name=draft.name,
        display_name=draft.display_name,
        description=draft.description,
        harness_id=harness_id,
        tier=draft.tier,
        status="active",
        archived_ms=None,
        rev=known.rev + 1,
        updated_ms=now_ms,
    )
    await tx.put_agent(changed)
    return changed


async def get(tx: Transaction, ref: str, *, lock: bool = False) -> Agent:
    """By id or by name. Raises NotFound."""
    agent = (
        await tx.agent(AgentId(from_wire(Prefix.AGENT, ref)), lock=lock)
        if ref.startswith(f"{Prefix.AGENT}_")
        else await _named(tx, ref, lock=lock)
    )
    if agent is None:
        msg = f"no agent {ref[:64]!r}"
        raise NotFound(msg)
    return agent


async def _named(tx: Transaction, name: str, *, lock: bool) -> Agent | None:
    return await tx.agent_named(name, lock=lock) if can_name(name) else None


async def list_page(tx: Transaction, listed: Listed) -> tuple[Sequence[Agent], int]:
    """Newest first, and how many match."""
    return await tx.agents(listed)


async def change(
    tx: Transaction, agent: Agent, draft: AgentDraft, *, status: Status | None, now_ms: int
) -> Agent:
    """`agent` was read with its lock. Raises NameTaken, NotFound, ValidationFailed, as `upsert`."""
    if draft.name != agent.name:
        check_name(draft.name)
        if await tx.agent_named(draft.name) is not None:
            msg = f"another agent is named {draft.name!r}"
            raise NameTaken(msg)
    harness_id = agent.harness_id if draft.harness is None else await _harness_id(tx, draft.harness)
    changed = await _replace(tx, agent, draft, harness_id, now_ms)
    wanted = status or agent.status
    if wanted == "active":
        return changed
    archived = msgspec.structs.replace(
        changed, status=wanted, archived_ms=agent.archived_ms or now_ms
    )
    await tx.put_agent(archived)
    return archived


async def archive(tx: Transaction, ref: str, *, now_ms: int) -> None:
    """Its sessions go on; archiving an archived one changes nothing."""
    agent = await get(tx, ref, lock=True)
    if agent.status != "archived":
        archived = msgspec.structs.replace(
            agent, status="archived", archived_ms=now_ms, updated_ms=now_ms, rev=agent.rev + 1
        )
        await tx.put_agent(archived)


async def delete(tx: Transaction, ref: str, *, now_ms: int) -> Agent:
    """For good: its name is free again, its sessions go on. Raises Conflict unless archived."""
    agent = await get(tx, ref, lock=True)
    if agent.status != "archived":
        msg = "only an archived agent can be deleted"
        raise Conflict(msg)
    gone = msgspec.structs.replace(agent, status="deleted", updated_ms=now_ms, rev=agent.rev + 1)
    await tx.put_agent(gone)
    return gone


async def copy(tx: Transaction, ref: str, *, new_id: AgentId, now_ms: int) -> Agent:
    """The same under another name. Raises NotFound, Conflict where too many names are taken."""
    agent = await get(tx, ref)
    name = await _free_name(tx, f"{agent.name}-copy")
    new = descendant(agent, authored(agent), new_id, name=name, now_ms=now_ms)
    await tx.put_agent(new)
    return new


async def _free_name(tx: Transaction, wanted: str) -> str:
    for name in numbered(wanted):
        if await tx.agent_named(name) is None:
            return name
    msg = f"too many agents are named {wanted!r}"
    raise Conflict(msg)


def descendant(agent: Agent, words: Authored, id_: AgentId, *, name: str, now_ms: int) -> Agent:
    """A new agent that knows where it came from. Raises ValidationFailed for no name."""
    return Agent(
        org_id=agent.org_id,
        id=id_,
        name=check_name(name),
        display_name=words.display_name,
        description=words.description,
        harness_id=words.harness_id,
        tier=words.tier,
        created_ms=now_ms,
        updated_ms=now_ms,
        forked_from_agent_id=agent.id,
        root_agent_id=agent.root_agent_id or agent.id,
    )


async def _harness_id(tx: Transaction, ref: str | None) -> HarnessId:
    if ref is not None:
        return (await harnesses.get(tx, ref)).id
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    return organization.default_harness_id or catalogue.GENERIC_HARNESS_ID
