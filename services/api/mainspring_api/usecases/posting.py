"""Messages that no client sends: from a schedule, into an existing session or a new one."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_api.ports.log import HeadView, Log
from mainspring_api.ports.store import Store
from mainspring_api.usecases import messages, sessions
from mainspring_api.usecases.messages import MessageDraft, MessagePath
from mainspring_api.usecases.sessions import SessionDraft
from mainspring_kernel.errors import Conflict, NotFound
from mainspring_kernel.ids import Ids, MessageId, OrgId, SessionId
from mainspring_schema.commands import Cancel, Receipt
from mainspring_schema.events import OUTCOME_TYPES, StoredEvent
from mainspring_schema.listing import EventFilter
from mainspring_schema.posting import CancelTurn, OneTurn, TurnOutcome, TurnState

_OUTCOMES: Final[dict[str, TurnOutcome]] = {
    "turn.completed": "completed",
    "turn.failed": "failed",
    "turn.cancelled": "cancelled",
    "turn.sealed": "needs_attention",
}
GONE: Final = "session_deleted"


class Posting(Struct, frozen=True, kw_only=True):
    """A message under an id of its own; with `session` its session is made where there is none."""

    org_id: OrgId
    session_id: SessionId
    session: SessionDraft | None
    message_id: MessageId
    message: MessageDraft


async def post(
    store: Store, path: MessagePath, posting: Posting, *, ids: Ids, now_ms: int
) -> Receipt:
    """Folds as things are now. Asked again alike, it answers alike.

    Raises NotFound for an unknown or deleted session, agent or harness.
    """
    if posting.session is not None:
        # Somebody else made it at this moment, for the same posting.
        with suppress(Conflict):
            await _make(store, path.log, posting, posting.session, ids=ids, now_ms=now_ms)
    posted = await messages.post(
        path,
        posting.org_id,
        posting.session_id,
        posting.message,
        message_id=posting.message_id,
        now_ms=now_ms,
    )
    return posted.receipt


async def _make(
    store: Store, log: Log, posting: Posting, draft: SessionDraft, *, ids: Ids, now_ms: int
) -> None:
    # One that was deleted meanwhile has a head, and is not made again.
    if await log.heads([posting.session_id]):
        return
    async with store.transaction(posting.org_id) as tx:
        await sessions.create(tx, draft, id_=posting.session_id, ids=ids, now_ms=now_ms)


async def states(log: Log, turns: Sequence[OneTurn]) -> list[TurnState]:
    """How turns came out, in the order asked."""
    heads = await log.heads(list({turn.session_id for turn in turns}))
    return await asyncio.gather(*(_state(log, turn, heads.get(turn.session_id)) for turn in turns))


async def _state(log: Log, turn: OneTurn, head: HeadView | None) -> TurnState:
    wanted = EventFilter(types=tuple(sorted(OUTCOME_TYPES)), turn_id=turn.turn_id, limit=1)
    listing = await log.list(SessionId(turn.session_id), OrgId(turn.org_id), wanted)
    if listing.events:
        return _told(listing.events[0])
    if head is None or head.closed:
        return TurnState(outcome="cancelled", code=GONE)
    return TurnState()


def _told(event: StoredEvent) -> TurnState:
    data = msgspec.json.decode(event.payload, type=_Payload).data
    return TurnState(
        outcome=_OUTCOMES[event.type], ended_ms=event.ts_ms, code=data.error_code or data.reason
    )


async def cancel(path: MessagePath, command: CancelTurn) -> None:
    """Nothing happens where the turn has ended, or its session is gone."""
    turn = command.turn
    asked = Cancel(
        org_id=turn.org_id,
        session_id=turn.session_id,
        reason=command.reason,
        turn_id=turn.turn_id,
    )
    with suppress(NotFound):
        await path.control.cancel(asked)


class _Data(Struct):
    error_code: str | None = None
    reason: str | None = None


class _Payload(Struct):
    data: _Data
