"""Sessions: created with their log in one transaction, read with their head, deleted through it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain import catalogue, pinning
from mainspring_api.domain.limits import FORKS_RELEASED_MAX
from mainspring_api.domain.resources import Session, Tier
from mainspring_api.domain.tiers import Tiers, folded_tiers
from mainspring_api.ports.control import Control
from mainspring_api.ports.log import HeadView, Log
from mainspring_api.ports.store import Listed, Store, Transaction
from mainspring_api.usecases import agents, files, harnesses, session_ends
from mainspring_api.usecases.known import known_session
from mainspring_api.usecases.pinning import Chosen, choose, pin
from mainspring_api.usecases.session_ends import Ending
from mainspring_kernel.errors import NotFound, ValidationFailed
from mainspring_kernel.ids import (
    Ids,
    OrgId,
    Prefix,
    SessionId,
    WorkspaceId,
    to_wire,
)
from mainspring_schema.commands import Close
from mainspring_schema.events import Context, Usage, draft
from mainspring_schema.grants import OpenHead
from mainspring_schema.listing import EventFilter


class SessionDraft(Struct, frozen=True, kw_only=True):
    """What a client says of a session. `agent` and `harness` are an id or a name each."""

    agent: str | None = None
    harness: str | None = None
    agent_version_id: UUID | None = None
    workspace_id: WorkspaceId | None = None
    title: str | None = None
    locale: str | None = None
    tier: Tier


class SessionView(Struct, frozen=True, kw_only=True):
    """A session with what its head says; without a head it was just made.

    `seq` is that of its newest event. `usage` is what its turns have used, where that was asked
    for; `features` and `active_schedules` are what `Outlines` adds.
    """

    session: Session
    status: str = "started"
    paused: bool = False
    active_ms: int = 0
    seq: int = 0
    usage: Usage | None = None
    features: tuple[str, ...] = ()
    active_schedules: int | None = 0
    """None where nobody can tell now."""


async def create(
    tx: Transaction, draft_: SessionDraft, *, id_: SessionId, ids: Ids, now_ms: int
) -> SessionView:
    """Raises as `check` does, and as `write_initial` does."""
    chosen = await _chosen(tx, draft_)
    tiers = chosen.tiers
    harness = tiers.harnesses[-1]
    session = Session(
        org_id=harness.org_id,
        id=id_,
        workspace_id=draft_.workspace_id or WorkspaceId(id_),
        harness_id=harness.id,
        agent_id=tiers.agent.id if tiers.agent else None,
        title=draft_.title,
        locale=draft_.locale,
        tier=draft_.tier,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    if draft_.workspace_id is not None:
        await files.check_workspace(tx, draft_.workspace_id)
    base = pinning.base_of(tiers, chosen.version_id, now_ms=now_ms)
    session = await pin(tx, session, base)
    await tx.put_session(session)
    folded = folded_tiers(msgspec.structs.replace(tiers, session=session))
    write = files.Write(org_id=session.org_id, workspace_id=session.workspace_id, now_ms=now_ms)
    initial = [file.value for file in folded.initial_files]
    shared = draft_.workspace_id is not None
    await files.write_initial(tx, write, initial, ids, shared=shared)
    await tx.open_log(first_event(session, now_ms))
    return SessionView(session=session, active_ms=now_ms)


async def check(tx: Transaction, draft_: SessionDraft) -> None:
    """Whether such a session could be made.

    Raises NotFound for an unknown agent, harness or workspace, ValidationFailed for one archived.
    """
    await _chosen(tx, draft_)
    if draft_.workspace_id is not None:
        await files.check_workspace(tx, draft_.workspace_id)


class _Choice(Struct, frozen=True, kw_only=True):
    """All tiers but the session's own, and the agent's version where it is in one."""

    tiers: Tiers
    version_id: UUID | None


async def _chosen(tx: Transaction, draft_: SessionDraft) -> _Choice:
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    chosen = await _agent(tx, draft_)
    if draft_.harness is not None:
        harness = await harnesses.get(tx, draft_.harness)
        if harness.status != "active":
            msg = "the harness is archived"
            raise ValidationFailed(msg)
        harness_id = harness.id
    elif chosen is not None:
        harness_id = chosen.agent.harness_id
    else:
        harness_id = organization.default_harness_id or catalogue.GENERIC_HARNESS_ID
    tiers = Tiers(
        harnesses=await harnesses.chain(tx, harness_id),
        agent=chosen.agent if chosen else None,
        default_model_id=organization.default_model_id,
    )
    return _Choice(tiers=tiers, version_id=chosen.version_id if chosen else None)


async def _agent(tx: Transaction, draft_: SessionDraft) -> Chosen | None:
    if draft_.agent is None:
        if draft_.agent_version_id is not None:
            msg = "a version needs its agent"
            raise ValidationFailed(msg)
        return None
    agent = await agents.get(tx, draft_.agent)
    if agent.status != "active":
        msg = "the agent is archived"
        raise ValidationFailed(msg)
    return await choose(tx, agent, draft_.agent_version_id)


def first_event(session: Session, now_ms: int) -> OpenHead:
    """What a session's log begins with."""
    data: dict[str, object] = {"harness_id": to_wire(Prefix.HARNESS, session.harness_id)}
    if session.agent_id is not None:
        data["agent_id"] = to_wire(Prefix.AGENT, session.agent_id)
    if session.tier.model_id is not None:
        data["model_id"] = session.tier.model_id
    event = draft("session.started", Context(), data)
    return OpenHead(
        session_id=session.id,
        org_id=session.org_id,
        type=event.type,
        ts_ms=now_ms,
        payload=event.payload,
        hash=b"",
    ).at(now_ms)


