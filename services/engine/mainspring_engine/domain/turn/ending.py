"""How a turn ends: with exactly one outcome, after which the next one may begin."""

from uuid import UUID

from mainspring_engine.domain.changes import CloseTask, MarkTask
from mainspring_engine.domain.limits import CANCEL_DEADLINE_S
from mainspring_engine.domain.loss import NO_PROGRESS
from mainspring_engine.domain.materials import NotYet
from mainspring_engine.domain.rows import Closing, OpenTask, Outcome
from mainspring_engine.domain.texts import cut
from mainspring_engine.domain.turn import facts, joins, links, paying
from mainspring_engine.domain.turn.calls import abandoned
from mainspring_engine.domain.turn.state import CANCEL_REASON_BYTES_MAX, Phase
from mainspring_engine.domain.turn.turn import Turn
from mainspring_kernel.times import rfc3339
from mainspring_schema.delivery import CONSUMED, MessageConsumed
from mainspring_schema.grants import SessionStatus
from mainspring_schema.messages import Json, Message, TextPart
from mainspring_schema.tasks import Failure, ReasonResult, ToolResult
from mainspring_schema.workflows import Flaw

INTERRUPTED = "interrupted"
ROLLED_BACK = "rolled_back"
TIMER_CANCEL = "cancel_deadline"
TIMER_CLIENT = "client_tools"

CANCEL_REQUESTED = "I requested to cancel the current work."
CANCEL_NOTED = "The work was cancelled by user request."
SORRY = "Something went wrong while this message was being answered."


def complete(turn: Turn, text: str) -> None:
    turn.emit(
        "turn.completed",
        facts.turn_completed(
            turn.workflow.id,
            turn.state,
            text=text,
            started_ms=turn.workflow.started_ms,
            now_ms=turn.plan.now_ms,
        ),
    )
    _rest(turn, Outcome.COMPLETED)


def fail(
    turn: Turn,
    failure: Failure,
    tasks: tuple[OpenTask, ...] = (),
    *,
    answer: ReasonResult | None = None,
) -> None:
    """A visible outcome with a code: an error message, then `turn.failed`.

    `answer` is that of the model call that failed: the message stands in its place.
    """
    turn.close_tasks(tasks)
    _stop_joined(turn)
    turn.finish_open_calls(tasks, why="the turn failed")
    turn.emit(
        "output.message.completed",
        facts.notice(
            f"{SORRY} ({failure.code})",
            turn.state.message_id,
            now_ms=turn.plan.now_ms,
            error_code=failure.code,
        ),
        turn.state.reason_task,
    )
    if answer is not None:
        turn.emit("reason.completed", facts.reason_completed(answer), turn.state.reason_task)
    turn.emit("turn.failed", facts.turn_failed(turn.workflow.id, failure, turn.state))
    _rest(turn, Outcome.FAILED)


def seal(turn: Turn, why: Flaw, tasks: tuple[OpenTask, ...]) -> None:
    """The turn needs attention: going on by itself would not help."""
    turn.close_tasks(tasks)
    _stop_joined(turn)
    turn.finish_open_calls(tasks, why="the turn was sealed")
    turn.emit(
        "turn.sealed",
        {
            "turn_id": facts.turn_id(turn.workflow.id),
            "reason": why.code,
            "detail": why.message,
            "iterations": turn.state.iteration,
            "usage": turn.state.usage.wire(),
        },
    )
    _rest(turn, Outcome.SEALED)


def cancel(turn: Turn, reason: str | None, tasks: tuple[OpenTask, ...]) -> None:
    """Commits the wish first. What nobody holds ends here; holders are asked, until a deadline.

    So are the children, and a call that waits for one waits on, to tell that it has ended.
    """
    _take_unseen(turn, reason)
    turn.disarm()
    stopped = links.stop_below(turn.plan, turn.materials)
    held = [task for task in tasks if turn.plan.is_held(task)]
    for task in tasks:
        if task in held:
            turn.plan.marks.append(MarkTask(task_id=task.id, fence=task.fence))
        else:
            _close_unheld(turn, task, stopped)
    for call in turn.state.calls:
        if call.task_id is None and not call.child:
            turn.finish_call(call, ToolResult(status="cancelled", error="cancelled by the user"))
    told = cut(reason or "user", CANCEL_REASON_BYTES_MAX)
    turn.update(phase=Phase.CANCELLING, cancel_reason=told)
    if held or turn.state.joins:
        turn.arm(TIMER_CANCEL, CANCEL_DEADLINE_S)
        turn.save()
    else:
        finish_cancel(turn, ())


