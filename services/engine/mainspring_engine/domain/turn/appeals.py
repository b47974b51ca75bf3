"""Calls of a turn that wait for a person: asked for, answered, or out of time."""

from typing import Final

import msgspec

from mainspring_engine.domain.turn import facts, tooling
from mainspring_engine.domain.turn.state import FREE, Appeal, OpenCall
from mainspring_engine.domain.turn.turn import Turn
from mainspring_kernel.errors import NotAwaited
from mainspring_kernel.times import rfc3339
from mainspring_schema.appeals import (
    AnswerAppeals,
    ApprovalRequested,
    Leave,
    QuestionAnswered,
    QuestionAsked,
    Reply,
    Resolved,
    Ruling,
)
from mainspring_schema.tasks import ToolCall, ToolResult

TIMER_APPEAL: Final = "appeal"
_KINDS: Final = {"approval": Appeal.APPROVAL, "question": Appeal.QUESTION}
_SOONEST_MS: Final = 1


def waiting(turn: Turn) -> tuple[OpenCall, ...]:
    """The open calls that wait for a person."""
    return tuple(call for call in turn.state.calls if call.appeal)


def opened(call: ToolCall, index: int, behind: int | None) -> OpenCall | None:
    """The call as one that waits; None where nobody needs to be asked."""
    if call.appeal is None:
        return None
    return OpenCall(index, call.name, None, _KINDS[call.appeal], behind=behind)


def ask(turn: Turn, calls: tuple[ToolCall, ...]) -> None:
    """Tells people what waits for them, each call until its own time is up."""
    for call in waiting(turn):
        asked = calls[call.index]
        common = {
            "turn_id": facts.turn_id(turn.workflow.id),
            "tool_call_id": asked.id,
            "tool_name": asked.name,
            "arguments": asked.arguments,
            "expires_at": rfc3339(_due_ms(turn, asked)),
        }
        if call.appeal is Appeal.QUESTION:
            turn.emit("question.asked", msgspec.convert(common, QuestionAsked))
        else:
            more = {"reason": asked.appeal_reason, "display_name": asked.display_name}
            turn.emit("approval.requested", msgspec.convert(common | more, ApprovalRequested))
    arm(turn, calls)


def answered(turn: Turn, command: AnswerAppeals) -> tuple[Resolved, ...]:
    """What is decided and answered. Raises NotAwaited, for all, where one call does not wait."""
    by_id = {turn.call_id(call.index): call for call in waiting(turn)}
    _check(by_id, command)
    resolved = [_rule(turn, by_id[one.tool_call_id], one) for one in command.rulings]
    resolved += [_reply(turn, by_id[one.tool_call_id], one) for one in command.replies]
    return tuple(resolved)


def _check(by_id: dict[str, OpenCall], command: AnswerAppeals) -> None:
    asked = [(one.tool_call_id, Appeal.APPROVAL) for one in command.rulings]
    asked += [(one.tool_call_id, Appeal.QUESTION) for one in command.replies]
    for call_id, kind in asked:
        call = by_id.get(call_id)
        if call is None or call.appeal is not kind:
            detail = f"the tool call {call_id} does not wait for this"
            raise NotAwaited(detail)
    for one in command.rulings:
        # Only a call's task has room for other arguments than the model's.
        if one.arguments is not None and by_id[one.tool_call_id].queued:
            detail = (
                f"the arguments of the tool call {one.tool_call_id} can be changed once the call "
                "before it, of the same concurrency class, has ended"
            )
            raise NotAwaited(detail)


def _rule(turn: Turn, call: OpenCall, ruling: Ruling) -> Resolved:
    allowed = ruling.decision in ("allow", "allow_always")
    outcome: Leave = "allowed" if allowed else "rejected"
    edited = ruling.arguments if allowed else None
    resolved = facts.approval_resolved(
        turn.workflow.id,
        ruling.tool_call_id,
        call.name,
        outcome,
        msgspec.structs.replace(ruling, arguments=edited),
    )
    turn.emit("approval.resolved", resolved)
    if allowed:
        _begin(turn, call, edited)
    else:
        why = f": {ruling.reason}" if ruling.reason else ""
        _finish(turn, call, ToolResult(status="error", error=f"rejected by the user{why}"))
    return Resolved(tool_call_id=ruling.tool_call_id, tool=call.name, outcome=outcome)


