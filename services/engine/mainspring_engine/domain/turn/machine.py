"""The turn machine: input → reason ⇄ act → one outcome. Pure: it adds to a plan and calls nobody.

Each function is one thing that can happen to a session. Time comes with the plan, ids and random
draws as ports.
"""

from mainspring_engine.domain.changes import Anchor
from mainspring_engine.domain.limits import CLIENT_TOOL_TIMEOUT_S
from mainspring_engine.domain.loss import may_be_asked
from mainspring_engine.domain.rows import Closing, OpenTask
from mainspring_engine.domain.turn import appeals, ending, facts, joins, order, paying, tooling
from mainspring_engine.domain.turn.calls import abandoned
from mainspring_engine.domain.turn.state import OpenCall, Phase
from mainspring_engine.domain.turn.turn import Delivery, Turn
from mainspring_kernel.limits import TOOL_CALLS_PER_RESPONSE_MAX
from mainspring_schema.appeals import AnswerAppeals, Resolved
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import Failure, ReasonResult, ToolCall, ToolResult

REPAIRS_MAX = 2
"""Model answers in a row whose calls are all unusable; one more fails the turn."""
_CLOSINGS = {"error": Closing.FAILED, "unknown": Closing.UNKNOWN}
"""What the row of an effect says of a call with such a result; any other is done."""


def steer(turn: Turn) -> None:
    """A message came while the turn goes on. One that waits for others goes on without them."""
    if turn.state.phase is not Phase.CLIENT:
        turn.save()
        return
    turn.disarm()
    acted = not appeals.waiting(turn)
    for call in turn.state.calls:
        turn.finish_call(call, ToolResult(status="cancelled", error="interrupted by a new message"))
    if not acted:
        _tell_acted(turn)
    turn.next_model_call()
    turn.save()


def model_answered(
    turn: Turn, delivery: Delivery, result: ReasonResult, *, draw: float, failures: int
) -> None:
    """The result of the turn's model call. `failures` counts those of this task before."""
    result = paying.priced(turn, result)
    if turn.state.phase is Phase.CANCELLING:
        _model_stopped(turn, delivery, result)
        return
    if result.failure is not None:
        delay_ms = paying.wait_ms(turn, result.failure, failures=failures, draw=draw)
        if delay_ms is not None:
            paying.try_again(turn, delivery, result, result.failure, delay_ms)
            return
    turn.keep_result(f"reason:{turn.state.iteration}", delivery)
    paying.count(turn, result, delivery)
    turn.emit(
        "llm.generation",
        facts.generation(result, turn.agent, through_seq=turn.state.through_seq),
        delivery.task_id,
    )
    if result.failure is not None:
        ending.fail(turn, result.failure, answer=result)
        return
    if result.thinking is not None:
        turn.emit("reason.thinking.completed", _thinking(turn, result), delivery.task_id)
    turn.emit(
        "output.message.completed",
        facts.answer(result, turn.state.message_id, turn.agent, now_ms=turn.plan.now_ms),
        delivery.task_id,
    )
    turn.plan.anchors.append(Anchor(anchor=facts.message_id(turn.state.message_id), attempt=None))
    turn.emit("reason.completed", facts.reason_completed(result), delivery.task_id)
    turn.update(reason_task=None)
    if result.tool_calls:
        _act(turn, result.tool_calls)
    elif turn.is_steered:
        turn.next_model_call()
        turn.save()
    else:
        ending.complete(turn, result.text)


def tool_answered(turn: Turn, delivery: Delivery, result: ToolResult) -> None:
    """The result of one tool call; the last of its answer leads on."""
    paying.owe(turn, result.judged)
    paying.charge(turn, delivery, result)
    call = next((c for c in turn.state.calls if c.task_id == delivery.task_id), None)
    if call is None:
        turn.close_attempt(delivery.task_id, delivery.fence, Closing.CANCELLED)
        turn.save()
        return
    if result.joins is not None and turn.state.phase is not Phase.CANCELLING:
        joins.park(turn, delivery, call, result.joins)
        turn.save()
        return
    closing = _CLOSINGS.get(result.status, Closing.RESULT)
    cancelling = turn.state.phase is Phase.CANCELLING
    if result.unread and not cancelling:
        tooling.read_it(turn, call, delivery, closing)
    else:
        turn.keep_result(tooling.step_of(turn, call), delivery, closing)
        turn.finish_call(call, tooling.read_never(result))
    if cancelling:
        _leave_if_quiet(turn)
    else:
        appeals.made(turn, call)
        _lead_on(turn)


def _lead_on(
    turn: Turn, *, started: bool = True, calls: tuple[ToolCall, ...] | None = None
) -> None:
    """Once no call is at work any more; see `_acted`."""
    order.begin(turn)
    if any(c.task_id is not None for c in turn.state.calls):
        turn.save()
    else:
        _acted(turn, started=started, calls=calls)


