"""The one entry to the decisions: an intent and a plan in, an answer out. Pure.

The answer holds only once the plan is committed. A refusal raises a typed error, and then nothing
of the plan may be used. The same goes for `Missing`, after which the round is decided again.
"""

from typing import TypeGuard, assert_never
from uuid import UUID

from mainspring_engine.domain import intents
from mainspring_engine.domain.answers import Answer, TakeUp
from mainspring_engine.domain.changes import Anchor, CloseTask, EmitCounter
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import Closing, TaskKind, TaskState
from mainspring_engine.domain.turn import (
    appeals,
    delivery,
    ending,
    lineage,
    links,
    machine,
    opening,
    people,
    spending,
    tooling,
)
from mainspring_engine.domain.turn.state import Phase
from mainspring_engine.domain.turn.turn import Delivery, Turn
from mainspring_engine.domain.workflow import decide as of_workflows
from mainspring_kernel.errors import (
    NotFound,
)
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.tracing import TraceContext, new_trace
from mainspring_schema import commands
from mainspring_schema.events import OUTPUT_STARTED
from mainspring_schema.frames import Emit, Verdict
from mainspring_schema.tasks import ReasonResult, TaskResult, ToolResult


def decide(plan: Plan, intent: intents.Intent, materials: Materials) -> Answer:
    before = _ended_before(plan, intent)
    return _decided(plan, intent, materials) if before is None else before


def _decided(plan: Plan, intent: intents.Intent, materials: Materials) -> Answer:
    if plan.head.closed:
        raise NotFound  # by an earlier entry of the same flight
    if isinstance(intent, intents.WorkflowCommand):
        return of_workflows.command(plan, intent, materials)
    workflow = plan.workflow
    if workflow is None or not workflow.is_turn:
        if isinstance(intent, intents.SignalCame):
            return of_workflows.signal_came(plan, intent, materials)
        if workflow is not None:
            return _of_workflow(plan, intent, materials)
    before = plan.head
    plan.budgeted = materials.budgeted(plan.head.org_id)
    if isinstance(intent, intents.Command):
        answer = _command(plan, intent, materials)
    else:
        answer = _incident(plan, intent, materials)
    lineage.tell_rests(plan, before, materials)
    if plan.running is None and plan.inbox and not plan.head.closed:
        # What a turn left behind starts the next one in the same transaction.
        opening.open_turn(plan, None, materials, trace=_new_trace(materials))
    return answer


def _of_workflow(
    plan: Plan, intent: intents.TurnCommand | intents.Incident, materials: Materials
) -> Answer:
    if isinstance(intent, intents.Command):
        raise NotFound  # the session of a workflow takes no messages
    if isinstance(intent, intents.Requeued):
        return TakeUp.SUPERSEDED  # nor does it hold two of them
    return of_workflows.incident(plan, intent, materials)


def _command(plan: Plan, intent: intents.TurnCommand, materials: Materials) -> Answer:
    match intent:
        case intents.Submitted(command=command):
            return delivery.submit(plan, command, materials)
        case intents.Cancelled(command=command):
            return _cancel(plan, command, materials)
        case intents.ClientAnswered() | intents.AppealsAnswered() | intents.SessionResumed():
            return people.brought(_turn(plan, materials), intent)
        case intents.DeliveryOrdered(command=command):
            return delivery.handle(plan, command, materials)
        case intents.SessionClosed():
            return _close(plan, materials)
        case _:
            assert_never(intent)


def _incident(
    plan: Plan, intent: intents.Incident | intents.SignalCame, materials: Materials
) -> Answer:
    match intent:
        case intents.Answered():
            return _answered(plan, intent, materials)
        case intents.Emitted():
            return _emitted(plan, intent, materials)
        case intents.Died():
            return _died(plan, intent, materials)
        case intents.TimerDue():
            return _timer_due(plan, intent, materials)
        case intents.Requeued():
            return _requeued(plan, intent, materials)
        case intents.SignalCame():
            return lineage.came(plan, intent, materials)
        case _:
            assert_never(intent)


