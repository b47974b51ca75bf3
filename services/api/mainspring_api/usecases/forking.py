"""Forks: sessions that go on from any event of another one, which stays as it is."""

import asyncio
from typing import Final

from msgspec import Struct, structs

from mainspring_api.domain import forking
from mainspring_api.domain.forking import OpenTurn
from mainspring_api.domain.limits import FILES_PAST_S, FORK_EVENTS_MAX
from mainspring_api.domain.resources import Session
from mainspring_api.ports.log import Log
from mainspring_api.ports.store import NO_EVENT, Store
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases import secrets, sessions
from mainspring_api.usecases.sessions import SessionView
from mainspring_kernel.errors import Conflict, NotFound
from mainspring_kernel.ids import Ids, OrgId, SessionId, WorkspaceId
from mainspring_kernel.limits import PAGE_ROWS_MAX
from mainspring_schema.events import OUTCOME_TYPES, StoredEvent, decode_payload
from mainspring_schema.grants import ForkHead
from mainspring_schema.listing import EventFilter


class ForkWish(Struct, frozen=True, kw_only=True):
    """Behind which event or message; without either behind the newest event.

    `title` None takes that of the session.
    """

    source_id: SessionId
    seq: int | None = None
    message_id: str | None = None
    title: str | None = None


class Forks(Struct, frozen=True, kw_only=True):
    """Where sessions and their logs are, and what opens and seals their secrets."""

    store: Store
    log: Log
    vault: Vault
    ids: Ids
    org_id: OrgId


async def fork(place: Forks, wish: ForkWish, id_: SessionId, *, now_ms: int) -> SessionView:
    """The log is read first: nothing is asked of others within the transaction.

    Once more with the same id it answers alike. Raises NotFound for an unknown session, event or
    message, Conflict where files and values as of then are not kept any more.
    """
    source = await sessions.get(place.store, place.log, place.org_id, wish.source_id)
    seq = await _seq(place, wish, newest=source.seq)
    point = await _point(place, wish.source_id, seq)
    if point.as_of_ms is not None and point.as_of_ms < now_ms - FILES_PAST_S * 1000:
        raise Conflict(_FORGOTTEN)
    holder = await _holder(place, source.session, point.later)
    made = _forked(source.session, wish, id_, seq, now_ms)
    async with place.store.transaction(place.org_id) as tx:
        known = await tx.session(id_)
        if known is None:
            await tx.put_session(made)
            await tx.fork_workspace(made.workspace_id, holder.workspace_id, as_of_ms=point.as_of_ms)
            await tx.fork_records(id_, holder.id, as_of_ms=point.as_of_ms)
            await secrets.copy_all(tx, place.vault, wish.source_id, id_, ids=place.ids)
            # Last: it holds the other session's head until the end.
            await tx.fork_log(_head(made, wish.source_id, seq, point, now_ms))
    return SessionView(session=known or made, status="idle", active_ms=now_ms)


_FORGOTTEN: Final = "files and stored values of that time are not known any more"


async def _holder(place: Forks, session: Session, event: StoredEvent | None) -> Session:
    """In whom this event happened, so whose files and values were there just before.

    A fork has inherited it from another session, which may have changed them since; the fork has
    them as they were when it was made. Raises Conflict where that session is gone.
    """
    seq = None if event is None else event.seq
    while seq is not None and session.forked_from is not None and seq <= (session.forked_seq or 0):
        try:
            view = await sessions.get(place.store, place.log, place.org_id, session.forked_from)
        except NotFound as gone:
            raise Conflict(_FORGOTTEN) from gone
        session = view.session
    return session


async def _seq(place: Forks, wish: ForkWish, *, newest: int) -> int:
    if wish.seq is not None:
        return wish.seq
    if wish.message_id is not None:
        return await _seq_of_message(place, wish.source_id, wish.message_id)
    return newest


async def _seq_of_message(place: Forks, source_id: SessionId, message_id: str) -> int:
    """Where it was taken up: a message that no turn has consumed stands in no conversation."""
    wanted = EventFilter(types=_WITH_MESSAGES, after_seq=0, text=message_id, limit=PAGE_ROWS_MAX)
    found = await _events(place, source_id, wanted)
    seqs = [event.seq for event in found if forking.takes_up(event, message_id)]
    if not seqs:
        msg = "no such message in the conversation"
        raise NotFound(msg)
    return seqs[0]


