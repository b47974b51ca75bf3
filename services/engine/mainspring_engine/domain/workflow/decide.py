"""What an intent means for a user's workflow. Entered by `mainspring_engine.domain.decide`."""

from typing import Final, assert_never
from uuid import UUID

import msgspec

from mainspring_engine.domain import intents
from mainspring_engine.domain.changes import CloseTask, EmitCounter, TakeSignal
from mainspring_engine.domain.loss import needs_lane
from mainspring_engine.domain.materials import Materials, NotYet
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import Closing, OpenTask, TaskState
from mainspring_engine.domain.workflow import cancelling, children, declared, machine, waiting
from mainspring_engine.domain.workflow.ending import TIMER_CLOSE
from mainspring_engine.domain.workflow.going import Going
from mainspring_engine.domain.workflow.state import Phase
from mainspring_kernel.errors import NotFound, WorkflowEnded
from mainspring_schema import workflows
from mainspring_schema.frames import Verdict
from mainspring_schema.tasks import PlainResult, WorkflowResult

Incident = intents.Answered | intents.Emitted | intents.Died | intents.TimerDue
_START: Final = msgspec.msgpack.Decoder(workflows.StartWorkflow)
_ENDED: Final = msgspec.msgpack.Decoder(WorkflowResult)
Answer = workflows.Started | workflows.Signalled | workflows.WorkflowCancelReceipt


def command(plan: Plan, intent: intents.WorkflowCommand, materials: Materials) -> Answer:
    """Raises NotFound for what is no workflow of a user, WorkflowEnded for a late signal."""
    match intent:
        case intents.WorkflowStarted(command=start):
            if plan.workflow is not None:
                # Of one that is there only an opening says so, and answers as the first did: here
                # it would begin anew what rides with it.
                raise NotYet
            return machine.start(plan, start, materials)
        case intents.WorkflowSignalled(command=signal):
            if plan.signals:
                # One to an item, so that a repeat is known from the item's verdict.
                raise NotYet
            going = _going(plan, materials)
            if going is None:
                raise WorkflowEnded
            (machine if going.state.course is None else declared).signalled(going, signal)
            return workflows.Signalled()
        case intents.WorkflowCancelled(command=cancel):
            going = _going(plan, materials)
            if going is None:
                return workflows.WorkflowCancelReceipt(status="no_op")
            _cancel(going, cancel.reason, going.open_tasks(), force=cancel.force)
            return workflows.WorkflowCancelReceipt(status="cancelled")
        case _:
            assert_never(intent)


def incident(plan: Plan, intent: Incident, materials: Materials) -> Verdict:
    match intent:
        case intents.Answered():
            return _answered(plan, intent, materials)
        case intents.Emitted():
            return _emitted(plan, intent, materials)
        case intents.Died():
            return _died(plan, intent, materials)
        case intents.TimerDue():
            return _timer_due(plan, intent, materials)
        case _:
            assert_never(intent)


def signal_came(plan: Plan, intent: intents.SignalCame, materials: Materials) -> Verdict:
    """A signal of a parent or a child; each has its effect once, in whatever order they come."""
    if intent.kind == children.LOST:
        return _lost(plan, intent, materials)
    signal = children.untaken(plan, intent, materials)
    if signal is None:
        return Verdict.STALE
    if intent.kind == children.START:
        machine.start(plan, _START.decode(materials.body_of(intent.session_id, signal)), materials)
        _take(plan, intent)
        return Verdict.COMMITTED
    going = _going(plan, materials)
    if going is None:
        # It has ended. The row is written again, so that of two takes one is refused.
        assert plan.workflow is not None  # noqa: S101 - _going found it
        plan.put_workflow(plan.workflow)
        _take(plan, intent)
        return Verdict.COMMITTED
    is_declared = going.state.course is not None
    tasks = going.open_tasks() if intent.kind == children.CANCEL or is_declared else ()
    body = materials.body_of(intent.session_id, signal)
    _take(plan, intent)
    if intent.kind == children.ENDED:
        _child_ended(going, intent.source, _ENDED.decode(body), tasks)
    elif going.state.phase is Phase.CANCELLING:
        going.save()
    else:
        _cancel(going, "parent", tasks)
    return Verdict.COMMITTED


def _lost(plan: Plan, intent: intents.SignalCame, materials: Materials) -> Verdict:
    """Nothing where nobody waits for that child any more."""
    going = _going(plan, materials)
    if going is None or waiting.row_of(going, intent.source) is None:
        return Verdict.STALE
    tasks = going.open_tasks() if going.state.course is not None else ()
    ended = msgspec.structs.replace(intent, kind=children.ENDED)
    if children.untaken(plan, ended, materials) is not None:
        _take(plan, ended)
    failed = WorkflowResult(outcome="failed", flaw=children.LOST_FLAW)
    _child_ended(going, intent.source, failed, tasks)
    return Verdict.COMMITTED


