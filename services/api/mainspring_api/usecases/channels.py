"""Channels: created with a key, called by whoever holds one; each caller has its own sessions."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from mainspring_api.domain.channels import (
    KEY_PREFIX,
    SHOWN_CHARS,
    TOKEN_PREFIX,
    Channel,
    ChannelKey,
    ChannelSession,
    caller_of,
    digest_of,
)
from mainspring_api.domain.limits import CHANNEL_KEYS_MAX, CHANNELS_MAX
from mainspring_api.domain.resources import Agent, Tier
from mainspring_api.ports.store import Transaction
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases import agents, runtime_tokens, sessions
from mainspring_api.usecases.sessions import SessionDraft, SessionView
from mainspring_kernel.errors import NotFound, PermissionDenied, Unauthenticated, ValidationFailed
from mainspring_kernel.ids import Ids, Prefix, SessionId, from_wire, to_wire


class Wish(NamedTuple):
    """How a channel shall be."""

    name: str
    delegates_approvals: bool
    delegates_controls: bool


class Minted(NamedTuple):
    """A key as it is shown this once."""

    row: ChannelKey
    key: str


class Shown(NamedTuple):
    """What a caller says of itself: a key or a runtime token, and a user of the application's."""

    bearer: str | None
    end_user: str | None


class Caller(NamedTuple):
    """Who calls, and which agent answers.

    `key_id` is the key that it holds, or by which its runtime token was made.
    """

    channel: Channel
    agent: Agent
    id: UUID
    key_id: UUID
    has_token: bool


async def make(tx: Transaction, agent_ref: str, wish: Wish, *, ids: Ids, now_ms: int) -> Channel:
    """Raises NotFound, ValidationFailed when there are too many."""
    agent = await agents.get(tx, agent_ref, lock=True)
    if await tx.count_records(Channel, agent.id) >= CHANNELS_MAX:
        msg = f"an agent has at most {CHANNELS_MAX} channels"
        raise ValidationFailed(msg)
    channel = Channel(
        org_id=agent.org_id,
        id=ids.uuid7(),
        owner_id=agent.id,
        name=wish.name,
        delegates_approvals=wish.delegates_approvals,
        delegates_controls=wish.delegates_controls,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(channel)
    return channel


async def mint(tx: Transaction, channel: Channel, *, ids: Ids, now_ms: int) -> Minted:
    """A new key beside those there are. Raises ValidationFailed when there are too many."""
    if await tx.count_records(ChannelKey, channel.id) >= CHANNEL_KEYS_MAX:
        msg = f"a channel has at most {CHANNEL_KEYS_MAX} keys"
        raise ValidationFailed(msg)
    key = f"{KEY_PREFIX}{ids.uuid4().hex}{ids.uuid4().hex}"
    row = ChannelKey(
        org_id=channel.org_id,
        id=ids.uuid7(),
        owner_id=channel.id,
        key=digest_of(key),
        shown=key[:SHOWN_CHARS],
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(row)
    return Minted(row, key)


async def list_all(tx: Transaction, ref: str) -> Sequence[Channel]:
    """Newest first. Raises NotFound."""
    agent = await agents.get(tx, ref)
    return await tx.records(Channel, agent.id, limit=CHANNELS_MAX)


async def get(tx: Transaction, ref: str, channel_ref: str) -> Channel:
    """Raises NotFound, also for one of another agent."""
    agent = await agents.get(tx, ref)
    channel = await tx.record(Channel, from_wire(Prefix.CHANNEL, channel_ref), lock=True)
    if channel is None or channel.owner_id != agent.id:
        msg = "no such channel"
        raise NotFound(msg)
    return channel


async def drop(tx: Transaction, channel: Channel) -> None:
    """With its keys; the sessions that were made through it go on."""
    await tx.drop_record(Channel, channel.id)
    await tx.drop_owned(channel.id)


async def revoke(tx: Transaction, channel: Channel, key_id: UUID) -> None:
    """Raises NotFound."""
    row = await tx.record(ChannelKey, key_id)
    if row is None or row.owner_id != channel.id:
        msg = "no such key"
        raise NotFound(msg)
    await tx.drop_record(ChannelKey, key_id)


# ── callers ─────────────────────────────────────────────────────────────────────────────────────


async def admit(
    tx: Transaction, vault: Vault, channel_id: UUID, shown: Shown, *, now_ms: int
) -> Caller:
    """Raises Unauthenticated, also for a channel that is not there: nobody finds out which are.

    PermissionDenied for a runtime token of another user than the one who is named.
    """
    channel = await tx.record(Channel, channel_id)
    agent = await tx.agent(channel.agent_id) if channel is not None else None
    if channel is None or agent is None or agent.status != "active" or shown.bearer is None:
        raise Unauthenticated
    if shown.bearer.startswith(TOKEN_PREFIX):
        token = runtime_tokens.opened(vault, channel, shown.bearer, now_ms=now_ms)
        key = await tx.record(ChannelKey, token.key_id)
        id_ = token.caller_id
    else:
        key = await tx.record_keyed(ChannelKey, channel.id, digest_of(shown.bearer))
        id_ = caller_of(channel.id, shown.end_user)
    if key is None:
        raise Unauthenticated
    if shown.end_user is not None and id_ != caller_of(channel.id, shown.end_user):
        msg = "the token was made for another end user"
        raise PermissionDenied(msg)
    has_token = shown.bearer.startswith(TOKEN_PREFIX)
    return Caller(channel, agent, id_, key.id, has_token)


async def check_session(tx: Transaction, caller: Caller, session_id: SessionId) -> None:
    """Raises NotFound for a session that another caller made."""
    row = await tx.record(ChannelSession, session_id)
    if row is None or row.owner_id != caller.id:
        msg = "no such session"
        raise NotFound(msg)


async def sessions_of(
    tx: Transaction, caller: Caller, before: tuple[int, UUID] | None, *, limit: int
) -> Sequence[ChannelSession]:
    """The caller's, newest first; `before` is the `created_ms` and id of the last one seen."""
    if before is None:
        return await tx.records(ChannelSession, caller.id, limit=limit)
    return await tx.records_before(ChannelSession, caller.id, before, limit=limit)


async def begin(
    tx: Transaction, caller: Caller, title: str | None, *, ids: Ids, now_ms: int
) -> SessionView:
    """A session of the caller's with the channel's agent."""
    tier = Tier(user=to_wire(Prefix.VIRTUAL_USER, caller.id))
    draft = SessionDraft(agent=to_wire(Prefix.AGENT, caller.agent.id), title=title, tier=tier)
    id_ = SessionId(ids.uuid7())
    view = await sessions.create(tx, draft, id_=id_, ids=ids, now_ms=now_ms)
    mark = ChannelSession(
        org_id=caller.agent.org_id,
        id=id_,
        owner_id=caller.id,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(mark)
    return view