_WITH_MESSAGES = ("output.message.completed", "reason.started")


def _forked(source: Session, wish: ForkWish, id_: SessionId, seq: int, now_ms: int) -> Session:
    return structs.replace(
        source,
        id=id_,
        workspace_id=WorkspaceId(id_),
        title=source.title if wish.title is None else wish.title,
        rev=1,
        created_ms=now_ms,
        updated_ms=now_ms,
        pinned=False,
        forked_from=wish.source_id,
        forked_seq=seq,
    )


class _Point(Struct, frozen=True, kw_only=True):
    """Files count as they were just before `later`; None where nothing came since."""

    turn: OpenTurn | None
    turn_first_seq: int
    later: StoredEvent | None

    @property
    def as_of_ms(self) -> int | None:
        return None if self.later is None else self.later.ts_ms


def _head(session: Session, source_id: SessionId, seq: int, point: _Point, now_ms: int) -> ForkHead:
    return ForkHead(
        session_id=session.id,
        org_id=session.org_id,
        source_id=source_id,
        seq=seq,
        turn_first_seq=point.turn_first_seq,
        now_ms=now_ms,
        events=forking.first_events(source_id, seq, point.turn),
    )


async def _point(place: Forks, source_id: SessionId, seq: int) -> _Point:
    """What stands at an event, by a few bounded reads however long the session is."""
    begun = EventFilter(types=("turn.started",), before_seq=seq + 1, limit=1)
    later, started = await asyncio.gather(
        _later(place, source_id, seq), _events(place, source_id, begun)
    )
    if not started:
        return _Point(turn=None, turn_first_seq=seq + 1, later=later)
    first = started[0].seq
    ended = EventFilter(
        types=tuple(sorted(OUTCOME_TYPES)), after_seq=first, before_seq=seq + 1, limit=1
    )
    turn = None
    if not await _events(place, source_id, ended):
        turn = await _open_turn(place, source_id, started[0], seq)
    # A turn's group begins with its message, which stands two events before.
    return _Point(turn=turn, turn_first_seq=max(1, first - 2), later=later)


async def _later(place: Forks, source_id: SessionId, seq: int) -> StoredEvent | None:
    """The next event that is later than this one; None where none is. Raises NotFound.

    Events of one commit share a time: few are read, unless many do.
    """
    after, time_ms, limit = seq - 1, None, _AHEAD
    while True:
        page = EventFilter(after_seq=after, limit=limit)
        found = await _events(place, source_id, page)
        if time_ms is None:
            if not found or found[0].seq != seq:
                raise NotFound(NO_EVENT)
            time_ms = found[0].ts_ms
        for event in found:
            if event.ts_ms > time_ms:
                return event
        if len(found) < limit:
            return None
        after, limit = found[-1].seq, PAGE_ROWS_MAX


_AHEAD: Final = 16
"""More events than most commits append; each comes with its payload."""


async def _open_turn(
    place: Forks, source_id: SessionId, started: StoredEvent, seq: int
) -> OpenTurn:
    if seq - started.seq > FORK_EVENTS_MAX:
        msg = f"the turn has more than {FORK_EVENTS_MAX} events: fork behind its end"
        raise Conflict(msg)
    events: list[StoredEvent] = []
    after = started.seq - 1
    while after < seq:
        page = EventFilter(after_seq=after, before_seq=seq + 1, limit=PAGE_ROWS_MAX)
        found = await _events(place, source_id, page)
        if not found:
            raise NotFound(NO_EVENT)
        events += found
        after = found[-1].seq
    turn_id = decode_payload(started.payload).context.turn_id
    return OpenTurn(turn_id=turn_id or "", events=tuple(events))


async def _events(
    place: Forks, source_id: SessionId, wanted: EventFilter
) -> tuple[StoredEvent, ...]:
    return (await place.log.list(source_id, place.org_id, wanted)).events