def _turn(plan: Plan, materials: Materials) -> Turn | None:
    running = plan.running
    return None if running is None else Turn(plan, running, materials)


def _new_trace(materials: Materials) -> TraceContext:
    return new_trace(materials.draws, materials.trace_ratio)


# ── commands ────────────────────────────────────────────────────────────────────────────────────


def _cancel(plan: Plan, command: commands.Cancel, materials: Materials) -> commands.CancelReceipt:
    turn = _turn(plan, materials)
    if turn is None and command.turn_id is None:
        # At rest it may have children at work all the same.
        if links.stop_below(plan, materials) and plan.workflow is not None:
            plan.put_workflow(plan.workflow)
        return commands.CancelReceipt(status="no_op")
    if turn is None or command.turn_id not in {None, turn.workflow.id}:
        return commands.CancelReceipt(status="no_op")
    if turn.state.phase is not Phase.CANCELLING:
        tasks = ending.open_tasks(turn)
        ending.cancel(turn, command.reason, tasks)
    return commands.CancelReceipt(status="cancelled", turn_id=turn.workflow.id)


def _close(plan: Plan, materials: Materials) -> commands.CloseReceipt:
    turn = _turn(plan, materials)
    tasks = () if turn is None else ending.open_tasks(turn)
    plan.close_session()
    links.stop_below(plan, materials)
    if turn is not None:
        plan.consume(tuple(plan.inbox), turn.workflow.id)
        turn.update(phase=Phase.CANCELLING, cancel_reason="session_deleted")
        ending.finish_cancel(turn, tasks, note=False)
    return commands.CloseReceipt(closed=True)


# ── what workers bring ──────────────────────────────────────────────────────────────────────────


def _answered(plan: Plan, intent: intents.Answered, materials: Materials) -> Verdict:
    turn = _turn(plan, materials)
    held = intent.held
    result = intent.result
    kind = None if turn is None else dict(turn.state.open_tasks()).get(held.task_id)
    if turn is None or kind is None:
        # Nobody waits for it: the store's rows say whether it is a duplicate or stale.
        plan.rest_on_running()
        _close_unexpected(plan, held.task_id, held.fence, intent.hash)
        return Verdict.STALE
    delivery = Delivery(held.task_id, held.fence, intent.body, intent.hash)
    if kind is TaskKind.TOOL and isinstance(result, ToolResult):
        machine.tool_answered(turn, delivery, result)
    elif kind is TaskKind.REASON and _fits(result, turn):
        _model_answered(turn, delivery, result)
    else:
        raise intents.unfit(intent)
    return Verdict.COMMITTED


def _ended_before(plan: Plan, intent: intents.Intent) -> Verdict | None:
    """What an earlier entry of the same flight makes of this one: it has ended the attempt.

    A worker that attaches anew sends again what is still on its way over the old stream.
    """
    if isinstance(intent, intents.Answered):
        hashes = plan.ends_of(intent.held.task_id, intent.held.fence)
        again = Verdict.DUPLICATE if intent.hash in hashes else Verdict.STALE
        return again if hashes else None
    dies = isinstance(intent, intents.Died)
    return Verdict.STALE if dies and plan.ends_of(intent.task.id, intent.task.fence) else None


def _fits(result: TaskResult, turn: Turn) -> TypeGuard[ReasonResult]:
    """Calls by other ids than all make alike would be told apart from their results."""
    return isinstance(result, ReasonResult) and all(
        call.id == turn.call_id(index) for index, call in enumerate(result.tool_calls)
    )


def _waits_for(turn: Turn, task_id: UUID) -> bool:
    return any(open_id == task_id for open_id, _ in turn.state.open_tasks())


def _model_answered(turn: Turn, delivery: Delivery, result: ReasonResult) -> None:
    failures = 0
    if result.failure is not None and turn.state.phase is not Phase.CANCELLING:
        tasks = turn.materials.open_tasks(turn.workflow.id)
        failures = next((t.failures for t in tasks if t.id == delivery.task_id), 0)
    draw = turn.materials.draws.unit()
    machine.model_answered(turn, delivery, result, draw=draw, failures=failures)