async def get(store: Store, log: Log, org_id: OrgId, id_: SessionId) -> SessionView:
    """Raises NotFound; whether a session is deleted is read from its head."""
    async with store.transaction(org_id) as tx:
        session = await known_session(tx, id_)
    view = with_head(session, await log.heads([id_]))
    if view is None:
        msg = "no such session"
        raise NotFound(msg)
    return view


async def with_usage(log: Log, view: SessionView) -> SessionView:
    """The newest turn that ended says what all have used."""
    wanted = EventFilter(types=(_IDLED,), descending=True, limit=1)
    session = view.session
    events = (await log.list(session.id, session.org_id, wanted)).events
    usage = None
    for event in events:
        usage = msgspec.json.decode(event.payload, type=_Idled).data.session_usage
    return msgspec.structs.replace(view, usage=usage)


_IDLED: Final = "session.idled"


class _IdledData(Struct):
    session_usage: Usage | None = None


class _Idled(Struct):
    data: _IdledData


async def list_page(
    store: Store, log: Log, org_id: OrgId, listed: Listed, *, agent: str | None
) -> tuple[Sequence[SessionView], int]:
    """Newest first, and how many match."""
    async with store.transaction(org_id) as tx:
        agent_id = (await agents.get(tx, agent)).id if agent is not None else None
        sessions, total = await tx.sessions(listed, agent_id=agent_id)
    heads = await log.heads([session.id for session in sessions])
    views = [with_head(session, heads) for session in sessions]
    return [view for view in views if view is not None], total


def with_head(session: Session, heads: Mapping[UUID, HeadView]) -> SessionView | None:
    """None where the head says that the session is gone."""
    head = heads.get(session.id)
    if head is None or head.closed:
        return None
    return SessionView(
        session=session,
        status=head.status,
        paused=head.paused,
        active_ms=max(head.updated_ms, session.updated_ms),
        seq=head.seq,
    )


async def change(tx: Transaction, session: Session, *, now_ms: int) -> Session:
    """`session` holds the changed members and was read with its lock."""
    changed = msgspec.structs.replace(session, rev=session.rev + 1, updated_ms=now_ms)
    await tx.put_session(changed)
    return changed


async def delete(
    store: Store, control: Control, ending: Ending, org_id: OrgId, id_: SessionId, *, now_ms: int
) -> None:
    """The intent is committed first, so that the sweep finishes what is cut here.

    Raises NotFound, Unavailable.
    """
    told = await session_ends.wanted(ending, org_id, id_)
    async with store.transaction(org_id) as tx:
        if not await tx.begin_delete(id_):
            msg = "no such session"
            raise NotFound(msg)
        await session_ends.write_down(tx, ending, org_id, id_, told, now_ms=now_ms)
    await finish_delete(store, control, org_id, id_, now_ms=now_ms)


async def finish_delete(
    store: Store, control: Control, org_id: OrgId, id_: SessionId, *, now_ms: int
) -> bool:
    """Safe to repeat. False where hooks are still to be told: the sweep comes again."""
    # An earlier try may have closed its log.
    with suppress(NotFound):
        await control.close(Close(org_id=org_id, session_id=id_))
    if not await session_ends.hand_over(store, control, org_id, id_, now_ms=now_ms):
        return False
    released = FORKS_RELEASED_MAX
    while released == FORKS_RELEASED_MAX:
        async with store.transaction(org_id) as tx:
            released = await tx.release_forks(id_, limit=FORKS_RELEASED_MAX)
    async with store.transaction(org_id) as tx:
        await tx.finish_delete(id_)
        await tx.drop_owned(id_)
    return True
