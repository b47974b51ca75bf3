"""Tool calls as tasks: given to workers, read by ours where users' workers made them, given up."""

from math import ceil
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import CloseTask
from mainspring_engine.domain.limits import TOOLSET_WAIT_S
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import EFFECTS, Closing, Effect, OpenTask, TaskKind, TaskState
from mainspring_engine.domain.turn import facts, spending
from mainspring_engine.domain.turn.calls import NOT_READ, abandoned, shown
from mainspring_engine.domain.turn.state import OpenCall
from mainspring_engine.domain.turn.turn import Delivery, Turn
from mainspring_schema import toolsets
from mainspring_schema.codec import pack
from mainspring_schema.tasks import ToolCall, ToolResult, ToolTask


def start(turn: Turn, call: ToolCall, index: int, *, edited: bool = False) -> OpenCall | None:
    """None where a budget has no room for it.

    `edited`: a person has changed the arguments, which nobody checked against the tool.
    """
    task_id = turn.ids.uuid7()
    if not turn.holds(task_id, spending.of_tool(call)):
        return None
    announced = toolsets.name_of(call.capability_id or "")
    opened = OpenCall(index, call.name, task_id, due_s=_later_s(turn) if announced else 0)
    turn.emit("tool.started", {"tool_call": facts.call_view(call), **shown(call)}, task_id)
    turn.add_task(
        task_id,
        TaskKind.TOOL,
        Route(capability=_capability(call)),
        EFFECTS[call.effect_class],
        step=step_of(turn, opened),
        payload=pack(_task(turn, call, index, edited=edited)),
    )
    return opened


def _task(turn: Turn, call: ToolCall, index: int, *, edited: bool = False) -> ToolTask:
    return ToolTask(
        turn_id=turn.workflow.id,
        iteration=turn.state.iteration,
        index=index,
        call_id=call.id,
        name=call.name,
        arguments=call.arguments,
        effect_class=call.effect_class,
        capability_id=call.capability_id,
        idempotency_key=f"{turn.workflow.id.hex}:{call.id}",
        config_hash=turn.workflow.config_hash,
        edited=edited,
        guarded=call.guarded,
        limit_s=call.limit_s,
    )


def is_clients(call: ToolCall) -> bool:
    """Whether the client makes it; what cannot be made is answered by the turn itself."""
    return call.client_side and not call.problem


def _capability(call: ToolCall) -> str:
    ref = call.capability_id or ""
    return toolsets.capability_of(ref, call.name) if toolsets.name_of(ref) else ref


# ── outcomes that a worker of people's own brought ──────────────────────────────────────────────


def read_it(turn: Turn, call: OpenCall, delivery: Delivery, closing: Closing) -> None:
    """The call is made and its outcome kept; a worker of the house reads it for the model.

    Raises StepMissing.
    """
    result = _RESULT.decode(delivery.body)
    turn.keep_result(step_of(turn, call), delivery, closing)
    task_id, asked = turn.ids.uuid7(), turn.asked(call)
    reading = OpenCall(call.index, call.name, task_id, brought=True)
    payload = msgspec.structs.replace(_task(turn, asked, call.index), brought=result)
    turn.add_task(
        task_id,
        TaskKind.TOOL,
        Route(capability=toolsets.READING),
        Effect.PURE,
        step=step_of(turn, reading),
        payload=pack(payload),
    )
    turn.put_call(reading)


def read_never(result: ToolResult) -> ToolResult:
    """What is told of an outcome that nobody is to read any more, for its turn was cancelled."""
    if not result.unread:
        return result
    return ToolResult(status="cancelled", error=NOT_READ, duration_ms=result.duration_ms)


def step_of(turn: Turn, call: OpenCall) -> str:
    """Under which the result that ends the call is kept."""
    step = f"tool:{turn.state.iteration}:{call.index}"
    return f"{step}:read" if call.brought else step


_RESULT = msgspec.msgpack.Decoder(ToolResult)


# ── calls that nobody makes ─────────────────────────────────────────────────────────────────────


def due_ms(turn: Turn, call: OpenCall) -> int:
    """When a call of an announced tool is to be looked at."""
    return turn.state.act_started_ms + call.due_s * 1000


def is_due(turn: Turn) -> bool:
    """Whether one is."""
    return any(_overdue(turn, call) for call in turn.state.calls)


def _overdue(turn: Turn, call: OpenCall) -> bool:
    return call.due_s > 0 and due_ms(turn, call) <= turn.plan.now_ms


def _later_s(turn: Turn) -> int:
    """Counted from when the calls began: a turn's state stays small."""
    return ceil((turn.plan.now_ms - turn.state.act_started_ms) / 1000 + TOOLSET_WAIT_S)


def expired(turn: Turn, tasks: tuple[OpenTask, ...]) -> None:
    """Ends the calls that no worker has taken; those that one has are looked at again later."""
    by_id: dict[UUID, OpenTask] = {task.id: task for task in tasks}
    for call in turn.state.calls:
        task = None if call.task_id is None else by_id.get(call.task_id)
        if not _overdue(turn, call) or task is None:
            continue
        if task.state is TaskState.LEASED:
            _look_later(turn, call)
        else:
            _give_up(turn, call, task)


def _look_later(turn: Turn, call: OpenCall) -> None:
    turn.put_call(msgspec.structs.replace(call, due_s=_later_s(turn)))


def _give_up(turn: Turn, call: OpenCall, task: OpenTask) -> None:
    why = f"no worker that has the tool came within {TOOLSET_WAIT_S:.0f} s"
    unknown = task.effect.needs_start and task.started
    turn.plan.closes.append(
        CloseTask(
            task_id=task.id,
            fence=task.fence,
            expected=task.state,
            closing=Closing.UNKNOWN if unknown else Closing.CANCELLED,
        )
    )
    if unknown:
        turn.finish_call(call, abandoned(call, task, why))
    else:
        turn.finish_call(call, ToolResult(status="timeout", error=f"{why}; {_untold(task)}"))


def _untold(task: OpenTask) -> str:
    """A call that may be repeated begins without a word: only one that nobody had was not made."""
    if task.fence == 0 or task.effect.needs_start:
        return "it was not called"
    return "one that had it before is gone, so it may have been called"
