"""What must hold of users' workflows and plain tasks; as in `checks`, always and at rest."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_engine.adapters.memory.tables import StepRow, Tables
from mainspring_engine.domain.plain import NOT_BEGUN, STEP
from mainspring_engine.domain.rows import Closing, Outcome, TaskKind
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.children import KINDS
from mainspring_engine.domain.workflow.going import OUTCOME_STEP
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.ids import uuid7_ms
from mainspring_schema.frames import Held
from mainspring_schema.tasks import PlainResult, WorkflowResult
from mainspring_schema.workflows import CANCEL_STEP, Flaw
from tests.sim.corners import GIVEN_BACK
from tests.sim.orders import Handed, Orders, poisoned
from tests.sim.programs import Call
from tests.sim.records import recorded, token
from tests.sim.wanted import OVERDUE, Book, Order, code_of, fork_misfits, listed, misfits
from tests.sim.world import World

_STARTS: Final = "workflow.started"
_OUTCOMES: Final = {
    "workflow.completed": Outcome.COMPLETED,
    "workflow.failed": Outcome.FAILED,
    "workflow.cancelled": Outcome.CANCELLED,
}
_PLAIN: Final = msgspec.msgpack.Decoder(PlainResult)
_RESULT: Final = msgspec.msgpack.Decoder(WorkflowResult)
_KEPT: Final = frozenset({Closing.RESULT, Closing.SUSPENDED})
"""An attempt that closed so left nothing undone that it did."""


class _Child(Struct):
    workflow_id: str
    detached: bool = False


class _ChildStarted(Struct):
    data: _Child


_CHILD: Final = msgspec.json.Decoder(_ChildStarted)
_ORDER: Final = re.compile(r"order-\d+$")


def always(world: World, orders: Orders) -> Iterator[str]:
    yield from orders.wrong
    yield from _ends(world)
    yield from _calls(world)
    yield from _climbs(world)
    for order in orders.placed:
        yield from _of_build(world, order)
    yield from _known(world, orders)


def at_rest(world: World, orders: Orders) -> Iterator[str]:
    yield from orders.gave_up
    for one in (*orders.placed, *orders.handed):
        if not one.settled:
            yield f"somebody still waits for {one.key}"
    yield from _nothing_left(world.tables.engine.tables, world.tables.log)
    yield from _detached(world)
    for order in orders.placed:
        told = [id_ for id_ in (order.workflow_id, order.fork_id) if id_ is not None]
        lost = [id_ for id_ in told if id_ not in world.tables.engine.tables.workflows]
        for id_ in lost:
            yield f"H5 workflow {id_.hex} of {order.key} was acknowledged and is not there"
        if order.workflow_id is not None and not lost:
            yield from _outcome(world, order, order.workflow_id)
    for handed in orders.handed:
        yield from _one_end(world, handed)


# ── always ──────────────────────────────────────────────────────────────────────────────────────


def _ends(world: World) -> Iterator[str]:
    """I10: one start, and one end exactly where the row says so, with nothing behind it."""
    tables = world.tables.engine.tables
    for id_ in tables.starts:
        types = [row.event.type for row in world.tables.log.events[id_]]
        outcome = tables.workflows[id_].outcome
        told = [_OUTCOMES[type_] for type_ in types if type_ in _OUTCOMES]
        ended = [] if outcome is Outcome.RUNNING else [outcome]
        if types.count(_STARTS) != 1 or types[0] != _STARTS or told != ended:
            yield f"I10 workflow {id_.hex}: {types}, the row says {outcome.name}"
        elif told and types[-1] not in _OUTCOMES:
            yield f"I10 workflow {id_.hex}: {types[-1]} stands behind its end"


def _calls(world: World) -> Iterator[str]:
    """A step is called again only by an attempt that took over from one that was lost."""
    tables = world.tables.engine.tables
    lost: Counter[UUID] = Counter(
        row.workflow_id for row in tables.attempts.values() if row.closing not in _KEPT
    )
    kept = dict(recorded(tables))
    for (key, n), calls in world.ledger.calls.items():
        of: dict[UUID, list[Call]] = defaultdict(list)
        for call in calls:
            of[_owner(tables, call.held)].append(call)
        for owner, own in of.items():
            name = f"step {n} of {key}"
            if len(own) > 1 + lost[owner]:
                yield f"I12 {name}: {len(own)} calls, {lost[owner]} lost attempts"
            row = kept.get((owner, key, n))
            if row is not None and any(_later(tables, call.held, row) for call in own):
                yield f"I12 {name} was called again after it was recorded"


def _climbs(world: World) -> Iterator[str]:
    """How far a step has come is never forgotten once an attempt was told of it, or failed."""
    tables = world.tables.engine.tables
    for key, told in world.ledger.climbs.items():
        of: dict[UUID, list[tuple[int, int]]] = defaultdict(list)
        for held, height in told.items():
            of[held.task_id].append((held.fence, height))
        for task_id, reads in of.items():
            heights = [height for _, height in sorted(reads)]
            if heights != sorted(heights):
                yield f"the climb {key} (task {task_id.hex}) was told of {heights}, in this order"
        for held, height in told.items():
            before = Held(held.task_id, held.fence - 1)
            said, row = world.ledger.told.get(before), tables.attempts.get(before)
            if row is not None and row.closing is Closing.RETRIED and said not in (None, height):
                yield f"the climb {key} had come to {said}, failed, and was told of {height}"


def _owner(tables: Tables, held: Held) -> UUID:
    closed = tables.attempts.get(held)
    return tables.tasks[held.task_id].workflow_id if closed is None else closed.workflow_id


def _later(tables: Tables, held: Held, row: StepRow) -> bool:
    """Whether that attempt began when the one that recorded it was over."""
    if held.task_id == row.task_id:
        return held.fence > row.fence
    mine, its = tables.attempts.get(held), tables.attempts.get(Held(row.task_id, row.fence))
    claimed_ms = tables.tasks[held.task_id].claimed_ms if mine is None else mine.claimed_ms
    return its is not None and claimed_ms > its.closed_ms


def _known(world: World, orders: Orders) -> Iterator[str]:
    """H5: what was acknowledged is there; and a key started one workflow."""
    tables = world.tables.engine.tables
    keys = Counter(start.key for start in tables.starts.values() if _ORDER.match(start.key))
    for key, count in keys.items():
        if count > 1:
            yield f"I7 {key} started {count} workflows"
    for order in orders.placed:
        if order.workflow_id is not None and order.workflow_id not in tables.starts:
            yield f"H5 {order.key} was acknowledged and is not there"
    for handed in orders.handed:
        if handed.settled and handed.task_id not in tables.payloads:
            yield f"H5 {handed.key} was acknowledged and is not there"


# ── at rest ─────────────────────────────────────────────────────────────────────────────────────


def _nothing_left(tables: Tables, log: MemoryLog) -> Iterator[str]:
    for workflow_id, waits in tables.waits.items():
        if waits:
            yield f"I16 workflow {workflow_id.hex} still waits: {sorted(waits)}"
    for task_id in tables.start_bounds:
        yield f"I16 a bound is left of task {task_id.hex}"
    for session_id, signals in tables.signals.items():
        # Nobody listens any more in a session that was closed.
        for entry in () if log.heads[session_id].closed else signals.values():
            if entry.row.kind in KINDS and not entry.taken:
                yield f"I25 {entry.row.kind} to {session_id.hex} was never taken"


def _detached(world: World) -> Iterator[str]:
    """What was started to go on by itself went on, whatever became of who started it."""
    for rows in world.tables.log.events.values():
        for row in rows:
            if row.event.type != "workflow.child_started":
                continue
            told = _CHILD.decode(row.event.payload).data
            id_ = UUID(told.workflow_id.partition("_")[2])
            if told.detached and _result(world, id_)[0] != "completed" and not poisoned(world):
                yield f"{told.workflow_id} was to go on by itself, and ended {_result(world, id_)}"


def _outcome(world: World, order: Order, id_: UUID) -> Iterator[str]:
    outcome, result = _result(world, id_)
    of_child = outcome == "completed" and "poison" in listed(result)
    if poisoned(world) and (outcome == "failed" or of_child):
        return  # its workers were killed three times, or a child's, which is no fault of its own
    if code_of(result) == OVERDUE and order.close_ms is not None:
        yield from _overdue(world, order, id_)
    elif code_of(result) == NOT_BEGUN.code and order.start_ms is not None:
        yield from _not_begun(world, order, id_)
    else:
        yield from misfits(order, outcome, result, _book(world, id_))
    if order.program in {"booking", "caravan"} and outcome != "completed" and not order.forced:
        yield from _given_back(world, order.key, id_)
    if order.fork_id is not None:
        yield from _forked(world, order, order.fork_id, result if outcome == "completed" else None)


def _forked(world: World, order: Order, fork_id: UUID, result: object) -> Iterator[str]:
    """It has no bound, and nobody cancels it. `result` is its source's, where that has one."""
    outcome, forked = _result(world, fork_id)
    if outcome == "failed" and poisoned(world):
        return
    whole = msgspec.structs.replace(order, cancels=False, close_ms=None, start_ms=None)
    for sentence in misfits(whole, outcome, forked, _book(world, fork_id)):
        yield f"fork: {sentence}"
    if outcome == "completed" and result is not None:
        yield from fork_misfits(order, listed(result), listed(forked))


