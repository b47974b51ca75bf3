"""Sessions keep the harness and the agent they were made with, and migrate when asked to."""

from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain import pinning, versions
from mainspring_api.domain.differences import Difference, differences
from mainspring_api.domain.pinning import BaseRecord
from mainspring_api.domain.resources import Agent, Session
from mainspring_api.domain.tiers import Tiers, folded_agent, folded_tiers
from mainspring_api.domain.versions import AgentVersion
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import harnesses
from mainspring_api.usecases.known import known_session
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import SessionId
from mainspring_schema.messages import Json


class Chosen(Struct, frozen=True, kw_only=True):
    """An agent in one of its versions; without a version as it is now."""

    agent: Agent
    version_id: UUID | None = None


class Migration(Struct, frozen=True, kw_only=True):
    """What would become of a session, and what that changes in the agent its turns work with."""

    session: Session
    base: BaseRecord
    changes: tuple[Difference, ...]


async def choose(tx: Transaction, agent: Agent, version_id: UUID | None) -> Chosen:
    """The version asked for, else the agent's default. Raises NotFound."""
    wanted = version_id or agent.default_version_id
    if wanted is None:
        return Chosen(agent=agent)
    version = await tx.record(AgentVersion, wanted)
    if version is None or version.agent_id != agent.id:
        msg = "no such version"
        raise NotFound(msg)
    return Chosen(agent=versions.applied(agent, version), version_id=version.id)


async def pin(tx: Transaction, session: Session, base: BaseRecord) -> Session:
    """The session with its base, which is stored where no other session has it yet."""
    if await tx.record(BaseRecord, base.id) is None:
        await tx.put_record(base)
    tier = msgspec.structs.replace(session.tier, base=base.pinned())
    return msgspec.structs.replace(session, tier=tier)


async def tiers_of(tx: Transaction, session: Session) -> Tiers:
    """What the session's next turn works with. Raises NotFound."""
    pinned = session.tier.base
    if pinned is None:
        return await _live(tx, session, None)
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    base = pinning.found(await tx.record(BaseRecord, pinned.id))
    bare = Tiers(harnesses=base.harnesses, session=session, org_rev=organization.rev)
    return pinning.on_base(bare, base)


async def _live(tx: Transaction, session: Session, chosen: Chosen | None) -> Tiers:
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    agent = chosen.agent if chosen else None
    if agent is None and session.agent_id is not None:
        agent = await tx.agent(session.agent_id)
    return Tiers(
        harnesses=await harnesses.chain(tx, session.harness_id),
        agent=agent,
        session=session,
        default_model_id=organization.default_model_id,
        org_rev=organization.rev,
    )


async def plan(
    tx: Transaction, id_: SessionId, version_id: UUID | None, *, now_ms: int
) -> Migration:
    """From what the session keeps to what is there now. Raises NotFound, also for a lost agent."""
    session = await known_session(tx, id_, lock=True)
    agent = await tx.agent(session.agent_id) if session.agent_id is not None else None
    if agent is None and session.agent_id is not None:
        msg = "the session's agent was deleted: it goes on as it is"
        raise NotFound(msg)
    chosen = await choose(tx, agent, version_id) if agent is not None else None
    after = await _live(tx, session, chosen)
    base = pinning.base_of(after, chosen.version_id if chosen else None, now_ms=now_ms)
    before = await tiers_of(tx, session)
    return Migration(
        session=session, base=base, changes=differences(_resolved(before), _resolved(after))
    )


async def migrate(
    tx: Transaction, id_: SessionId, version_id: UUID | None, *, now_ms: int
) -> Migration:
    """The next message works with what is there now. Raises NotFound."""
    planned = await plan(tx, id_, version_id, now_ms=now_ms)
    moved = await pin(tx, planned.session, planned.base)
    moved = msgspec.structs.replace(moved, rev=moved.rev + 1, updated_ms=now_ms)
    await tx.put_session(moved)
    return msgspec.structs.replace(planned, session=moved)


def _resolved(tiers: Tiers) -> Json:
    runtime = folded_agent(tiers, folded_tiers(tiers))
    return msgspec.convert(msgspec.to_builtins(runtime), Json)