def _child_ended(
    going: Going, child_id: UUID, result: WorkflowResult, tasks: tuple[OpenTask, ...]
) -> None:
    if going.state.course is None:
        machine.child_ended(going, child_id, result)
    else:
        declared.child_ended(going, child_id, result, tasks)


def _cancel(
    going: Going, reason: str | None, tasks: tuple[OpenTask, ...], *, force: bool = False
) -> None:
    if going.state.course is None:
        cancelling.cancel(going, reason, tasks, force=force)
    else:
        declared.cancel(going, reason, tasks)


def _take(plan: Plan, intent: intents.SignalCame) -> None:
    plan.taken_signals.append(TakeSignal(source=intent.source, kind=intent.kind))


def _going(plan: Plan, materials: Materials) -> Going | None:
    """None once it has ended."""
    if plan.workflow is None or plan.workflow.is_turn:
        raise NotFound
    running = plan.running
    return None if running is None else Going(plan, running, materials)


def _answered(plan: Plan, intent: intents.Answered, materials: Materials) -> Verdict:
    going = _going(plan, materials)
    held, result = intent.held, intent.result
    number = None if going is None else going.state.number_of(held.task_id)
    if going is not None and number is not None:
        if not isinstance(result, PlainResult):
            raise intents.unfit(intent)
        declared.answered(going, intent, number, result)
        return Verdict.COMMITTED
    if going is None or going.state.task_id != held.task_id:
        # Nobody waits for it: the store's rows say whether it is a duplicate or stale.
        plan.rest_on_running()
        plan.closes.append(
            CloseTask(
                task_id=held.task_id,
                fence=held.fence,
                expected=TaskState.LEASED,
                closing=Closing.CANCELLED,
                result_hash=intent.hash,
            )
        )
        return Verdict.STALE
    if not isinstance(result, WorkflowResult):
        raise intents.unfit(intent)
    told = (held.task_id, held.fence, intent.hash)
    machine.answered(going, told, result, elsewhere=intent.elsewhere)
    return Verdict.COMMITTED


def _emitted(plan: Plan, intent: intents.Emitted, materials: Materials) -> Verdict:
    emit = intent.emit
    if _emitted_before(plan, emit.held.task_id, emit.held.fence, emit.counter):
        return Verdict.DUPLICATE
    plan.emits.append(
        EmitCounter(task_id=emit.held.task_id, fence=emit.held.fence, counter=emit.counter)
    )
    going = _going(plan, materials)
    if going is None or going.state.task_id != emit.held.task_id:
        plan.rest_on_running()
        return Verdict.STALE
    for step in emit.steps:
        going.record(step, task_id=emit.held.task_id, fence=emit.held.fence)
    fits_again = going.state.phase is Phase.HELD and bool(emit.steps)
    if fits_again:
        going.update(phase=Phase.RUNNING, problem="", holds=0)
    if emit.waits:
        waiting.arm(going, emit.waits, by=(emit.held.task_id, emit.held.fence))
    if fits_again or emit.waits:
        going.save()
    return Verdict.COMMITTED


def _emitted_before(plan: Plan, task_id: UUID, fence: int, counter: int) -> bool:
    return any(
        (other.task_id, other.fence) == (task_id, fence) and other.counter >= counter
        for other in plan.emits
    )


def _died(plan: Plan, intent: intents.Died, materials: Materials) -> Verdict:
    going = _going(plan, materials)
    if going is None or intent.task.id not in going.state.tasks():
        return Verdict.STALE
    task = next((one for one in going.open_tasks() if one.id == intent.task.id), None)
    if task is None or task.fence != intent.task.fence or task.state is not intent.task.state:
        return Verdict.STALE
    if not needs_lane(task, acknowledged=intent.acknowledged):
        return Verdict.STALE  # its deaths were taken back meanwhile: it is only released
    if going.state.course is None:
        machine.died(going, task)
    else:
        declared.died(going, task)
    return Verdict.COMMITTED


def _timer_due(plan: Plan, intent: intents.TimerDue, materials: Materials) -> Verdict:
    going = _going(plan, materials)
    if going is not None and intent.kind == waiting.TIMER_WAIT:
        drives = machine if going.state.course is None else declared
        if drives.wait_over(going, intent.timer_id):
            return Verdict.COMMITTED
    elif going is not None and intent.kind == machine.TIMER_START:
        if machine.not_taken(going):
            plan.dropped_timers.append(intent.timer_id)
            return Verdict.COMMITTED
    elif going is not None and intent.kind == TIMER_CLOSE:
        if going.state.cancel_reason is None:
            plan.dropped_timers.append(intent.timer_id)
            going.update(close_timer=None, overdue=True)
            _cancel(going, "timeout", going.open_tasks())
            return Verdict.COMMITTED
    elif going is not None and going.state.timer_id == intent.timer_id:
        cancelling.finish_cancel(going, going.open_tasks())
        return Verdict.COMMITTED
    plan.rest_on_running()
    plan.dropped_timers.append(intent.timer_id)
    return Verdict.STALE
