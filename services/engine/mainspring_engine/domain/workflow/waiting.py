"""What a workflow waits for (times, signals, children), and how each of them wakes it."""

from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import EndWait, NewSignal, NewWait, TakeSignal
from mainspring_engine.domain.limits import WORKFLOW_SIGNALS_BYTES_MAX, WORKFLOW_SIGNALS_MAX
from mainspring_engine.domain.rows import SignalRow, Waiting, WaitRow
from mainspring_engine.domain.workflow import children
from mainspring_engine.domain.workflow.going import Going
from mainspring_engine.domain.workflow.state import Phase
from mainspring_kernel.errors import TooManyRequests
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.codec import pack, to_json
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import (
    CANCEL_STEP,
    ChildStart,
    Flaw,
    SignalWorkflow,
    StepRecord,
    Wait,
    cancel_of,
    carried_of,
    order_of,
    prefix_of,
    read_record,
)

_FINDS_PER_MS = 1000
"""More than an engine finds of one workflow in a millisecond."""

TIMER_WAIT = "wait"


def rows(going: Going) -> Waiting:
    """The rows as this plan leaves them. Raises WaitingMissing where they must be read first."""
    plan = going.plan
    if plan.waiting is None:
        counted = going.state.waits or going.state.signals
        plan.waiting = going.materials.waiting_of(going.workflow.id) if counted else Waiting()
    return plan.waiting


def arm(going: Going, waits: tuple[Wait, ...], *, by: tuple[UUID, int] | None = None) -> bool:
    """Takes them into the rows; whether one of them has come to pass already.

    `by` are task and fence of the attempt that goes on with it at once: as with each step that it
    records, the deaths before it did not stop the workflow.
    """
    woken = False
    # Where the worker knew of all that was found there is nothing to look for.
    unseen = [one.step for one in waits if not one.armed and one.seen != going.state.found]
    missed = _recorded(going, unseen)
    for wait in waits:
        row = next((row for row in rows(going).waits if row.wait.step == wait.step), None)
        if row is not None and wait.turn > row.wait.turn:
            drop(going, row)
        elif wait.armed or row is not None:
            woken = woken or row is None
            continue
        if wait.step in missed:  # it came to pass after the go began that waits for it
            woken = True
            continue
        if wait.child is not None:
            woken = start(going, wait, wait.child, by=by) or woken
            continue
        if came(going, wait, by=by):
            woken = True
        else:
            add(going, wait)
    return woken


def came(going: Going, wait: Wait, *, by: tuple[UUID, int] | None = None) -> bool:
    """Whether a signal for it lies there; it is taken then, and is the step's result."""
    signal = next((s for s in rows(going).signals if _waits_for(wait, s.kind)), None)
    if signal is None:
        return False
    body = going.materials.body_of(going.workflow.id, signal)
    _take(going, signal)
    resolve(going, _record(wait, result=body), by=by)
    return True


def start(
    going: Going, wait: Wait, child: ChildStart, *, by: tuple[UUID, int] | None = None
) -> bool:
    """Starts another workflow; whether there is nothing to wait for."""
    if going.state.phase is Phase.CANCELLING:
        return False
    kept = children.begin(going, wait, child)
    if kept is None:
        resolve(going, _record(wait, flaw=children.TOO_DEEP))
    elif kept.kind == "child":
        add(going, kept)
        return False
    elif kept.child is not None and kept.child.workflow_id is not None:
        id_ = to_wire(Prefix.WORKFLOW, kept.child.workflow_id)
        resolve(going, _record(wait, result=to_json(id_)), by=by)
    return True


def kind_of(name: str) -> str:
    """Of a signal of people, among those between sessions."""
    return f"signal:{name}"


def signalled(going: Going, command: SignalWorkflow) -> WaitRow | None:
    """What waited for it, the first in the code. Without any it is kept for who may wait later.

    Raises TooManyRequests where too many or too large ones lie there.
    """
    kind = kind_of(command.name)
    who_wait = (row for row in rows(going).waits if _waits_for(row.wait, kind))
    row = min(who_wait, key=lambda one: order_of(one.wait.step), default=None)
    if row is None:
        _check_room(going, len(command.payload))
    taken = row is not None
    going.plan.signals.append(
        NewSignal(source=command.signal_id, kind=kind, body=command.payload, taken=taken)
    )
    if row is None:
        kept = SignalRow(source=command.signal_id, kind=kind, body=command.payload)
        _change(going, signals=(*rows(going).signals, kept))
        going.update(signals=going.state.signals + 1)
    else:
        end(going, row, _record(row.wait, result=command.payload))
    return row