def child_stopped(turn: Turn, call: OpenCall) -> None:
    """The child that a call of a cancelled turn waited for has ended."""
    turn.finish_call(call, ToolResult(status="cancelled", error="cancelled by the user"))
    _leave_if_quiet(turn)


def client_answered(turn: Turn, results: dict[str, ToolResult]) -> int:
    """Results of client-side tools by call id; ids that are not open are left out.

    Returns the count.
    """
    accepted = 0
    for call in turn.state.calls:
        result = results.get(turn.call_id(call.index))
        if call.task_id is None and result is not None:
            turn.finish_call(call, result)
            accepted += 1
    if accepted and not turn.state.calls:
        turn.disarm()
        turn.next_model_call()
    if accepted:
        turn.save()
    return accepted


def appeals_answered(turn: Turn, command: AnswerAppeals) -> tuple[Resolved, ...]:
    """People decided or answered. Raises NotAwaited."""
    resolved = appeals.answered(turn, command)
    appeals.look_again(turn)
    _go_on(turn)
    return resolved


def appeals_expired(turn: Turn, tasks: tuple[OpenTask, ...] = ()) -> None:
    """The time of an appeal may be up, or of a call that waits for a worker.

    `tasks` are the open ones, where such a call is due.
    """
    appeals.expired(turn)
    tooling.expired(turn, tasks)
    appeals.arm(turn)
    _go_on(turn)


def _go_on(turn: Turn) -> None:
    order.begin(turn)
    waits = bool(appeals.waiting(turn))
    if any(call.task_id is not None for call in turn.state.calls):
        turn.update(phase=Phase.ACT)
        turn.plan.set_status(SessionStatus.ACTIVE)
        turn.save()
    elif waits:
        turn.save()
    else:
        _acted(turn)


def resumed(turn: Turn) -> bool:
    """Somebody wants a turn that waits for a budget to go on; whether the budgets let it."""
    if turn.short is not None:
        return False
    _resume(turn)
    return True


def _resume(turn: Turn) -> None:
    if turn.state.phase is Phase.PAUSED:
        turn.disarm()
        turn.plan.set_paused(paused=False)
        turn.emit("budget.resumed", {"turn_id": facts.turn_id(turn.workflow.id)})
    if turn.state.calls:
        _go_on(turn)
    else:
        turn.next_model_call()
        turn.save()


def renewed(turn: Turn) -> None:
    """The budget that a turn rests for may let it go on; where it does not, it looks again."""
    short = turn.short
    if short is None:
        _resume(turn)
        return
    turn.disarm()
    turn.await_renewal(short)
    turn.save()


def client_timed_out(turn: Turn) -> None:
    late = ToolResult(status="timeout", error="the client brought no result in time")
    for call in turn.state.calls:
        turn.finish_call(call, late)
    turn.next_model_call()
    turn.save()


def task_died(
    turn: Turn, task: OpenTask, tasks: tuple[OpenTask, ...], *, acknowledged: bool
) -> None:
    """An attempt ended without a result and may not simply begin again.

    `tasks` are all open ones.
    """
    others = tuple(other for other in tasks if other.id != task.id)
    call = next((c for c in turn.state.calls if c.task_id == task.id), None)
    if turn.state.phase is Phase.CANCELLING:
        turn.close_tasks((task,))
        if call is not None:
            turn.finish_call(call, abandoned(call, task, "cancelled by the user"))
        else:
            turn.update(reason_task=None)
        _leave_if_quiet(turn)
    elif (
        call is not None
        and may_be_asked(task, acknowledged=acknowledged)
        and turn.asked(call).probed
    ):
        turn.ask_probe(task, acknowledged=acknowledged)
        turn.save()
    elif call is not None and task.started:
        turn.close_attempt(task.id, task.fence, Closing.UNKNOWN)
        turn.finish_call(call, abandoned(call, task, "the worker died during the call"))
        appeals.made(turn, call)
        _lead_on(turn)
    else:
        ending.quarantine(turn, task, others)


# ── within a model answer ───────────────────────────────────────────────────────────────────────


def _act(turn: Turn, calls: tuple[ToolCall, ...]) -> None:
    usable = calls[:TOOL_CALLS_PER_RESPONSE_MAX]
    server = [(i, c) for i, c in enumerate(usable) if not tooling.is_clients(c)]
    turn.update(
        phase=Phase.ACT,
        call_count=len(server),
        call_errors=0,
        act_started_ms=turn.plan.now_ms,
        tool_calls=turn.state.tool_calls + len(calls),
        calls=tuple(
            OpenCall(i, c.name, None) for i, c in enumerate(usable) if tooling.is_clients(c)
        ),
    )
    if turn.state.iteration >= turn.agent.max_iterations:
        _stop_at_cap(turn, calls)
        return
    if server:
        turn.emit("act.started", {"tool_calls": [facts.call_summary(c) for _, c in server]})
    for index, _ in server:
        _open(turn, index, usable)
    _finish_surplus(turn, calls)
    appeals.ask(turn, calls)
    repairs = turn.state.repairs + 1 if all(c.problem for c in calls) else 0
    turn.update(repairs=repairs)
    if repairs > REPAIRS_MAX:
        message = f"{repairs} answers in a row held no usable tool call"
        ending.fail(turn, Failure(error_class="model_output", code="model_output", message=message))
    else:
        _lead_on(turn, started=bool(server), calls=calls)


