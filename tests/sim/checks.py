"""What must hold: Python twins of the invariants, over the tables, the log, the world and readers.

`always` holds after every fault; `at_rest` once everything was mended and had its time.
"""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_engine.domain.limits import WORKER_DEATHS_MAX
from mainspring_engine.domain.rows import Closing, Effect, Outcome, TaskState
from mainspring_eventstore.adapters.memory.log import EventRow
from mainspring_eventstore.domain.heads import HeadRow
from mainspring_kernel.ids import Position
from mainspring_kernel.limits import LEASE_S
from mainspring_schema.chain import GENESIS, link
from tests.sim import forkers, leftovers, minder_checks, operators, planners, program_checks
from tests.sim.clients import People, Reader
from tests.sim.world import World

_STARTS: Final = "turn.started"
_OUTCOMES: Final = {
    "turn.completed": Outcome.COMPLETED,
    "turn.failed": Outcome.FAILED,
    "turn.cancelled": Outcome.CANCELLED,
    "turn.sealed": Outcome.SEALED,
}


class _Call(Struct):
    tool_call_id: str = ""


class _Payload(Struct):
    data: _Call


_CALL: Final = msgspec.json.Decoder(_Payload)


def always(world: World, people: People) -> Iterator[str]:
    """Each broken rule as a sentence, with the rows that break it."""
    yield from world.tables.broken
    yield from world.network.broken
    yield from _log(world)
    yield from _deltas(world)
    yield from _turns(world)
    yield from _attempts(world)
    yield from _undelivered(world)
    yield from _leases(world)
    yield from _results(world)
    yield from _outside(world)
    yield from _inputs(world, people)
    yield from people.wrong
    yield from program_checks.always(world, people.orders)
    yield from minder_checks.always(world, people.minders)
    yield from planners.always(world, people.plans)
    yield from operators.always(world, people.withdrawn)
    yield from forkers.always(world, people.forks)
    for reader in people.readers:
        yield from _reader(world, reader)


def at_rest(world: World, people: People) -> Iterator[str]:
    """What was promised to end has ended."""
    tables = world.tables.engine.tables
    yield from people.gave_up
    for workflow in tables.workflows.values():
        if workflow.outcome is Outcome.RUNNING:
            yield f"turn {workflow.id.hex} has no outcome"
    for task in tables.tasks.values():
        yield f"task {task.id.hex} ({task.step}) is still there: {task.state.name}"
    for timer in tables.timers.values():
        yield f"timer {timer.id.hex} ({timer.kind}) is still there"
    for entry in (entry for rows in tables.inbox.values() for entry in rows.values()):
        if entry.workflow_id is None:
            yield f"I6 message {entry.message_id.hex} is in no turn"
    yield from program_checks.at_rest(world, people.orders)
    yield from minder_checks.at_rest(world)
    yield from planners.at_rest(world, people.plans)
    yield from forkers.at_rest(people.forks)
    yield from _deleted(world, people)
    yield from _calls_answered(world)
    yield from _readers_behind(world, people)
    yield from leftovers.at_rest(world)


def _deleted(world: World, people: People) -> Iterator[str]:
    """What was begun is finished, also where whoever deletes it was cut off, or did not wait."""
    api: Any = world.tables.api
    left = {session_id for _, session_id in api._rows.sessions}
    for session_id in {*people.deleted, *api._rows.deleting}:
        if session_id in left or not world.tables.log.heads[session_id].closed:
            yield f"session {session_id.hex} was to be deleted, and is there"


def _readers_behind(world: World, people: People) -> Iterator[str]:
    for reader in people.readers:
        if reader.session_id in people.closed:
            continue  # it is not shown any more
        head = world.tables.log.heads[reader.session_id].last_seq
        if not reader.seen or reader.seen[-1].seq != head:
            yield f"a reader of {reader.session_id.hex} is behind: {reader.seen[-1:]} of {head}"


# ── the log ─────────────────────────────────────────────────────────────────────────────────────


def _log(world: World) -> Iterator[str]:
    log = world.tables.log
    for session_id, rows in log.events.items():
        numbers = [row.event.seq for row in rows]
        head = log.heads[session_id]
        if numbers != list(range(head.parent_seq + 1, head.last_seq + 1)):
            yield f"I9 {session_id.hex}: events {numbers}, the head says {head.last_seq}"
        hash_ = GENESIS if head.parent is None else _last_hash(world, head)
        for row in rows:
            event = row.event
            hash_ = link(
                hash_, session_id=session_id, seq=event.seq, type_=event.type,
                ts_ms=event.ts_ms, payload=event.payload,
            )  # fmt: skip
            if row.h != hash_:
                yield f"I11 {session_id.hex}: the chain breaks at {row.event.seq}"
                break
        if head.hash != hash_:
            yield f"I11 {session_id.hex}: the head has another hash"


