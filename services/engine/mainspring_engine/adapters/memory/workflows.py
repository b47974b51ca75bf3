"""Users' workflows in memory: what a flight writes of them, and what is read."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

import msgspec

from mainspring_engine.adapters.memory.rules import refuse, repeats
from mainspring_engine.adapters.memory.tables import SignalEntry, StepRow, Tables
from mainspring_engine.domain.changes import Changes, CopySteps, NewSignal, RecordStep
from mainspring_engine.domain.limits import (
    HISTORY_PAGE_BYTES_MAX,
    HISTORY_PAGE_ROWS_MAX,
    SIGNAL_LOST_TOLD_MAX,
    SIGNAL_READ_BYTES_MAX,
    SIGNAL_RETRY_MS_MAX,
    SIGNAL_TRIES_MAX,
)
from mainspring_engine.domain.rows import OUTCOMES, SignalRow, Waiting, WaitRow
from mainspring_engine.domain.workflow import children
from mainspring_engine.ports.workflows import (
    ForkExtent,
    KnownStart,
    RecordedPage,
    UntakenSignal,
    WorkflowFilter,
    WorkflowRow,
)
from mainspring_kernel.clock import Clock
from mainspring_schema.frames import Held
from mainspring_schema.workflows import INPUT_STEP, Wait, generation_of, order_of, prefix_of


def known_start(tables: Tables, changes: Changes) -> KnownStart | None:
    """The workflow that this start's key started before."""
    start = changes.start
    if start is None:
        return None
    id_ = tables.start_keys.get((changes.expected.org_id, start.key))
    return None if id_ is None else KnownStart(workflow_id=id_, hash=tables.starts[id_].hash)


def repeats_signal(tables: Tables, changes: Changes) -> bool:
    return any(
        (signal.source, signal.kind) in tables.signals.get(_addressee(changes, signal), {})
        for signal in changes.signals
    )


def _addressee(changes: Changes, signal: NewSignal) -> UUID:
    return signal.to or changes.expected.session_id


# ── writing ─────────────────────────────────────────────────────────────────────────────────────


def check(tables: Tables, changes: Changes) -> None:
    """Raises BrokenRule, before anything is written."""
    steps = [(step.workflow_id, step.step) for step in changes.steps]
    refuse("two records of one step", repeats(steps))
    refuse("a step that has its record", any(key in tables.steps for key in steps))
    for step in changes.steps:
        task = tables.tasks.get(step.task_id)
        fits = step.fence == 0 or (task is not None and task.fence == step.fence)
        refuse("a recorded step without its attempt", not fits)
    if changes.start is not None and changes.start.copied is not None:
        _check_copy(tables, changes.expected.org_id, changes.start.copied)
    left = {(ended.workflow_id, ended.step) for ended in changes.ended_waits}
    for wait in changes.waits:
        is_there = wait.step in tables.waits.get(wait.workflow_id, {})
        refuse("a wait that is there", is_there and (wait.workflow_id, wait.step) not in left)
    kept = tables.signals.get(changes.expected.session_id, {})
    for take in changes.taken_signals:
        entry = kept.get((take.source, take.kind))
        refuse("a signal that is not waiting", entry is None or entry.taken)


def write(tables: Tables, changes: Changes, now_ms: int) -> None:
    org_id, session_id = changes.expected.org_id, changes.expected.session_id
    if changes.start is not None:
        tables.starts[changes.start.workflow_id] = changes.start
        tables.start_keys[org_id, changes.start.key] = changes.start.workflow_id
        if changes.start.copied is not None:
            _copy(tables, changes.start.workflow_id, changes.start.copied)
    for step in changes.steps:
        _record(tables, step)
    for ended in changes.ended_waits:
        tables.waits.get(ended.workflow_id, {}).pop(ended.step, None)
    for wait in changes.waits:
        row = WaitRow(
            workflow_id=wait.workflow_id,
            wait=msgspec.msgpack.decode(wait.body, type=Wait),
            timer_id=wait.timer_id,
        )
        tables.waits.setdefault(wait.workflow_id, {})[wait.step] = row
    for signal in changes.signals:
        came = SignalRow(source=signal.source, kind=signal.kind, body=signal.body)
        kept = tables.signals.setdefault(_addressee(changes, signal), {})
        kept[signal.source, signal.kind] = SignalEntry(
            row=came, taken=signal.taken, org_id=org_id, came_ms=now_ms
        )
    for take in changes.taken_signals:
        tables.signals[session_id][take.source, take.kind].taken = True