def _begin(turn: Turn, call: OpenCall, edited: dict[str, object] | None) -> None:
    # A ruling before this one may have moved it on.
    call = next(one for one in turn.state.calls if one.index == call.index)
    if call.queued:
        turn.put_call(msgspec.structs.replace(call, appeal=Appeal.NONE))
        return
    asked = turn.asked(call)
    if edited is not None:
        asked = msgspec.structs.replace(asked, arguments=edited)
    begun = tooling.start(turn, asked, call.index, edited=edited is not None)
    if begun is None and edited is not None:
        detail = f"the arguments of {asked.id} can be changed once a budget has room for the call"
        raise NotAwaited(detail)
    turn.put_call(begun or msgspec.structs.replace(call, appeal=Appeal.NONE, behind=FREE))


def _reply(turn: Turn, call: OpenCall, reply: Reply) -> Resolved:
    said = QuestionAnswered(
        turn_id=facts.turn_id(turn.workflow.id),
        tool_call_id=reply.tool_call_id,
        tool_name=call.name,
        status=reply.status,
        answered_by="user",
        result=reply.result,
    )
    turn.emit("question.answered", said)
    _finish(turn, call, ToolResult(status="success", result=reply.result))
    return Resolved(tool_call_id=reply.tool_call_id, tool=call.name, outcome=reply.status)


def expired(turn: Turn) -> None:
    """Ends what has waited long enough: silence allows nothing, and a question has its defaults."""
    open_calls = waiting(turn)
    calls = turn.model_result().tool_calls if open_calls else ()
    for call in open_calls:
        asked = calls[call.index]
        if _due_ms(turn, asked) > turn.plan.now_ms:
            continue
        if call.appeal is Appeal.QUESTION:
            gone = facts.question_unanswered(
                turn.workflow.id, asked.id, call.name, "timed_out", "timeout"
            )
            turn.emit("question.answered", gone)
            _finish(turn, call, ToolResult(status="success", result=asked.on_silence))
        else:
            resolved = facts.approval_resolved(
                turn.workflow.id, asked.id, call.name, "expired", None
            )
            turn.emit("approval.resolved", resolved)
            error = f"nobody allowed the call within {asked.expires_s} s; it was not made"
            _finish(turn, call, ToolResult(status="timeout", error=error))


def made(turn: Turn, call: OpenCall) -> None:
    """Nobody need come for this call any more."""
    if call.due_s:
        arm(turn)


def look_again(turn: Turn) -> None:
    """After answers: the timer stays as long as it is not too late for what is left."""
    if not waiting(turn) or any(call.due_s for call in turn.state.calls):
        arm(turn)


def _finish(turn: Turn, call: OpenCall, result: ToolResult) -> None:
    turn.finish_call(msgspec.structs.replace(call, appeal=Appeal.NONE), result)


def _due_ms(turn: Turn, asked: ToolCall) -> int:
    return turn.state.act_started_ms + asked.expires_s * 1000


def arm(turn: Turn, calls: tuple[ToolCall, ...] | None = None) -> None:
    """One timer for all that wait for people or for a worker to come, at the first that is due.

    `calls` is the model's answer where it is at hand; otherwise its kept result is read.
    """
    asking = waiting(turn)
    if asking and calls is None:
        calls = turn.model_result().tool_calls
    due = [_due_ms(turn, (calls or ())[call.index]) for call in asking]
    due += [tooling.due_ms(turn, call) for call in turn.state.calls if call.due_s]
    if due:
        turn.arm(TIMER_APPEAL, max(_SOONEST_MS, min(due) - turn.plan.now_ms) / 1000)
    else:
        turn.disarm()