def _last_hash(world: World, head: HeadRow) -> bytes:
    """Of what a fork inherits."""
    assert head.parent is not None
    return forkers.shown(world, head.parent)[head.parent_seq - 1].h


def _deltas(world: World) -> Iterator[str]:
    """I9: a message's fragments are one text for each attempt, and attempts only rise."""
    for session_id, rows in world.tables.log.deltas.items():
        shown: dict[tuple[str, str], tuple[int, int]] = {}
        for delta in rows:
            anchor = (delta.anchor, delta.channel)
            attempt, length = shown.get(anchor, (0, 0))
            if delta.attempt > attempt:
                length = 0
            if delta.attempt < attempt or delta.offset != length:
                where = f"{session_id.hex}: {delta.anchor} at attempt {delta.attempt}"
                yield f"I9 {where}: offset {delta.offset} after {length} of attempt {attempt}"
            shown[anchor] = (delta.attempt, delta.offset + len(delta.fragment))


def _turns(world: World) -> Iterator[str]:
    told: dict[UUID, list[EventRow]] = defaultdict(list)
    for rows in world.tables.log.events.values():
        for row in rows:
            if row.turn_id is not None:
                told[row.turn_id].append(row)
    running: Counter[UUID] = Counter()
    turns = (it for it in world.tables.engine.tables.workflows.values() if it.is_turn)
    for workflow in turns:
        types = [row.event.type for row in told[workflow.id]]
        outcomes = [_OUTCOMES[type_] for type_ in types if type_ in _OUTCOMES]
        ended = [] if workflow.outcome is Outcome.RUNNING else [workflow.outcome]
        if types.count(_STARTS) != 1 or outcomes != ended:
            yield f"I10 turn {workflow.id.hex}: {types}, the row says {workflow.outcome.name}"
        running[workflow.session_id] += workflow.outcome is Outcome.RUNNING
    for session_id, count in running.items():
        if count > 1:
            yield f"I8 session {session_id.hex} has {count} running turns"


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────


def _attempts(world: World) -> Iterator[str]:
    tables = world.tables.engine.tables
    of_task: dict[UUID, list[int]] = defaultdict(list)
    deaths: Counter[UUID] = Counter()
    for row in sorted(tables.attempts.values(), key=lambda row: row.claim_rev):
        of_task[row.task_id].append(row.fence)
        deaths[row.task_id] += row.closing is Closing.EXPIRED and row.acknowledged
        if row.close_rev <= row.claim_rev:
            yield f"I2 {row.task_id.hex}: fence {row.fence} closed before its claim"
    for task_id, fences in of_task.items():
        task = tables.tasks.get(task_id)
        live = task is not None and task.state is TaskState.LEASED
        if fences != list(range(1, len(fences) + 1)):
            yield f"I1 {task_id.hex}: fences {fences}"
        if task is not None and task.fence != len(fences) + live:
            yield f"I3 {task_id.hex}: fence {task.fence} beside {len(fences)} closed"
        died = deaths[task_id]
        if task is not None and task.deaths > died:
            yield f"I22 {task_id.hex}: {task.deaths} deaths, {died} attempts that died"
        if task is not None and task.deaths > WORKER_DEATHS_MAX:
            yield f"I22 {task_id.hex}: {task.deaths} deaths"


def _undelivered(world: World) -> Iterator[str]:
    """What a worker did not list when it attached anew is let go then, and waits for no lease."""
    tables = world.tables.engine.tables
    # Once an effect has started, whoever attaches anew may still be about to report it.
    started = {row.task_id for row in tables.attempts.values() if row.started}
    for row in tables.attempts.values():
        worker = tables.registry.workers.get(row.incarnation)
        lost = row.closing in (Closing.EXPIRED, Closing.UNDELIVERED)
        waited = lost and row.task_id not in started
        if worker is None or row.acknowledged or not waited:
            continue
        if row.claimed_ms < worker.attached_ms < row.closed_ms:
            yield f"{row.task_id.hex}: fence {row.fence} outlived an attach that did not list it"


def _leases(world: World) -> Iterator[str]:
    tables = world.tables.engine.tables
    for task in tables.tasks.values():
        leased = task.state is TaskState.LEASED
        if leased != (task.incarnation is not None) or leased != (task.lease_until_ms > 0):
            yield f"I14 {task.id.hex}: {task.state.name} with {task.incarnation}"
        if leased and abs(task.lease_until_ms - task.stamped_ms - LEASE_S * 1000) > 1:
            yield f"I32 {task.id.hex}: a lease of {task.lease_until_ms - task.stamped_ms} ms"
        if task.workflow_id in tables.workflows:
            ended = tables.workflows[task.workflow_id].outcome is not Outcome.RUNNING
            if ended:
                yield f"I16 {task.id.hex} belongs to a turn that has ended"