def _overdue(world: World, order: Order, id_: UUID) -> Iterator[str]:
    """It was stopped when its time was up, and not before."""
    engine = world.tables.engine
    took_ms = engine.ended_ms[id_] - engine.began_ms[id_]
    if took_ms < (order.close_ms or 0):
        yield f"{order.key} was stopped after {took_ms} ms, and had {order.close_ms}"


def _not_begun(world: World, order: Order, id_: UUID) -> Iterator[str]:
    """Nobody took it, and it was to be taken by then."""
    engine = world.tables.engine
    took_ms = engine.ended_ms[id_] - engine.began_ms[id_]
    taken = [row for row in engine.tables.attempts.values() if row.workflow_id == id_]
    if any(row.acknowledged for row in taken) or took_ms < (order.start_ms or 0):
        yield f"{order.key} was not begun after {took_ms} ms, and {len(taken)} attempts were made"


def _of_build(world: World, order: Order) -> Iterator[str]:
    """What is for one build was tried by no other."""
    tables = world.tables.engine.tables
    for row in tables.attempts.values() if order.build else ():
        worker = tables.registry.workers.get(row.incarnation)
        if row.workflow_id != order.workflow_id or worker is None:
            continue
        if worker.build != order.build:
            yield f"{order.key} is for {order.build}, and was tried by {worker.build}"