def open_tasks(turn: Turn) -> tuple[OpenTask, ...]:
    """Those of the tasks that the turn still counts on. Raises NotYet."""
    wanted = {task_id for task_id, _ in turn.state.open_tasks()}
    if not wanted:
        return ()
    if any(task.id in wanted for task in turn.plan.tasks):
        raise NotYet
    tasks = turn.materials.open_tasks(turn.workflow.id)
    return tuple(task for task in tasks if task.id in wanted)


def _take_unseen(turn: Turn, reason: str | None) -> None:
    """What was accepted before the cancel is an input of this turn, seen by no model call."""
    taken = turn.waiting_inputs
    if not taken:
        return
    told = MessageConsumed(
        turn_id=facts.turn_id(turn.workflow.id),
        message_ids=tuple(facts.message_id(row.message_id) for row in taken),
        reason=reason or "user",
    )
    turn.emit(CONSUMED, told)
    turn.plan.consume(taken, turn.workflow.id)


def _stop_joined(turn: Turn) -> None:
    if turn.state.joins:
        links.stop_below(turn.plan, turn.materials, only=turn.state.joins)


def _close_unheld(turn: Turn, task: OpenTask, stopped: frozenset[UUID]) -> None:
    turn.plan.close_for_good(
        CloseTask(
            task_id=task.id,
            fence=task.fence,
            expected=task.state,
            closing=Closing.CANCELLED,
        )
    )
    if turn.state.reason_task == task.id:
        paying.settle(turn, task.id)
        turn.update(reason_task=None)
    for call in turn.state.calls:
        if call.task_id != task.id:
            continue
        if call.child and UUID(bytes=call.child) in stopped:
            joins.leave(turn, call)
        else:
            turn.finish_call(call, abandoned(call, task, "cancelled by the user"))


def finish_cancel(turn: Turn, tasks: tuple[OpenTask, ...], *, note: bool = True) -> None:
    """All have confirmed, or the deadline ends them: `tasks` are those that have not."""
    turn.close_tasks(tasks)
    turn.finish_open_calls(tasks, why="cancelled by the user")
    turn.disarm()
    reason = turn.state.cancel_reason or "user"
    told: Json = {
        "turn_id": facts.turn_id(turn.workflow.id),
        "reason": reason,
        "usage": turn.state.usage.wire(),
    }
    if reason == ROLLED_BACK:
        told["rolled_back"] = True
    turn.emit("turn.cancelled", told)
    if note and reason not in (INTERRUPTED, ROLLED_BACK):
        _note_cancel(turn)
    _rest(turn, Outcome.CANCELLED)


def _note_cancel(turn: Turn) -> None:
    """The pair of messages that people see in the conversation; a prompt has the second alone."""
    now = rfc3339(turn.plan.now_ms)
    asked = Message(
        id=facts.message_id(turn.ids.uuid4()),
        role="user",
        content=(TextPart(text=CANCEL_REQUESTED),),
        created_at=now,
        metadata={"synthetic": True},
    )
    turn.emit("input.message", {"message": asked})
    turn.emit(
        "output.message.completed",
        facts.notice(CANCEL_NOTED, turn.ids.uuid4(), now_ms=turn.plan.now_ms),
    )


def _rest(turn: Turn, outcome: Outcome) -> None:
    turn.disarm()
    turn.emit("session.idled", facts.idled(turn.workflow.id, turn.state))
    turn.plan.close_anchors = True
    turn.plan.set_status(SessionStatus.IDLE)
    turn.plan.set_paused(paused=False)
    turn.plan.set_active_turn(None)
    links.tell_ended(turn, outcome)
    turn.update(reason_task=None, calls=())
    turn.save(outcome)


def quarantine(turn: Turn, task: OpenTask, others: tuple[OpenTask, ...]) -> None:
    """What no worker keeps is no fault of the turn's: it waits for an operator."""
    if turn.state.reason_task == task.id:
        paying.settle(turn, task.id)
    why = turn.plan.set_aside(task, turn.workflow.id)
    if why.code == NO_PROGRESS:
        seal(turn, why, others)
    else:
        fail(turn, Failure(error_class="poison", code=why.code, message=why.message), others)
