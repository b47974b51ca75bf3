"""Two logs behind one face: Postgres with its granted functions, and the memory twin."""

import threading
from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec

from mainspring_eventstore.adapters.memory import MemoryLog, MemoryStore
from mainspring_eventstore.adapters.postgres import PostgresStore
from mainspring_eventstore.domain.errors import AppendRefused
from mainspring_eventstore.ports.log import LogStore
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.errors import Conflict, NotFound
from mainspring_kernel.ids import RandomIds
from mainspring_postgres import Database, Query, QueryFailed, Transaction, UniqueViolation
from mainspring_schema import chain
from mainspring_schema.events import Context, draft
from mainspring_schema.grants import (
    Anchor,
    AppendEvent,
    AppendHead,
    AppendVerdict,
    DeltaAnswer,
    DeltaAppend,
    ForkHead,
    Head,
    OpenHead,
    SessionStatus,
)

CLOCK = SystemClock()
IDS = RandomIds(CLOCK)
S = TypeVar("S", bound=msgspec.Struct)


class World(Protocol):
    """The granted functions as awaitables, and the event store's own port."""

    store: LogStore

    async def lock(self, sessions: Sequence[UUID]) -> list[Head]: ...

    async def append(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None: ...

    async def append_closing(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None: ...

    async def close(self, sessions: Sequence[tuple[UUID, UUID]]) -> list[tuple[UUID, bool]]: ...

    async def open(self, heads: Sequence[OpenHead]) -> None: ...

    async def append_deltas(self, items: Sequence[DeltaAppend]) -> list[DeltaAnswer]: ...

    async def fork(self, child: UUID, parent: UUID, seq: int, hash_: bytes) -> None:
        """Makes a fork's head by hand, without an event of its own."""
        ...

    async def branch(self, fork: ForkHead) -> None:
        """Raises NotFound."""
        ...


class MemoryWorld:
    def __init__(self) -> None:
        self.log = MemoryLog(lock=threading.RLock(), clock=CLOCK)
        self.store: LogStore = MemoryStore(self.log)

    async def lock(self, sessions: Sequence[UUID]) -> list[Head]:
        return self.log.lock(sessions)

    async def append(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None:
        self.log.append(events, heads, anchors)

    async def append_closing(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None:
        self.log.append_closing(events, heads, anchors)

    async def close(self, sessions: Sequence[tuple[UUID, UUID]]) -> list[tuple[UUID, bool]]:
        return self.log.close(sessions)

    async def open(self, heads: Sequence[OpenHead]) -> None:
        self.log.open(heads)

    async def append_deltas(self, items: Sequence[DeltaAppend]) -> list[DeltaAnswer]:
        return self.log.append_deltas(items)

    async def fork(self, child: UUID, parent: UUID, seq: int, hash_: bytes) -> None:
        row = self.log.heads[parent]
        self.log.heads[child] = msgspec.structs.replace(
            row,
            session_id=child,
            last_seq=seq,
            hash=hash_,
            n=0,
            anchors={},
            turn_first_seq=0,
            active_turn=None,
            parent=parent,
            parent_seq=seq,
            parent_hash=hash_,
        )

    async def branch(self, fork: ForkHead) -> None:
        self.log.fork(fork)


class PostgresWorld:
    """`owner` is a superuser who takes the roles that the functions are granted to."""

    def __init__(self, owner: Database, service: Database) -> None:
        self.owner = owner
        self.store: LogStore = PostgresStore(service)

    async def lock(self, sessions: Sequence[UUID]) -> list[Head]:
        return await self.owner.fetch_as(Head, LOCK, list(sessions))

    async def append(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None:
        await self._append(APPEND, events, heads, anchors)

    async def append_closing(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None:
        await self._append(APPEND_CLOSING, events, heads, anchors)

    async def close(self, sessions: Sequence[tuple[UUID, UUID]]) -> list[tuple[UUID, bool]]:
        asked = ([s for s, _ in sessions], [o for _, o in sessions])
        rows = await self.owner.fetch_as(ClosedRow, CLOSE, *asked)
        return [(row.session_id, row.closed) for row in rows]

    async def open(self, heads: Sequence[OpenHead]) -> None:
        try:
            for head in heads:
                await self.owner.execute(OPEN, *msgspec.structs.astuple(head), ANY_DRIFT_MS)
        except UniqueViolation as error:
            raise Conflict(error.detail) from error

    async def append_deltas(self, items: Sequence[DeltaAppend]) -> list[DeltaAnswer]:
        return await self.owner.fetch_as(DeltaAnswer, DELTAS, *columns(DeltaAppend, items))

    async def fork(self, child: UUID, parent: UUID, seq: int, hash_: bytes) -> None:
        await self.owner.execute(FORK, child, parent, seq, hash_)

    async def branch(self, fork: ForkHead) -> None:
        events = fork.events
        last = await self.owner.fetch(
            BRANCH,
            *(fork.session_id, fork.org_id, fork.source_id, fork.seq, fork.turn_first_seq),
            fork.now_ms,
            [event.type for event in events],
            [event.turn_id for event in events],
            [event.payload for event in events],
        )
        if last[0]["seq"] is None:
            raise NotFound

    async def _append(
        self,
        query: Query,
        events: Sequence[AppendEvent],
        heads: Sequence[AppendHead],
        anchors: Sequence[Anchor],
    ) -> None:
        async with self.owner.transaction() as tx:
            await as_engine(tx)
            await tx.fetch(LOCK, [head.session_id for head in heads])
            arrays = (
                *columns(AppendEvent, events),
                *columns(AppendHead, heads),
                *columns(Anchor, anchors),
            )
            try:
                await tx.execute(query, *arrays)
            except QueryFailed as error:
                if error.sqlstate != "MSL01":
                    raise
                raise AppendRefused(error.detail) from error


class ClosedRow(msgspec.Struct, frozen=True, kw_only=True):
    session_id: UUID
    closed: bool


def query(name: str, sql: str) -> Query:
    return Query(name=name, purpose="Of a test.", sql=sql)


async def as_engine(tx: Transaction) -> None:
    await tx.execute(query("as_engine", "set local role engine_owner"))


LOCK = query("lock", "select * from log.lock_v1($1)")
_APPEND_ARGUMENTS = ", ".join(f"${i}" for i in range(1, 20))
APPEND = query("append", f"select log.append_v1({_APPEND_ARGUMENTS})")
APPEND_CLOSING = query("append_closing", f"select log.append_closing_v1({_APPEND_ARGUMENTS})")
CLOSE = query("close", "select * from log.close_v1($1, $2)")
OPEN = query("open", "select log.open_v2($1, $2, $3, $4, $5, $6, $7)")
ANY_DRIFT_MS = 10**15
"""Stories may begin long ago."""
DELTAS = query("deltas", "select * from log.append_deltas_v1($1, $2, $3, $4, $5, $6, $7, $8)")
BRANCH = query(
    "branch",
    "select log.fork_v1($1, $2, $3, $4, $5, $6, $7::text[], $8::uuid[], $9::bytea[]) as seq",
)
FORK = query(
    "fork",
    """insert into log.head (session_id, org_id, last_seq, hash, ts_ms, status,
                             parent, parent_seq, parent_hash)
       select $1, h.org_id, $3, $4, h.ts_ms, h.status, $2, $3, $4
       from log.head as h where h.session_id = $2""",
)


def columns(struct: type[S], rows: Sequence[S]) -> list[list[object]]:
    """The rows as one array per field: what the SQL functions take."""
    return [[getattr(row, name) for row in rows] for name in struct.__struct_fields__]


class Story:
    """One session as an engine would write it: proposes positions, times and the chain."""

    def __init__(self, world: World, *, started_ms: int | None = None) -> None:
        self.world = world
        self.session_id = IDS.uuid7()
        self.org_id = IDS.uuid7()
        self.seq = 0
        self.hash = chain.GENESIS
        self.ts_ms = CLOCK.wall_ms() if started_ms is None else started_ms
        self.status = SessionStatus.STARTED
        self.turn: UUID | None = None
        self.turn_first_seq = 0

    async def open(self) -> "Story":
        event = self.event("session.started")
        await self.world.open(
            [
                OpenHead(
                    session_id=self.session_id,
                    org_id=self.org_id,
                    type=event.type,
                    ts_ms=event.ts_ms,
                    payload=event.payload,
                    hash=event.hash,
                )
            ]
        )
        return self

    def event(
        self, type_: str, data: object = None, *, context: Context | None = None
    ) -> AppendEvent:
        """The next event; moves the story's own head."""
        payload = draft(type_, context or Context(), data or {}).payload
        self.seq += 1
        self.ts_ms += 1
        self.hash = chain.link(
            self.hash,
            session_id=self.session_id,
            seq=self.seq,
            type_=type_,
            ts_ms=self.ts_ms,
            payload=payload,
        )
        return AppendEvent(
            session_id=self.session_id,
            seq=self.seq,
            type=type_,
            ts_ms=self.ts_ms,
            turn_id=self.turn,
            payload=payload,
            hash=self.hash,
        )

    def head(self, *, close_anchors: bool = False) -> AppendHead:
        return AppendHead(
            session_id=self.session_id,
            org_id=self.org_id,
            last_seq=self.seq,
            hash=self.hash,
            ts_ms=self.ts_ms,
            status=self.status,
            active_turn=self.turn,
            turn_first_seq=self.turn_first_seq,
            close_anchors=close_anchors,
        )

    def anchor(self, name: str, attempt: int | None = 1) -> Anchor:
        return Anchor(session_id=self.session_id, anchor=name, attempt=attempt)

    async def append(self, *types: str, anchors: Sequence[Anchor] = ()) -> list[AppendEvent]:
        events = [self.event(type_) for type_ in types]
        await self.world.append(events, [self.head()], anchors)
        return events

    async def start_turn(self, *anchors: str, turn_id: UUID | None = None) -> UUID:
        """Appends a turn's first group and opens anchors."""
        self.turn = turn_id or IDS.uuid7()
        self.status = SessionStatus.ACTIVE
        self.turn_first_seq = self.seq + 1
        types = ("input.message", "session.activated", "turn.started")
        await self.append(*types, anchors=[self.anchor(name) for name in anchors])
        return self.turn

    async def end_turn(self) -> None:
        events = [self.event("turn.completed"), self.event("session.idled")]
        self.turn = None
        self.status = SessionStatus.IDLE
        await self.world.append(events, [self.head(close_anchors=True)], [])

    def delta(
        self,
        offset: int,
        fragment: str,
        *,
        anchor: str = "m1",
        attempt: int = 1,
        channel: str = "text",
        reset: bool = False,
    ) -> DeltaAppend:
        assert self.turn is not None
        return DeltaAppend(
            session_id=self.session_id,
            turn_id=self.turn,
            anchor=anchor,
            attempt=attempt,
            channel=channel,
            offset=offset,
            fragment=fragment,
            reset=reset,
        )

    async def present(self) -> Head:
        (head,) = await self.world.lock([self.session_id])
        return head

    async def stream(self, *items: DeltaAppend) -> list[AppendVerdict]:
        return [answer.verdict for answer in await self.world.append_deltas(items)]