def _given_back(world: World, key: str, id_: UUID) -> Iterator[str]:
    """Code that heard of its cancel has compensated; what had not begun has nothing to."""
    tables = world.tables.engine.tables
    heard = (id_, CANCEL_STEP) in tables.steps
    if heard and (id_, key, GIVEN_BACK) not in dict(recorded(tables)):
        yield f"H5 {key} heard of its cancel and gave nothing back"


def _book(world: World, id_: UUID) -> Book:
    kept = {place: token(row) for place, row in recorded(world.tables.engine.tables)}
    return Book(
        recorded=lambda token: kept.get((id_, token.key, token.n)),
        made=lambda token: len(world.ledger.calls[token.key, token.n]),
    )


def _result(world: World, id_: UUID) -> tuple[str, object]:
    """With the flaw where there is no result."""
    tables = world.tables.engine.tables
    row = tables.steps.get((id_, OUTCOME_STEP))
    outcome = tables.workflows[id_].outcome.name.lower()
    if row is None:
        # What failed without an answer of its worker says why in its state.
        code, _, message = states.decode(tables.workflows[id_]).problem.partition(": ")
        return outcome, Flaw(code=code, message=message)
    kept = _RESULT.decode(row.body)
    return outcome, kept.flaw or msgspec.json.decode(kept.result)


def _too_late(tables: Tables, handed: Handed, id_: UUID) -> Iterator[str]:
    """Nobody took it, and it was to be taken by then."""
    within_ms = handed.haste.within_ms
    (first, *others) = [row for held, row in tables.attempts.items() if held.task_id == id_]
    if within_ms is None or others or first.acknowledged:
        yield f"{handed.key} was too late, and {len(others) + 1} attempts were made"
    elif first.closed_ms < uuid7_ms(id_) + within_ms:
        yield f"{handed.key} was too late before its time"


def _one_end(world: World, handed: Handed) -> Iterator[str]:
    """A task has a result, was cancelled or was given up as poison: one of them, as it had to."""
    tables = world.tables.engine.tables
    for id_ in (handed.task_id, handed.again_id):
        if id_ is None or not handed.settled:
            continue
        row = tables.steps.get((id_, STEP))
        ends = (row is not None) + (id_ in tables.plain_cancels)
        if ends != 1:
            yield f"{handed.key} has {ends} ends"
        elif row is not None and id_ not in poisoned(world):
            flaw = _PLAIN.decode(row.body).flaw
            if flaw is not None and flaw.code == NOT_BEGUN.code:
                yield from _too_late(tables, handed, id_)
            elif (flaw is not None) != handed.fails or handed.poisons or handed.haste.unknown:
                yield f"{handed.key} ended otherwise than it had to: {_PLAIN.decode(row.body)}"
    if handed.settled and any(task.kind is TaskKind.PLAIN for task in tables.tasks.values()):
        yield f"a plain task is still there beside {handed.key}"
