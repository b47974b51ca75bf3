"""`spawn_agent` and the tools that look after what was spawned.

A call that waits for a child is given back until there is news of it, and holds no worker. A second
attempt, then or after a crash, finds the same child and says how it stands.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from mainspring_harness.builtin import subagents
from mainspring_harness.builtin.session_tasks import WAIT_S_DEFAULT
from mainspring_harness.registry import Registry
from mainspring_schema.agents import RuntimeAgent
from mainspring_schema.lineage import ChildTurn
from mainspring_schema.messages import Json
from mainspring_schema.session_tasks import (
    OVER,
    CancelTask,
    GetSessionTask,
    ListSessionTasks,
    MessageTask,
    SessionTaskView,
    SpawnAgent,
)
from mainspring_worker.adapters.builtin_tools.function import Function, error
from mainspring_worker.adapters.builtin_tools.tool_search import all_offered
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

JOIN_S_MAX: Final = 6 * 3600
"""How long a foreground call waits for its child; then the child goes on alone."""
JOIN_LOOK_MS: Final = 60_000
"""How soon a call that waits looks at its child although there was no news; doubled each time."""
JOINS_MAX: Final = 12
"""Attempts that give a call back: with doubled looks more than JOIN_S_MAX."""
POLL_S_MAX: Final = 100
"""How long one that is not given back waits here: below the deadline of a tool call."""
_ASK_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5)
"""Between two looks at a child: short work is noticed at once, long work costs little."""


def spawn_agent(registry: Registry) -> Function:
    """Over the capabilities of this version."""

    async def spawn(arguments: Json, context: ToolContext) -> ToolOutcome:
        """The same call spawns one child, in however many attempts."""
        room = _room(context.agent)
        if room.max_depth < 1:
            return error("an agent this deep may not spawn another; do the work here")
        tools = _names(arguments.get("tools"))
        if (unknown := await _unknown(tools or (), context, registry)) is not None:
            return error(f"there is no tool {unknown!r}")
        order = SpawnAgent(
            name=str(arguments["name"]),
            instructions=str(arguments["instructions"]),
            tools=tools,
            own_files=arguments.get("own_files") is True,
            depth=room.max_depth - 1,
            width=room.max_width,
            turn_id=context.turn_id,
        )
        task = await context.resources.change(order)
        if arguments.get("mode") == "background":
            return ToolOutcome(result=shown(task))
        return await _joined(task, context, JOIN_S_MAX, _outcome)

    return spawn


async def _unknown(tools: tuple[str, ...], context: ToolContext, registry: Registry) -> str | None:
    """The first name of no tool. A later attempt has a child to find, whatever tools there are."""
    if not tools or context.agent is None or context.attempt > 1:
        return None
    offered = await all_offered(context.agent, context, registry)
    names = {one.name for one in offered}
    return next((name for name in tools if name not in names), None)


async def list_tasks(_arguments: Json, context: ToolContext) -> ToolOutcome:
    """Newest first, results left out."""
    found = await context.resources.ask(ListSessionTasks())
    rows: list[Json] = [shown(task, whole=False) for task in found.tasks]
    return ToolOutcome(result={"tasks": rows})


async def get_task(arguments: Json, context: ToolContext) -> ToolOutcome:
    """How it stands now."""
    task = await context.resources.ask(GetSessionTask(id=str(arguments["task_id"])))
    return ToolOutcome(result=shown(task))


async def wait_task(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Until it is over, or the time is."""
    task = await context.resources.ask(GetSessionTask(id=str(arguments["task_id"])))
    seconds = arguments.get("timeout_seconds", WAIT_S_DEFAULT)
    wait_s = seconds if isinstance(seconds, int) else WAIT_S_DEFAULT
    return await _joined(task, context, wait_s, _standing)


async def message_task(arguments: Json, context: ToolContext) -> ToolOutcome:
    """The same call says it once."""
    order = MessageTask(
        id=str(arguments["task_id"]), text=str(arguments["text"]), turn_id=context.turn_id
    )
    return ToolOutcome(result=shown(await context.resources.change(order)))


async def cancel_task(arguments: Json, context: ToolContext) -> ToolOutcome:
    """What is over stays as it is."""
    task = await context.resources.change(CancelTask(id=str(arguments["task_id"])))
    return ToolOutcome(result=shown(await _ended(task, context, _CANCEL_S)))


_CANCEL_S: Final = 5
"""How long a cancelled child is waited for; most are at rest within a second."""


async def _joined(
    task: SessionTaskView,
    context: ToolContext,
    wait_s: float,
    told: Callable[[SessionTaskView], ToolOutcome],
) -> ToolOutcome:
    """What is told of the task once it rests, or the time is over; until then the call is given
    back. One that was given out too often waits here instead, for its attempts are bounded.
    """
    left_ms = round(wait_s * 1000) - max(0, context.clock.wall_ms() - context.began_ms)
    if _rests(task) or left_ms <= 0:
        return told(task)
    if task.turn_id is None or context.attempt > JOINS_MAX:
        return told(await _ended(task, context, min(left_ms / 1000, POLL_S_MAX)))
    look_ms = JOIN_LOOK_MS << (context.attempt - 1)
    child = ChildTurn(turn_id=task.turn_id, wait_ms=min(left_ms, look_ms))
    return msgspec.structs.replace(_standing(task), joins=child)


def _rests(task: SessionTaskView) -> bool:
    return task.state in OVER or task.state == "awaiting_input"


async def _ended(task: SessionTaskView, context: ToolContext, wait_s: float) -> SessionTaskView:
    """The task once it is over, or as it stands when the time is."""
    until = min(context.clock.mono() + wait_s, context.deadline_mono - 2)
    looks = 0
    while not _rests(task):
        pause = _ASK_S[min(looks, len(_ASK_S) - 1)]
        if context.clock.mono() + pause >= until:
            return task
        await context.clock.sleep(pause)
        looks += 1
        task = await context.resources.ask(GetSessionTask(id=task.id))
    return task


def _room(agent: RuntimeAgent | None) -> subagents.Room:
    refs = () if agent is None else agent.capabilities
    config = next((ref.config for ref in refs if ref.ref == subagents.ID), None)
    return subagents.room(config or {})


def _names(tools: object) -> tuple[str, ...] | None:
    return None if tools is None else msgspec.convert(tools, tuple[str, ...])


def _standing(task: SessionTaskView) -> ToolOutcome:
    return ToolOutcome(result=shown(task))


def _outcome(task: SessionTaskView) -> ToolOutcome:
    if task.state in {"failed", "canceled"}:
        why = f": {task.detail}" if task.detail else ""
        return ToolOutcome(status="error", error=f"the child {task.state}{why}", result=shown(task))
    return ToolOutcome(result=shown(task))


def shown(task: SessionTaskView, *, whole: bool = True) -> Json:
    told: Json = {"task_id": task.id, "name": task.name, "state": task.state}
    if task.detail:
        told["detail"] = task.detail
    if whole and task.result is not None:
        told["result"] = task.result
    return told


SESSION_TASK_TOOLS: Final[Mapping[str, Function]] = {
    "list_tasks": list_tasks,
    "get_task": get_task,
    "wait_task": wait_task,
    "message_task": message_task,
    "cancel_task": cancel_task,
}