def _check_copy(tables: Tables, org_id: UUID, copied: CopySteps) -> None:
    source_id, places = copied.source_id, copied.places
    needed = (prefix_of(generation_of(copied.bound)) + INPUT_STEP,) if places is None else places
    gone = any((source_id, place) not in tables.steps for place in needed)
    foreign = places is not None and tables.workflows[source_id].org_id != org_id
    refuse("what a fork begins with was removed", gone or foreign)


def _copy(tables: Tables, workflow_id: UUID, copied: CopySteps) -> None:
    source, fork = tables.workflows[copied.source_id], tables.workflows[workflow_id]
    places = copied.places
    if places is None:
        is_foreign = source.org_id != fork.org_id
        places = () if is_foreign else _before(tables, copied.source_id, copied.bound)
    for place in places:
        row = tables.steps[copied.source_id, place]
        tables.steps[workflow_id, place] = msgspec.structs.replace(
            row, task_id=workflow_id, fence=0, rev=0, checkpoint=True
        )


def _before(tables: Tables, workflow_id: UUID, bound: str) -> list[str]:
    """Places of recorded steps that a fork copies."""
    prefix, is_whole = prefix_of(generation_of(bound)), not bound or bound.endswith("~")
    return [
        step
        for (owner, step), row in tables.steps.items()
        if owner == workflow_id
        and row.checkpoint
        and prefix_of(generation_of(step)) == prefix
        and step != prefix + INPUT_STEP
        and (is_whole or order_of(step) < order_of(bound))
    ]


def _record(tables: Tables, step: RecordStep) -> None:
    """It takes the deaths of its task back: they did not stop the workflow."""
    tables.steps[step.workflow_id, step.step] = _step_row(tables, step)
    task = tables.tasks.get(step.task_id)
    if task is not None and task.fence == step.fence:
        task.deaths, task.died = 0, set()


def _step_row(tables: Tables, step: RecordStep) -> StepRow:
    return StepRow(
        task_id=step.task_id,
        fence=step.fence,
        rev=_rev(tables, step),
        input_hash=step.input_hash,
        body=step.body,
        hash=hashlib.sha256(step.body).digest(),
        checkpoint=True,
    )


def _rev(tables: Tables, step: RecordStep) -> int:
    if step.fence == 0:
        return 0
    task = tables.tasks.get(step.task_id)
    if task is not None and task.fence == step.fence:
        return task.rev
    return tables.attempts[Held(step.task_id, step.fence)].close_rev


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