def wished(going: Going, row: WaitRow, reason: str) -> None:
    """Its code hears of the cancel, in the order of all that it hears of."""
    end(going, row, _record(row.wait, result=to_json(reason)))


def over(going: Going, row: WaitRow) -> None:
    """Its time is over: the end of a sleep, the timeout of anything else."""
    wait = row.wait
    if wait.kind == "sleep":
        end(going, row, _record(wait))
        return
    children.cancel(going, row)
    flaw = Flaw(code="timeout", message=f"{wait.kind} {wait.name} did not come in time")
    end(going, row, _record(wait, flaw=flaw))


def end(going: Going, row: WaitRow, record: StepRecord) -> None:
    """It came to pass, with this for its step's result."""
    drop(going, row)
    resolve(going, record)


def child_ended(going: Going, child_id: UUID, result: WorkflowResult) -> None:
    """Nobody may wait for it any more."""
    row = row_of(going, child_id)
    if row is None:
        return
    if going.state.phase is Phase.CANCELLING and result.outcome == "cancelled":
        # By this workflow's own end, which is no result of the step: a fork starts it anew.
        drop(going, row)
        return
    flaw = children.flaw_of(result)
    end(going, row, _record(row.wait, result=result.result, flaw=flaw))


def row_of(going: Going, child_id: UUID) -> WaitRow | None:
    """What waits for the end of that child."""
    return next((row for row in rows(going).waits if children.is_of(row, child_id)), None)


def of_the_cancel(going: Going) -> WaitRow | None:
    """By which its code hears of a cancel, if it wants to and did not yet."""
    return next((row for row in rows(going).waits if row.wait.is_of_cancel), None)


def hear_again(going: Going, *, hears: bool) -> None:
    """As the code starts over: it hears of its cancel from its first moment on, or of the wish."""
    wait = cancel_of(prefix_of(going.state.generation) + CANCEL_STEP)
    if going.state.cancel_reason is not None:
        resolve(going, _record(wait, result=to_json(going.state.cancel_reason)))
    elif hears:
        add(going, wait)


def untaken(going: Going, waits: tuple[Wait, ...]) -> list[StepRecord]:
    """What came to waits whose code did not come to it, oldest first."""
    bodies = _recorded(going, [wait.step for wait in waits])
    records = (read_record(body) for body in bodies.values())
    signals = (one for one in records if one.kind == "signal" and one.flaw is None)
    return sorted(signals, key=lambda one: one.nth)


def carry(going: Going, records: list[StepRecord]) -> None:
    """As the code starts over: signals that it did not take are for its first waits.

    They have no turn among what is found from now on, for they were found before.
    """
    for number, record in enumerate(records, 1):
        place = carried_of(going.state.generation, number)
        going.carry(msgspec.structs.replace(record, step=place, nth=0))
    going.update(found=going.state.found + len(records))


def leave(going: Going, waits: tuple[Wait, ...]) -> None:
    """Where the code waits no more, as it rests with these: a signal is for who waits now.

    A child goes on, and ends with its parent.
    """
    told = {wait.step for wait in waits}
    for row in rows(going).waits:
        if row.wait.child is None and not row.wait.is_of_cancel and row.wait.step not in told:
            drop(going, row)


def hear_no_more(going: Going, waits: tuple[Wait, ...]) -> None:
    """Code of a later version may not compensate any more: a cancel ends it then."""
    row = of_the_cancel(going)
    if row is not None and not any(wait.is_of_cancel for wait in waits):
        drop(going, row)


def of_children(going: Going) -> tuple[WaitRow, ...]:
    """Its linked children that have not ended."""
    return tuple(row for row in rows(going).waits if row.wait.child is not None)


def drop_all(going: Going) -> None:
    """The workflow ends: nothing wakes it any more, and no child of it goes on."""
    for row in rows(going).waits:
        children.cancel(going, row)
        drop(going, row)


