"""A flight as the arguments of engine.commit_whole_v1, and which flights it takes.

The order of a tuple is the order of the columns of its type in the migrations.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Final, cast
from uuid import UUID

import msgspec

from mainspring_engine.adapters.postgres.flights import (
    EXPECTED_REV,
    LEASE_MS,
    Routes,
    Row,
    accepts,
    closes,
    configs,
    consumes,
    results,
    tasks,
    timers,
    workflows,
)
from mainspring_engine.adapters.postgres.replies import closed
from mainspring_engine.domain.changes import Changes
from mainspring_engine.ports.store import Committed
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX
from mainspring_postgres import Row as Reply
from mainspring_schema.frames import Held, Verdict

FIRST_ATTEMPT: Final = 1
_WRITTEN: Final = frozenset({
    "expected", "after", "events", "anchors", "close_anchors", "workflows", "closes", "results",
    "tasks", "accepts", "consumes", "timers", "dropped_timers", "configs",
})  # fmt: skip
_OF_WORKFLOWS: Final = frozenset({
    "start", "emits", "steps", "waits", "ended_waits", "signals", "taken_signals",
})  # fmt: skip
"""What engine.commit_workflows_whole_v1 writes beside."""
_JUDGED: Final = tuple(
    name for name in Changes.__struct_fields__ if name not in _WRITTEN | _OF_WORKFLOWS
)
"""Whatever neither function writes, also what comes to be one day."""
_NO_CHANNELS: Final[dict[str, int]] = {}


def of_workflows(flight: tuple[Changes, ...]) -> bool:
    """Whether it has something of people's workflows, which commit_whole_v1 alone does not write.

    Events in the middle of a turn's attempt are such a thing too.
    """
    return any(getattr(changes, name) for changes in flight for name in _OF_WORKFLOWS)


def is_whole(flight: tuple[Changes, ...]) -> bool:
    """Whether the flight has only what the functions write; the rest is rarer and is judged."""
    return all(
        changes.events
        and not (changes.expected.closed or changes.after.closed)
        and not any(getattr(changes, name) for name in _JUDGED)
        and all(c.delay_ms is None and not c.error_message for c in changes.closes)
        and all(anchor.attempt in (None, FIRST_ATTEMPT) for anchor in changes.anchors)
        for changes in flight
    )


def whole_arguments(flight: tuple[Changes, ...], routes: Routes) -> tuple[object, ...]:
    items = list(enumerate(flight, start=1))
    moved: list[Row] = []
    started: list[Row] = []
    for row in chain.from_iterable(workflows(item, changes) for item, changes in items):
        (moved if row[EXPECTED_REV] else started).append(row)
    return (
        LEASE_MS,
        CLOCK_DRIFT_MS_MAX,
        [_head(item, changes) for item, changes in items],
        list(chain.from_iterable(_events(changes) for changes in flight)),
        started,
        moved,
        list(chain.from_iterable(closes(item, changes) for item, changes in items)),
        list(chain.from_iterable(results(item, changes) for item, changes in items)),
        list(chain.from_iterable(tasks(item, changes, routes) for item, changes in items)),
        list(chain.from_iterable(accepts(item, changes) for item, changes in items)),
        any(a.idempotency_key is not None for changes in flight for a in changes.accepts),
        list(chain.from_iterable(consumes(item, changes) for item, changes in items)),
        list(chain.from_iterable(timers(item, changes) for item, changes in items)),
        [(item, timer_id) for item, changes in items for timer_id in changes.dropped_timers],
        list(chain.from_iterable(configs(item, changes) for item, changes in items)),
    )


def _head(item: int, changes: Changes) -> Row:
    before, after = changes.expected, changes.after
    # The last word on an anchor counts.
    anchors = {anchor.anchor: anchor.attempt for anchor in changes.anchors}
    gone = [name for name, attempt in anchors.items() if attempt is None]
    opened = {
        name: {"a": attempt, "c": _NO_CHANNELS}
        for name, attempt in anchors.items()
        if attempt is not None
    }
    return (
        item, before.session_id, before.org_id,
        before.last_seq, before.hash, before.status, before.paused, before.active_turn,
        before.turn_first_seq,
        after.last_seq, after.hash, after.ts_ms, after.status, after.active_turn,
        after.turn_first_seq,
        changes.close_anchors, gone, msgspec.json.encode(opened).decode() if opened else "{}",
    )  # fmt: skip


def _events(changes: Changes) -> Iterator[Row]:
    session_id = changes.expected.session_id
    for e in changes.events:
        yield session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload, e.hash


def written(flight: tuple[Changes, ...], reply: Reply) -> tuple[Committed, ...]:
    """The answers to a flight that was written."""
    now_ms = cast(int, reply["now_ms"])
    deltas = cast("list[int]", reply["deltas_before"])
    ended = iter(cast("list[Reply] | None", reply["closes"]) or ())
    unclaimed = frozenset(cast("list[UUID] | None", reply["unclaimed"]) or ())
    return tuple(
        Committed(
            verdict=Verdict.COMMITTED,
            now_ms=now_ms,
            deltas_before=before,
            closes=tuple(closed(Held(c.task_id, c.fence), next(ended)) for c in changes.closes),
            emits=tuple(Verdict.COMMITTED for _ in changes.emits),
            unclaimed=tuple(task.id for task in changes.tasks if task.id in unclaimed),
        )
        for changes, before in zip(flight, deltas, strict=True)
    )
