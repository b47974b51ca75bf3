"""Endpoints of agents: made with a key and called by who holds one, each with its own sessions."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from mainspring_api.domain.endpoints import (
    KEY_PREFIX,
    SHOWN_CHARS,
    TOKEN_PREFIX,
    Endpoint,
    EndpointKey,
    EndpointSession,
    caller_of,
    digest_of,
)
from mainspring_api.domain.limits import ENDPOINT_KEYS_MAX, ENDPOINTS_MAX
from mainspring_api.domain.resources import Agent, Tier
from mainspring_api.ports.store import Transaction
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases import agents, runtime_tokens, sessions
from mainspring_api.usecases.sessions import SessionDraft, SessionView
from mainspring_kernel.errors import NotFound, PermissionDenied, Unauthenticated, ValidationFailed
from mainspring_kernel.ids import Ids, Prefix, SessionId, from_wire, to_wire


class Minted(NamedTuple):
    """A key as it is shown this once."""

    row: EndpointKey
    key: str


class Shown(NamedTuple):
    """What a caller says of itself: a key or a runtime token, and a user of the application's."""

    bearer: str | None
    end_user: str | None


class Caller(NamedTuple):
    """Who calls, and which agent answers.

    `key_id` is the key that it holds, or by which its runtime token was made.
    """

    endpoint: Endpoint
    agent: Agent
    id: UUID
    key_id: UUID
    has_token: bool


async def make(
    tx: Transaction, ref: str, name: str, *, delegates_approvals: bool, ids: Ids, now_ms: int
) -> Endpoint:
    """Raises NotFound, ValidationFailed when there are too many."""
    agent = await agents.get(tx, ref, lock=True)
    if await tx.count_records(Endpoint, agent.id) >= ENDPOINTS_MAX:
        msg = f"an agent has at most {ENDPOINTS_MAX} channels"
        raise ValidationFailed(msg)
    endpoint = Endpoint(
        org_id=agent.org_id,
        id=ids.uuid7(),
        owner_id=agent.id,
        name=name,
        delegates_approvals=delegates_approvals,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(endpoint)
    return endpoint


async def mint(tx: Transaction, endpoint: Endpoint, *, ids: Ids, now_ms: int) -> Minted:
    """A new key beside those there are. Raises ValidationFailed when there are too many."""
    if await tx.count_records(EndpointKey, endpoint.id) >= ENDPOINT_KEYS_MAX:
        msg = f"a channel has at most {ENDPOINT_KEYS_MAX} keys"
        raise ValidationFailed(msg)
    key = f"{KEY_PREFIX}{ids.uuid4().hex}{ids.uuid4().hex}"
    row = EndpointKey(
        org_id=endpoint.org_id,
        id=ids.uuid7(),
        owner_id=endpoint.id,
        key=digest_of(key),
        shown=key[:SHOWN_CHARS],
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(row)
    return Minted(row, key)


async def list_all(tx: Transaction, ref: str) -> Sequence[Endpoint]:
    """Newest first. Raises NotFound."""
    agent = await agents.get(tx, ref)
    return await tx.records(Endpoint, agent.id, limit=ENDPOINTS_MAX)


async def get(tx: Transaction, ref: str, endpoint_ref: str) -> Endpoint:
    """Raises NotFound, also for one of another agent."""
    agent = await agents.get(tx, ref)
    endpoint = await tx.record(Endpoint, from_wire(Prefix.ENDPOINT, endpoint_ref), lock=True)
    if endpoint is None or endpoint.owner_id != agent.id:
        msg = "no such channel"
        raise NotFound(msg)
    return endpoint


async def drop(tx: Transaction, endpoint: Endpoint) -> None:
    """With its keys; the sessions that were made through it go on."""
    await tx.drop_record(Endpoint, endpoint.id)
    await tx.drop_owned(endpoint.id)


async def revoke(tx: Transaction, endpoint: Endpoint, key_id: UUID) -> None:
    """Raises NotFound."""
    row = await tx.record(EndpointKey, key_id)
    if row is None or row.owner_id != endpoint.id:
        msg = "no such key"
        raise NotFound(msg)
    await tx.drop_record(EndpointKey, key_id)


# ── callers ─────────────────────────────────────────────────────────────────────────────────────


async def admit(
    tx: Transaction, vault: Vault, endpoint_id: UUID, shown: Shown, *, now_ms: int
) -> Caller:
    """Raises Unauthenticated, also for a channel that is not there: nobody finds out which are.

    PermissionDenied for a runtime token of another user than the one who is named.
    """
    endpoint = await tx.record(Endpoint, endpoint_id)
    agent = await tx.agent(endpoint.agent_id) if endpoint is not None else None
    if endpoint is None or agent is None or agent.status != "active" or shown.bearer is None:
        raise Unauthenticated
    if shown.bearer.startswith(TOKEN_PREFIX):
        token = runtime_tokens.opened(vault, endpoint, shown.bearer, now_ms=now_ms)
        key = await tx.record(EndpointKey, token.key_id)
        id_ = token.caller_id
    else:
        key = await tx.record_keyed(EndpointKey, endpoint.id, digest_of(shown.bearer))
        id_ = caller_of(endpoint.id, shown.end_user)
    if key is None:
        raise Unauthenticated
    if shown.end_user is not None and id_ != caller_of(endpoint.id, shown.end_user):
        msg = "the token was made for another end user"
        raise PermissionDenied(msg)
    has_token = shown.bearer.startswith(TOKEN_PREFIX)
    return Caller(endpoint, agent, id_, key.id, has_token)


async def check_session(tx: Transaction, caller: Caller, session_id: SessionId) -> None:
    """Raises NotFound for a session that another caller made."""
    row = await tx.record(EndpointSession, session_id)
    if row is None or row.owner_id != caller.id:
        msg = "no such session"
        raise NotFound(msg)


async def begin(
    tx: Transaction, caller: Caller, title: str | None, *, ids: Ids, now_ms: int
) -> SessionView:
    """A session of the caller's with the channel's agent."""
    tier = Tier(user=to_wire(Prefix.VIRTUAL_USER, caller.id))
    draft = SessionDraft(agent=to_wire(Prefix.AGENT, caller.agent.id), title=title, tier=tier)
    id_ = SessionId(ids.uuid7())
    view = await sessions.create(tx, draft, id_=id_, ids=ids, now_ms=now_ms)
    mark = EndpointSession(
        org_id=caller.agent.org_id,
        id=id_,
        owner_id=caller.id,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(mark)
    return view