def drop(going: Going, row: WaitRow) -> None:
    """It is waited for no more, and nothing is recorded of it."""
    going.drop_timer(row.timer_id)
    _forget(going, row)


def resolve(going: Going, record: StepRecord, *, by: tuple[UUID, int] | None = None) -> None:
    """The engine itself found the result. A fork's finds are behind those that it took over."""
    nth = going.plan.now_ms * _FINDS_PER_MS + going.state.found % _FINDS_PER_MS
    found = msgspec.structs.replace(record, nth=nth)
    task_id, fence = (going.workflow.id, 0) if by is None else by
    going.record(found, task_id=task_id, fence=fence)
    going.update(found=going.state.found + 1)


def names(waits: tuple[Wait, ...]) -> list[dict[str, object]]:
    """As people read them in the history."""
    return [
        {"step": w.step, "name": w.name, "kind": w.kind, "delay_ms": w.delay_ms}
        for w in waits
        if not w.is_of_cancel
    ]


def signal_view(command: SignalWorkflow) -> dict[str, object]:
    return {"signal_id": to_wire(Prefix.SIGNAL, command.signal_id), "name": command.name}


# ── small moves ─────────────────────────────────────────────────────────────────────────────────


def _recorded(going: Going, places: list[str]) -> dict[str, bytes]:
    """The records of those that have one. Raises StepMissing where they must be read first."""
    fresh = {step.step: step.body for step in going.plan.steps}
    older = [place for place in places if place not in fresh]
    kept = going.materials.recorded(going.workflow.id, older)
    return kept | {place: fresh[place] for place in places if place in fresh}


def _check_room(going: Going, size: int) -> None:
    if going.state.signals >= WORKFLOW_SIGNALS_MAX:
        detail = f"{WORKFLOW_SIGNALS_MAX} signals wait for this workflow"
        raise TooManyRequests(detail)
    of_people = (row for row in rows(going).signals if row.kind.startswith(kind_of("")))
    lying = sum(row.size for row in of_people)
    if lying + size > WORKFLOW_SIGNALS_BYTES_MAX:
        detail = f"signals of {lying} bytes wait for this workflow; {size} more are too many"
        raise TooManyRequests(detail)


def _waits_for(wait: Wait, kind: str) -> bool:
    return wait.kind == "signal" and kind_of(wait.name) == kind


def _record(wait: Wait, *, result: bytes = b"null", flaw: Flaw | None = None) -> StepRecord:
    return StepRecord(
        step=wait.step,
        name=wait.name,
        kind=wait.kind,
        input_hash=wait.input_hash,
        result=result,
        flaw=flaw,
        attempts=wait.turn + 1,
    )


def add(going: Going, wait: Wait) -> None:
    """From now on it is waited for."""
    timer_id = None if wait.delay_ms is None else going.timer(TIMER_WAIT, wait.delay_ms)
    row = WaitRow(workflow_id=going.workflow.id, wait=wait, timer_id=timer_id)
    going.plan.waits.append(
        NewWait(workflow_id=going.workflow.id, step=wait.step, timer_id=timer_id, body=pack(wait))
    )
    _change(going, waits=(*rows(going).waits, row))
    going.update(waits=going.state.waits + 1)


def _forget(going: Going, row: WaitRow) -> None:
    plan = going.plan
    fresh = [wait for wait in plan.waits if wait.step != row.wait.step]
    if len(fresh) < len(plan.waits):
        plan.waits[:] = fresh
    else:
        plan.ended_waits.append(EndWait(workflow_id=going.workflow.id, step=row.wait.step))
    _change(going, waits=tuple(r for r in rows(going).waits if r is not row))
    going.update(waits=going.state.waits - 1)


def _take(going: Going, signal: SignalRow) -> None:
    plan = going.plan
    for index, new in enumerate(plan.signals):
        if (new.source, new.kind) == (signal.source, signal.kind):
            plan.signals[index] = msgspec.structs.replace(new, taken=True)
            break
    else:
        plan.taken_signals.append(TakeSignal(source=signal.source, kind=signal.kind))
    _change(going, signals=tuple(s for s in rows(going).signals if s is not signal))
    going.update(signals=going.state.signals - 1)


def _change(going: Going, **fields: object) -> None:
    going.plan.waiting = msgspec.structs.replace(rows(going), **fields)
