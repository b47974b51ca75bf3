"""Users' workflows: the rest of a flight's arguments, and what is read of them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, cast
from uuid import UUID

import msgspec

from mainspring_engine.adapters.postgres.flights import Row as Arguments
from mainspring_engine.adapters.postgres.replies import workflow_of
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.limits import (
    HISTORY_PAGE_BYTES_MAX,
    HISTORY_PAGE_ROWS_MAX,
    SIGNAL_LOST_TOLD_MAX,
    SIGNAL_READ_BYTES_MAX,
    SIGNAL_RETRY_MS_MAX,
    SIGNAL_TRIES_MAX,
    WORKFLOW_SIGNALS_MAX,
)
from mainspring_engine.domain.rows import OUTCOMES, SignalRow, Waiting, WaitRow
from mainspring_engine.ports.workflows import (
    ForkExtent,
    RecordedPage,
    UntakenSignal,
    WorkflowFilter,
    WorkflowRow,
)
from mainspring_kernel.limits import WORKFLOW_WAITS_MAX
from mainspring_postgres import Database, Row, load_queries
from mainspring_schema.workflows import Wait

WORKFLOWS: Final = load_queries("mainspring_engine.adapters.postgres", "workflows.sql")
_WAIT: Final = msgspec.msgpack.Decoder(Wait)
_COPIES: Final = -1
"""In place of a fence: the row stands for what another workflow recorded."""
_COPIES_ONE: Final = -2
"""The same of one place, whatever brought its result."""


def concerns(flight: tuple[Changes, ...]) -> bool:
    """Whether the flight has something that commit_v1 does not know."""
    return any(
        c.start or c.steps or c.waits or c.ended_waits or c.signals or c.taken_signals
        for c in flight
    )


def more_arguments(flight: tuple[Changes, ...]) -> tuple[object, ...]:
    """What engine.commit_workflows_v1 takes beyond engine.commit_v1."""

    def rows(of: Callable[[int, Changes], Iterable[Arguments]]) -> list[Arguments]:
        return [row for item, changes in enumerate(flight, start=1) for row in of(item, changes)]

    return (
        rows(_starts),
        rows(_steps),
        rows(lambda item, c: [
            (item, w.workflow_id, w.step, c.expected.org_id, w.timer_id, w.body) for w in c.waits
        ]),
        rows(lambda item, c: [(item, e.workflow_id, e.step) for e in c.ended_waits]),
        rows(lambda item, c: [
            (
                item, s.to or c.expected.session_id, s.source, s.kind, c.expected.org_id, s.body,
                s.taken,
            )
            for s in c.signals
        ]),
        rows(lambda item, c: [
            (item, c.expected.session_id, t.source, t.kind) for t in c.taken_signals
        ]),
    )  # fmt: skip


def whole_arguments_of_workflows(flight: tuple[Changes, ...]) -> tuple[object, ...]:
    """What engine.commit_workflows_whole_v1 takes beyond engine.commit_whole_v1."""
    starts, *others = more_arguments(flight)
    emits = [
        (item, e.task_id, e.fence, e.counter)
        for item, changes in enumerate(flight, start=1)
        for e in changes.emits
    ]
    return (starts, emits, *others)


def _starts(item: int, changes: Changes) -> Iterator[Arguments]:
    s = changes.start
    if s is not None:
        head = changes.expected
        yield item, s.workflow_id, head.org_id, s.type, s.key, s.queue, s.hash, changes.after.ts_ms


def _steps(item: int, changes: Changes) -> Iterator[Arguments]:
    org_id = changes.expected.org_id
    for s in changes.steps:
        digest = hashlib.sha256(s.body).digest()
        yield (
            item, s.workflow_id, s.step, org_id, s.task_id, s.fence, s.input_hash, s.body, digest,
        )  # fmt: skip
    start = changes.start
    if start is not None and start.copied is not None:
        source_id, places = start.copied.source_id, start.copied.places
        marks = ((start.copied.bound, _COPIES),) if places is None else _each(places)
        for place, mark in marks:
            yield item, start.workflow_id, place, org_id, source_id, mark, b"", b"", b""


def _each(places: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((place, _COPIES_ONE) for place in places)


class PostgresWorkflows:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, workflows: tuple[UUID, ...]) -> dict[UUID, Waiting]:
        # Two statements may see two moments: the workflow's rev tells, when it is committed on.
        waits = await self._database.fetch(WORKFLOWS["waits"], list(workflows))
        signals = await self._database.fetch(
            WORKFLOWS["signals"],
            list(workflows),
            WORKFLOW_SIGNALS_MAX + WORKFLOW_WAITS_MAX,
            SIGNAL_READ_BYTES_MAX,
        )
        found: dict[UUID, tuple[list[WaitRow], list[SignalRow]]] = {}
        for row in waits:
            wait = wait_row(row)
            found.setdefault(wait.workflow_id, ([], []))[0].append(wait)
        for row in signals:
            found.setdefault(cast(UUID, row["session_id"]), ([], []))[1].append(_signal_row(row))
        return {
            id_: Waiting(waits=tuple(rows), signals=tuple(kept))
            for id_, (rows, kept) in found.items()
        }

    async def said(
        self, session_id: UUID, signals: tuple[tuple[UUID, str], ...]
    ) -> dict[tuple[UUID, str], bytes]:
        sources, kinds = [source for source, _ in signals], [kind for _, kind in signals]
        rows = await self._database.fetch(WORKFLOWS["said"], session_id, sources, kinds)
        return {
            (cast(UUID, row["source_turn"]), cast(str, row["kind"])): cast(bytes, row["body"])
            for row in rows
        }

    async def untaken(self, *, older_than_ms: int, limit: int) -> tuple[UntakenSignal, ...]:
        return tuple(
            await self._database.fetch_as(
                UntakenSignal,
                WORKFLOWS["untaken"],
                older_than_ms,
                limit,
                SIGNAL_TRIES_MAX + SIGNAL_LOST_TOLD_MAX,
                SIGNAL_RETRY_MS_MAX,
            )
        )

    async def signal_body(self, session_id: UUID, source: UUID, *, kind: str) -> bytes | None:
        rows = await self._database.fetch(WORKFLOWS["signal_body"], session_id, source, kind)
        return cast(bytes, rows[0]["body"]) if rows else None

    async def recorded(self, workflow_id: UUID, *, after: str) -> RecordedPage:
        rows = await self._database.fetch(
            WORKFLOWS["recorded"], workflow_id, after, HISTORY_PAGE_ROWS_MAX, HISTORY_PAGE_BYTES_MAX
        )
        return _page(rows)

    async def recorded_at(self, workflow_id: UUID, places: tuple[str, ...]) -> RecordedPage:
        rows = await self._database.fetch(
            WORKFLOWS["recorded_at"],
            workflow_id,
            list(places),
            HISTORY_PAGE_ROWS_MAX,
            HISTORY_PAGE_BYTES_MAX,
        )
        return _page(rows)

    async def fork_extent(self, workflow_id: UUID, *, bound: str, limit: int) -> ForkExtent:
        rows = await self._database.fetch_as(
            ForkExtent, WORKFLOWS["fork_extent"], workflow_id, bound, limit
        )
        return rows[0]

    async def get(self, org_id: UUID, workflow_id: UUID) -> WorkflowRow | None:
        rows = await self._database.fetch(WORKFLOWS["workflow"], org_id, workflow_id)
        if not rows:
            return None
        bodies = cast("list[bytes]", rows[0]["wait_bodies"])
        timers = cast("list[UUID | None]", rows[0]["wait_timers"])
        waits = (_wait(workflow_id, *pair) for pair in zip(bodies, timers, strict=True))
        return _workflow_row(rows[0], tuple(waits))

    async def list(self, wanted: WorkflowFilter) -> tuple[WorkflowRow, ...]:
        outcomes = None if wanted.status is None else list(OUTCOMES[wanted.status])
        filters = (wanted.org_id, wanted.type, wanted.before, outcomes)
        if wanted.key is not None:
            rows = await self._database.fetch(WORKFLOWS["list_of_key"], *filters, wanted.key)
        else:
            rows = await self._database.fetch(WORKFLOWS["list_workflows"], *filters, wanted.limit)
        return tuple(_workflow_row(row) for row in rows[: wanted.limit])


def _page(rows: Sequence[Row]) -> RecordedPage:
    bodies = tuple(cast(bytes, row["body"]) for row in rows[:HISTORY_PAGE_ROWS_MAX])
    full = sum(map(len, bodies)) >= HISTORY_PAGE_BYTES_MAX
    return RecordedPage(bodies=bodies, more=full or len(rows) > HISTORY_PAGE_ROWS_MAX)


def _signal_row(row: Row) -> SignalRow:
    body = cast("bytes | None", row["body"])
    return SignalRow(
        source=cast(UUID, row["source_turn"]),
        kind=cast(str, row["kind"]),
        body=body,
        unread_bytes=cast(int, row["size"]) if body is None else 0,
    )


def wait_row(row: Row) -> WaitRow:
    return _wait(
        cast(UUID, row["workflow_id"]),
        cast(bytes, row["body"]),
        cast("UUID | None", row["timer_id"]),
    )


def _wait(workflow_id: UUID, body: bytes, timer_id: UUID | None) -> WaitRow:
    return WaitRow(workflow_id=workflow_id, wait=_WAIT.decode(body), timer_id=timer_id)


def _workflow_row(row: Row, waits: tuple[WaitRow, ...] = ()) -> WorkflowRow:
    return WorkflowRow(
        workflow=workflow_of(row),
        type=cast(str, row["type"]),
        key=cast(str, row["key"]),
        queue=cast(str, row["queue"]),
        outcome_body=cast("bytes | None", row["outcome_body"]),
        waits=waits,
    )