class MemoryWorkflows:
    def __init__(self, tables: Tables, lock: AbstractContextManager[object], clock: Clock) -> None:
        self._tables = tables
        self._lock = lock
        self._clock = clock

    async def waiting(self, workflows: tuple[UUID, ...]) -> dict[UUID, Waiting]:
        with self._lock:
            found = {id_: self._waiting(id_) for id_ in workflows}
            return {id_: waiting for id_, waiting in found.items() if waiting != Waiting()}

    def _waiting(self, workflow_id: UUID) -> Waiting:
        waits = self._tables.waits.get(workflow_id, {})
        # Those of parents and children come first.
        signals = sorted(
            self._tables.signals.get(workflow_id, {}).values(),
            key=lambda entry: entry.row.kind.startswith("signal:"),
        )
        return Waiting(
            waits=tuple(waits[step] for step in sorted(waits)),
            signals=tuple(_in_short(entry.row) for entry in signals if not entry.taken),
        )

    async def said(
        self, session_id: UUID, signals: tuple[tuple[UUID, str], ...]
    ) -> dict[tuple[UUID, str], bytes]:
        with self._lock:
            kept = self._tables.signals.get(session_id, {})
            rows = {signal: kept[signal].row for signal in signals if signal in kept}
            return {signal: row.body for signal, row in rows.items() if row.body is not None}

    async def untaken(self, *, older_than_ms: int, limit: int) -> tuple[UntakenSignal, ...]:
        with self._lock:
            before_ms = self._clock.wall_ms() - older_than_ms
            lying = sorted(
                (
                    (entry.came_ms, session_id, entry)
                    for session_id, kept in self._tables.signals.items()
                    for entry in kept.values()
                    if not entry.taken
                    and entry.row.kind in children.KINDS
                    and entry.came_ms < before_ms
                    and _comes_again(entry, self._clock.wall_ms())
                ),
                key=lambda found: found[0],
            )
            return tuple(self._tried(session_id, entry) for _, session_id, entry in lying[:limit])

    def _tried(self, session_id: UUID, entry: SignalEntry) -> UntakenSignal:
        entry.tries, entry.tried_ms = entry.tries + 1, self._clock.wall_ms()
        return UntakenSignal(
            session_id=session_id,
            org_id=entry.org_id,
            source=entry.row.source,
            kind=entry.row.kind,
            tries=entry.tries,
        )

    async def signal_body(self, session_id: UUID, source: UUID, *, kind: str) -> bytes | None:
        with self._lock:
            entry = self._tables.signals.get(session_id, {}).get((source, kind))
            return None if entry is None else entry.row.body

    async def recorded(self, workflow_id: UUID, *, after: str) -> RecordedPage:
        with self._lock:
            mine = sorted(
                step
                for (owner, step), row in self._tables.steps.items()
                if owner == workflow_id and row.checkpoint and step > after
            )
            return self._page(workflow_id, mine)

    async def recorded_at(self, workflow_id: UUID, places: tuple[str, ...]) -> RecordedPage:
        with self._lock:
            rows = {place: self._tables.steps.get((workflow_id, place)) for place in places}
            kept = sorted(p for p, row in rows.items() if row is not None and row.checkpoint)
            return self._page(workflow_id, kept)

    def _page(self, workflow_id: UUID, places: list[str]) -> RecordedPage:
        bodies: list[bytes] = []
        size = 0
        for place in places[:HISTORY_PAGE_ROWS_MAX]:
            if size >= HISTORY_PAGE_BYTES_MAX:
                break
            bodies.append(self._tables.steps[workflow_id, place].body)
            size += len(bodies[-1])
        full = size >= HISTORY_PAGE_BYTES_MAX
        return RecordedPage(bodies=tuple(bodies), more=full or len(places) > HISTORY_PAGE_ROWS_MAX)

    async def fork_extent(self, workflow_id: UUID, *, bound: str, limit: int) -> ForkExtent:
        with self._lock:
            row = self._tables.steps.get((workflow_id, bound))
            return ForkExtent(
                steps=min(limit, len(_before(self._tables, workflow_id, bound))),
                recorded=row is not None and row.checkpoint,
            )

    async def get(self, org_id: UUID, workflow_id: UUID) -> WorkflowRow | None:
        with self._lock:
            row = self._row(workflow_id)
            if row is None or row.workflow.org_id != org_id:
                return None
            waits = self._tables.waits.get(workflow_id, {})
            return msgspec.structs.replace(
                row,
                outcome_body=self._outcome(workflow_id),
                waits=tuple(waits[step] for step in sorted(waits)),
            )

    def _outcome(self, workflow_id: UUID) -> bytes | None:
        outcome = self._tables.steps.get((workflow_id, "workflow"))
        return None if outcome is None else outcome.body

    def _row(self, workflow_id: UUID) -> WorkflowRow | None:
        start = self._tables.starts.get(workflow_id)
        if start is None:
            return None
        return WorkflowRow(
            workflow=self._tables.workflows[workflow_id],
            type=start.type,
            key=start.key,
            queue=start.queue,
        )

    async def list(self, wanted: WorkflowFilter) -> tuple[WorkflowRow, ...]:
        with self._lock:
            found: list[WorkflowRow] = []
            fits = _fits(wanted)
            for id_ in sorted(self._tables.starts, key=lambda id_: id_.int, reverse=True):
                row = self._row(id_)
                if row is not None and fits(row):
                    failed = row.workflow.outcome in OUTCOMES["failed"]
                    body = self._outcome(id_) if failed else None
                    found.append(msgspec.structs.replace(row, outcome_body=body))
            return tuple(found[: wanted.limit])


def _comes_again(entry: SignalEntry, now_ms: int) -> bool:
    """Later and later, and at last no more."""
    if entry.tries >= SIGNAL_TRIES_MAX + SIGNAL_LOST_TOLD_MAX:
        return False
    wait_ms = min(SIGNAL_RETRY_MS_MAX, 1000 << min(entry.tries, 20))
    return entry.tried_ms is None or entry.tried_ms < now_ms - wait_ms


def _fits(wanted: WorkflowFilter) -> Callable[[WorkflowRow], bool]:
    outcomes = None if wanted.status is None else OUTCOMES[wanted.status]

    def fits(row: WorkflowRow) -> bool:
        workflow = row.workflow
        return (
            workflow.org_id == wanted.org_id
            and wanted.type in (None, row.type)
            and wanted.key in (None, row.key)
            and (wanted.before is None or workflow.id.int < wanted.before.int)
            and (outcomes is None or workflow.outcome in outcomes)
        )

    return fits


def _in_short(row: SignalRow) -> SignalRow:
    """Without what it says, where that is long."""
    if row.size <= SIGNAL_READ_BYTES_MAX:
        return row
    return msgspec.structs.replace(row, body=None, unread_bytes=row.size)