def _open(turn: Turn, index: int, calls: tuple[ToolCall, ...]) -> None:
    """A call that cannot be made is answered at once: the model sees a typed error."""
    call = calls[index]
    if call.problem:
        turn.emit("tool.started", {"tool_call": facts.call_view(call)})
        _answer(turn, index, call, ToolResult(status="error", error=call.problem))
        return
    behind = order.behind(turn, calls, index)
    opened = appeals.opened(call, index, behind) or order.opened(turn, call, index, behind)
    turn.update(calls=(*turn.state.calls, opened))


def _finish_surplus(turn: Turn, calls: tuple[ToolCall, ...]) -> None:
    error = f"at most {TOOL_CALLS_PER_RESPONSE_MAX} calls in one answer"
    for index in range(TOOL_CALLS_PER_RESPONSE_MAX, len(calls)):
        _answer(turn, index, calls[index], ToolResult(status="error", error=error))


def _stop_at_cap(turn: Turn, calls: tuple[ToolCall, ...]) -> None:
    error = f"not called: the turn reached its limit of {turn.agent.max_iterations} model calls"
    for index, call in enumerate(calls):
        _answer(turn, index, call, ToolResult(status="cancelled", error=error))
    ending.complete(turn, "")


def _answer(turn: Turn, index: int, call: ToolCall, result: ToolResult) -> None:
    """To a call that was never opened."""
    turn.finish_call(OpenCall(index, call.name, None), result)


def _acted(turn: Turn, *, started: bool = True, calls: tuple[ToolCall, ...] | None = None) -> None:
    """No server tool is at work: on to people, to the client's tools, or to the model.

    `calls` is the model's answer where it is at hand; otherwise its kept result is read.
    """
    if appeals.waiting(turn):
        _rest(turn)
        return
    short = turn.short if order.lacks_room(turn) else None
    if short is not None:
        turn.pause(short)
        turn.save()
        return
    if started and turn.state.call_count:
        _tell_acted(turn)
    if not turn.state.calls:
        turn.next_model_call()
        turn.save()
    elif turn.is_steered:
        turn.update(phase=Phase.CLIENT)
        steer(turn)
    else:
        _park(turn, turn.model_result().tool_calls if calls is None else calls)


def _rest(turn: Turn) -> None:
    """Nothing goes on before people answer, and no worker is held meanwhile."""
    turn.update(phase=Phase.CLIENT)
    if turn.is_steered:
        steer(turn)
        return
    turn.plan.set_status(SessionStatus.WAITINGFORTOOLRESULTS)
    turn.save()


def _tell_acted(turn: Turn) -> None:
    turn.emit("act.completed", facts.acted(turn.state, now_ms=turn.plan.now_ms))


def _park(turn: Turn, calls: tuple[ToolCall, ...]) -> None:
    """Tells the client which calls are its own and waits without holding a worker."""
    open_ids = {turn.call_id(call.index) for call in turn.state.calls}
    wanted = [facts.call_view(call) for call in calls if call.id in open_ids]
    turn.emit("tool.call_requested", {"tool_calls": wanted})
    turn.update(phase=Phase.CLIENT)
    turn.plan.set_status(SessionStatus.WAITINGFORTOOLRESULTS)
    turn.arm(ending.TIMER_CLIENT, CLIENT_TOOL_TIMEOUT_S)
    turn.save()


# ── small moves ─────────────────────────────────────────────────────────────────────────────────


def _model_stopped(turn: Turn, delivery: Delivery, result: ReasonResult) -> None:
    """The model call of a cancelled turn ended, by the cancel or by itself.

    What it used is charged.
    """
    paying.count(turn, result, delivery)
    turn.close_attempt(
        delivery.task_id, delivery.fence, Closing.CANCELLED, result_hash=delivery.hash
    )
    stopped = Failure(error_class="cancelled", code="cancelled", message="cancelled by the user")
    turn.emit(
        "reason.completed",
        facts.reason_completed(
            ReasonResult(usage=result.usage, duration_ms=result.duration_ms, failure=stopped)
        ),
        delivery.task_id,
    )
    turn.update(reason_task=None)
    _leave_if_quiet(turn)


def _leave_if_quiet(turn: Turn) -> None:
    """A cancelled turn ends when its last holder has confirmed."""
    if turn.state.open_tasks() or turn.state.joins:
        turn.save()
    else:
        ending.finish_cancel(turn, ())


def _thinking(turn: Turn, result: ReasonResult) -> dict[str, object]:
    return {"turn_id": facts.turn_id(turn.workflow.id), "thinking": result.thinking}
