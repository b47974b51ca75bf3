"""The event store's port over Postgres."""

from collections.abc import Sequence
from uuid import UUID

from mainspring_eventstore.adapters.postgres.rows import (
    KIND_DELTA,
    KIND_EVENT,
    AnswerRow,
    EventRow,
    HorizonRow,
    PageRow,
)
from mainspring_eventstore.domain import limits as bounds
from mainspring_eventstore.domain.audit import ChainRow
from mainspring_eventstore.domain.matching import Columns, unfiltered
from mainspring_eventstore.domain.pages import ROW_OVERHEAD_BYTES, cut
from mainspring_eventstore.ports.log import (
    Ahead,
    Appended,
    Dropped,
    Epoch,
    HeadView,
    Lineage,
    Page,
    PageQuery,
    Segment,
)
from mainspring_kernel import limits
from mainspring_postgres import Database, load_queries
from mainspring_schema.events import StoredEvent
from mainspring_schema.grants import DeltaAppend

QUERIES = load_queries(__package__ or "", "log.sql")


class PostgresStore:
    """Needs role log_run, or one with its grants."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._epoch: int | None = None

    async def append_deltas(self, items: Sequence[DeltaAppend]) -> tuple[Appended, ...]:
        rows = await self._database.fetch_as(
            AnswerRow,
            QUERIES["append_deltas"],
            [item.session_id for item in items],
            [item.turn_id for item in items],
            [item.anchor for item in items],
            [item.attempt for item in items],
            [item.channel for item in items],
            [item.offset for item in items],
            [item.fragment for item in items],
            [item.reset for item in items],
        )
        return tuple(row.appended() for row in rows)

    async def read(self, query: PageQuery) -> Page | None:
        after = query.after
        rows = await self._database.fetch_as(
            PageRow,
            QUERIES["read"],
            query.session_id,
            query.org_id,
            None if after is None else after.seq,
            None if after is None else after.n,
            query.rows_max,
            query.bytes_max,
            ROW_OVERHEAD_BYTES,
            query.events_only,
        )
        if not rows:
            return None
        page = cut(
            [row.event() for row in rows if row.kind == KIND_EVENT],
            [row.delta() for row in rows if row.kind == KIND_DELTA],
            rows_max=query.rows_max,
            bytes_max=query.bytes_max,
        )
        head = rows[0].head(query.session_id, query.org_id)
        return Page(head=head, events=page.events, deltas=page.deltas, more=page.more)

    async def list_events(
        self, session_id: UUID, org_id: UUID, columns: Columns, *, limit: int, newest: bool
    ) -> tuple[StoredEvent, ...]:
        query = QUERIES["list_newest" if newest else "list_oldest"]
        rows = await self._database.fetch_as(
            EventRow, query, session_id, org_id, *_conditions(columns), limit
        )
        ascending = reversed(rows) if newest else rows
        return tuple(row.event() for row in ascending)

    async def count_events(self, session_id: UUID, org_id: UUID, columns: Columns) -> int:
        if unfiltered(columns) and not columns.after_seq and columns.before_seq is None:
            # Sequences are dense: the head has counted already.
            (head,) = (await self.heads([session_id])).heads
            return head.seq if head is not None and head.org_id == org_id else 0
        return await self._database.fetchval_as(
            int, QUERIES["count_events"], session_id, org_id, *_conditions(columns)
        )

    async def heads(self, sessions: Sequence[UUID]) -> Epoch:
        rows = await self._database.fetch_as(HeadView, QUERIES["heads"], list(set(sessions)))
        known = {row.session_id: row for row in rows}
        return Epoch(
            epoch=await self.epoch(), heads=tuple(known.get(session) for session in sessions)
        )

    async def epoch(self) -> int:
        """Read once: it is raised only while the services stand still."""
        if self._epoch is None:
            self._epoch = await self._database.fetchval_as(int, QUERIES["epoch"])
        return self._epoch

    async def lineage(self, session_id: UUID) -> Lineage | None:
        (head,) = (await self.heads([session_id])).heads
        segments = await self._database.fetch_as(Segment, QUERIES["lineage"], session_id)
        if head is None or not segments:
            return None
        # Events appended between the two statements are left out, as the head says.
        own = Segment(
            session_id=session_id,
            first_seq=segments[0].first_seq,
            last_seq=head.seq,
            parent_hash=segments[0].parent_hash,
        )
        return Lineage(head=head, segments=(*reversed(segments[1:]), own))

    async def chain(
        self, session_id: UUID, *, first_seq: int, last_seq: int, limit: int
    ) -> tuple[ChainRow, ...]:
        rows = await self._database.fetch_as(
            ChainRow, QUERIES["chain"], session_id, first_seq, last_seq, limit
        )
        return tuple(rows)

    async def make_partitions(self) -> Ahead:
        (at,) = await self._database.fetch_as(HorizonRow, QUERIES["horizon"])
        made = await self._database.fetchval_as(
            int,
            QUERIES["make_partitions"],
            at.now_ms - limits.PARTITIONS_BEHIND_MS,
            at.now_ms + limits.PARTITIONS_AHEAD_MS,
        )
        return Ahead(horizon_ms=at.horizon_ms, now_ms=at.now_ms, made=made)

    async def drop_deltas(self) -> Dropped:
        (swept,) = await self._database.fetch_as(
            Dropped,
            QUERIES["drop_deltas"],
            bounds.DELTA_RETENTION_S * 1000,
            bounds.SWEEP_TURNS_MAX,
            bounds.SWEEP_ROWS_MAX,
        )
        return swept

    async def drop_partitions(self) -> int:
        return await self._database.fetchval_as(int, QUERIES["drop_partitions"])

    async def ping(self) -> None:
        await self._database.fetch(QUERIES["ping"])


def _conditions(columns: Columns) -> tuple[object, ...]:
    return (
        columns.after_seq,
        columns.before_seq,
        list(columns.types),
        list(columns.exclude),
        columns.from_ms,
        columns.to_ms,
        columns.turn_id,
        list(columns.needles),
        columns.text,
    )