def _close_unexpected(plan: Plan, task_id: UUID, fence: int, result_hash: bytes) -> None:
    plan.closes.append(
        CloseTask(
            task_id=task_id,
            fence=fence,
            expected=TaskState.LEASED,
            closing=Closing.CANCELLED,
            result_hash=result_hash,
        )
    )


def _emitted(plan: Plan, intent: intents.Emitted, materials: Materials) -> Verdict:
    turn = _turn(plan, materials)
    emit = intent.emit
    if _emitted_before(plan, emit):
        return Verdict.DUPLICATE
    plan.emits.append(
        EmitCounter(task_id=emit.held.task_id, fence=emit.held.fence, counter=emit.counter)
    )
    if turn is None:
        return Verdict.STALE
    for event in emit.events:
        if (anchor := _begun_anew(turn, event.type, emit.held.task_id)) is not None:
            plan.anchors.append(Anchor(anchor=anchor, attempt=emit.held.fence))
        turn.emit(event.type, event.data, emit.held.task_id)
    return Verdict.COMMITTED


def _begun_anew(turn: Turn, type_: str, task_id: UUID) -> str | None:
    """What this attempt streams from now on, and none before it any more."""
    if type_ == "reason.recovered":
        return to_wire(Prefix.MESSAGE, turn.state.message_id)
    if type_ == OUTPUT_STARTED:
        return next((turn.call_id(c.index) for c in turn.state.calls if c.task_id == task_id), None)
    return None


def _emitted_before(plan: Plan, emit: Emit) -> bool:
    """Whether the same flight holds these events already; earlier ones the store counts."""
    return any(
        other.task_id == emit.held.task_id
        and other.fence == emit.held.fence
        and other.counter >= emit.counter
        for other in plan.emits
    )


# ── what time brings ────────────────────────────────────────────────────────────────────────────


def _died(plan: Plan, intent: intents.Died, materials: Materials) -> Verdict:
    turn = _turn(plan, materials)
    if turn is None or not _waits_for(turn, intent.task.id):
        return Verdict.STALE
    tasks = materials.open_tasks(turn.workflow.id)
    task = next((t for t in tasks if t.id == intent.task.id), None)
    if task is None or task.fence != intent.task.fence or task.state is not intent.task.state:
        return Verdict.STALE
    machine.task_died(turn, task, ending.open_tasks(turn), acknowledged=intent.acknowledged)
    return Verdict.COMMITTED


def _timer_due(plan: Plan, intent: intents.TimerDue, materials: Materials) -> Verdict:
    turn = _turn(plan, materials)
    if turn is None or turn.state.timer_id != intent.timer_id:
        plan.rest_on_running()
        plan.dropped_timers.append(intent.timer_id)
        return Verdict.STALE
    if intent.kind == ending.TIMER_CANCEL:
        ending.finish_cancel(turn, ending.open_tasks(turn))
    elif intent.kind == appeals.TIMER_APPEAL:
        tasks = ending.open_tasks(turn) if tooling.is_due(turn) else ()
        machine.appeals_expired(turn, tasks)
    elif intent.kind == spending.TIMER_RENEWAL:
        machine.renewed(turn)
    else:
        turn.disarm()
        machine.client_timed_out(turn)
    return Verdict.COMMITTED


# ── what operators bring ────────────────────────────────────────────────────────────────────────


def _requeued(plan: Plan, intent: intents.Requeued, materials: Materials) -> TakeUp:
    newest = plan.workflow
    if newest is not None and newest.id == intent.workflow_id:
        return TakeUp.THERE
    if newest is None or newest.id != intent.dead_workflow_id or plan.running is not None:
        return TakeUp.SUPERSEDED
    opening.take_up(plan, intent, materials, trace=_new_trace(materials))
    return TakeUp.BEGUN