def _results(world: World) -> Iterator[str]:
    """A step result bears the highest fence of its moment, and that attempt closed with it."""
    tables = world.tables.engine.tables
    for (workflow_id, step), row in tables.steps.items():
        if row.fence == 0 or row.checkpoint:
            continue
        for attempt in tables.attempts.values():
            later = attempt.task_id == row.task_id and attempt.fence > row.fence
            if later and attempt.claim_rev < row.rev:
                yield f"I4 {workflow_id.hex} {step}: fence {row.fence} wrote after {attempt.fence}"


# ── the outside ─────────────────────────────────────────────────────────────────────────────────


def _outside(world: World) -> Iterator[str]:
    applied = world.outside.applied
    for name in ("send_letter", "pay_bill", "their_letter", "their_bill"):
        for key, count in applied.get(name, Counter[str]()).items():
            if count > 1:
                yield f"I20 {name} took effect {count} times under {key}"
    for (workflow_id, step), row in world.tables.engine.tables.effects.items():
        if row.effect is Effect.AT_MOST_ONCE and row.state in {1, 6} and row.fence:
            yield f"I19 {workflow_id.hex} {step}: never started, with fence {row.fence}"


def _inputs(world: World, people: People) -> Iterator[str]:
    """An acknowledged message stands in the log once, and a key made one message at most.

    Messages of a closing group are nobody's: they have no row of their own.
    """
    logged = (row for rows in world.tables.log.events.values() for row in rows)
    written = Counter(_message_id(row) for row in logged if row.event.type == "input.message")
    for message_id, count in written.items():
        if count > 1:
            yield f"I6 message {message_id.hex} was written {count} times"
    tables = world.tables.engine.tables
    for session_id in [reader.session_id for reader in people.readers]:
        accepted = tables.inbox.get(session_id, {}).keys()
        keyed = [row.message_id for (of, _), row in tables.keys.items() if of == session_id]
        # A schedule that writes to a session of people's names its messages itself.
        planned = any(plan.kind == planners.ONE_SESSION for plan in people.plans)
        more, fewer = accepted - set(keyed), len(keyed) - len(accepted & set(keyed))
        if fewer or (more and not planned):
            yield f"I7 {session_id.hex}: {len(accepted)} messages under {len(keyed)} keys"
    for said in people.said:
        if said.message_id is not None and not written[said.message_id]:
            yield f"H5 message {said.message_id.hex} was acknowledged and is not in the log"


class _Message(Struct):
    id: str


class _InputData(Struct):
    message: _Message


class _Input(Struct):
    data: _InputData


_INPUT: Final = msgspec.json.Decoder(_Input)


def _message_id(row: EventRow) -> UUID:
    return UUID(hex=_INPUT.decode(row.event.payload).data.message.id.partition("_")[2])


def _calls_answered(world: World) -> Iterator[str]:
    """At rest each started call has one result, also in a fork that began in between."""
    for session_id in world.tables.log.events:
        rows = forkers.shown(world, session_id)
        started = _calls(rows, "tool.started")
        completed = _calls(rows, "tool.completed")
        for call, count in completed.items():
            if count > 1:
                yield f"I18 {session_id.hex}: call {call} has {count} results"
        if len(completed) < len(started):
            yield f"I18 {session_id.hex}: {len(started)} calls, {len(completed)} results"


def _calls(rows: Sequence[EventRow], type_: str) -> Counter[str]:
    return Counter(
        row.event.payload.decode() if not (call := _call_of(row)) else call
        for row in rows
        if row.event.type == type_
    )


def _call_of(row: EventRow) -> str:
    return _CALL.decode(row.event.payload).data.tool_call_id


# ── readers ─────────────────────────────────────────────────────────────────────────────────────


def _reader(world: World, reader: Reader) -> Iterator[str]:
    """Positions rise, no event is skipped, and deltas are whole where any were shown."""
    name = f"H1 {reader.session_id.hex}"
    for before, after in pairwise(reader.seen):
        if after <= before:
            yield f"{name}: {after} came after {before}"
        elif not goes_on(before, after):
            yield f"{name}: something between {before} and {after} was not shown"
    head = world.tables.log.heads[reader.session_id].last_seq
    if reader.seen and reader.seen[-1].seq > head:
        yield f"{name}: {reader.seen[-1]} is past the head, {head}"


def goes_on(before: Position, after: Position) -> bool:
    """Whether nothing between the two can have been left out: no event, and no delta in a row."""
    if after.n == 0:
        return after.seq == before.seq + 1
    if after.seq == before.seq:
        return after.n == before.n + 1
    return after.seq == before.seq + 1 and after.n == 1
