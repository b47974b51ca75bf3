"""A flight as the arguments of engine.commit_v1: one array per kind of row, each row with its item.

The order of a tuple is the order of the columns of its type in the migration.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from mainspring_engine.adapters.postgres.inbox import packed
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.routes import Route
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX, LEASE_S

Row = tuple[object, ...]
Routes = Mapping[Route, int]

LEASE_MS = round(LEASE_S * 1000)
EXPECTED_REV = 4
"""Where a workflow's row has it; 0 for one that starts."""


def routes_of(flight: tuple[Changes, ...]) -> set[Route]:
    return {task.route for changes in flight for task in changes.tasks}


def arguments(flight: tuple[Changes, ...], routes: Routes) -> tuple[object, ...]:
    """`routes` has the number of every route of the flight."""

    def rows(of: Callable[[int, Changes], Iterable[Row]]) -> list[Row]:
        return [row for item, changes in enumerate(flight, start=1) for row in of(item, changes)]

    return (
        LEASE_MS,
        CLOCK_DRIFT_MS_MAX,
        [_item(item, changes) for item, changes in enumerate(flight, start=1)],
        rows(_events),
        rows(_anchors),
        rows(workflows),
        rows(closes),
        rows(lambda item, c: [(item, m.task_id, m.fence) for m in c.marks]),
        rows(lambda item, c: [(item, e.task_id, e.fence, e.counter) for e in c.emits]),
        rows(results),
        rows(lambda item, c: tasks(item, c, routes)),
        rows(accepts),
        rows(consumes),
        rows(timers),
        rows(lambda item, c: [(item, timer_id) for timer_id in c.dropped_timers]),
        rows(_dead_letters),
        rows(configs),
    )


def _item(item: int, changes: Changes) -> Row:
    before, after = changes.expected, changes.after
    return (
        item, before.session_id, before.org_id,
        before.last_seq, before.hash, before.status, before.paused, before.active_turn,
        before.turn_first_seq, before.closed,
        after.last_seq, after.hash, after.ts_ms, after.status, after.active_turn,
        after.turn_first_seq, after.closed,
        len(changes.events), changes.close_anchors, changes.moves_head,
    )  # fmt: skip


def _events(item: int, changes: Changes) -> Iterator[Row]:
    session_id = changes.expected.session_id
    for e in changes.events:
        yield item, session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload, e.hash


def _anchors(item: int, changes: Changes) -> Iterator[Row]:
    for a in changes.anchors:
        yield item, changes.expected.session_id, a.anchor, a.attempt


def workflows(item: int, changes: Changes) -> Iterator[Row]:
    head = changes.expected
    for w in changes.workflows:
        yield (
            item, w.id, head.session_id, head.org_id, w.expected_rev, w.ordinal, w.outcome,
            w.state, w.config_hash, w.traceparent, w.started_ms,
        )  # fmt: skip


def closes(item: int, changes: Changes) -> Iterator[Row]:
    for c in changes.closes:
        yield (
            item, c.task_id, c.fence, c.expected, c.closing, c.result_hash, c.error_code,
            c.delay_ms, c.counts_failure, c.counts_death,
        )  # fmt: skip


def results(item: int, changes: Changes) -> Iterator[Row]:
    for r in changes.results:
        yield item, r.workflow_id, r.step, r.task_id, r.fence, r.body, r.hash


def tasks(item: int, changes: Changes, routes: Routes) -> Iterator[Row]:
    head = changes.expected
    for t in changes.tasks:
        yield (
            item, t.id, t.workflow_id, head.session_id, head.org_id, t.kind, routes[t.route],
            t.priority, t.effect, t.step, t.payload,
            None if t.claim is None else t.claim.incarnation,
            None if t.claim is None else t.claim.attach_number,
        )  # fmt: skip


def accepts(item: int, changes: Changes) -> Iterator[Row]:
    head = changes.expected
    for a in changes.accepts:
        yield (
            item, head.session_id, head.org_id, a.message_id, a.seq, a.ts_ms, a.config_hash,
            a.turn_id, packed(a.controls, a.mode), a.consumed_by,
            a.idempotency_key, a.body_hash,
        )  # fmt: skip


def consumes(item: int, changes: Changes) -> Iterator[Row]:
    for c in changes.consumes:
        yield item, changes.expected.session_id, c.message_id, c.workflow_id


def timers(item: int, changes: Changes) -> Iterator[Row]:
    head = changes.expected
    for t in changes.timers:
        yield item, t.id, t.workflow_id, head.session_id, head.org_id, t.kind, t.delay_ms


def configs(item: int, changes: Changes) -> Iterator[Row]:
    for c in changes.configs:
        yield item, c.hash, c.org_id, c.body


def _dead_letters(item: int, changes: Changes) -> Iterator[Row]:
    head = changes.expected
    for d in changes.dead_letters:
        yield item, d.task_id, d.workflow_id, head.session_id, head.org_id, d.reason, d.detail
