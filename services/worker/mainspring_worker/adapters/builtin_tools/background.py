"""`spawn_background`: one call of a tool, made by a task of its own while the agent goes on."""

from typing import Final

import msgspec

from mainspring_harness.builtin import background_execution as capability
from mainspring_harness.registry import Registry
from mainspring_schema.agents import RuntimeAgent
from mainspring_schema.messages import Json
from mainspring_schema.session_tasks import StartCall
from mainspring_worker.adapters.builtin_tools.function import Function, error
from mainspring_worker.adapters.builtin_tools.tasks import shown
from mainspring_worker.adapters.builtin_tools.tool_search import all_offered
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

_ARGUMENTS: Final = dict[str, object]


def spawn_background(registry: Registry) -> Function:
    """Over the capabilities of this version."""

    async def spawn(arguments: Json, context: ToolContext) -> ToolOutcome:
        """The same call starts one task, in however many attempts."""
        agent = context.agent
        if agent is None:
            return error("it is not known which tools there are")
        tool = str(arguments["tool"])
        offered = await all_offered(agent, context, registry)
        names = frozenset(one.name for one in offered if one.kind != "client_side")
        if (refused := capability.refusal(tool, names)) is not None:
            return error(refused)
        bounds = _limits(agent)
        limit_s = arguments.get("timeout_seconds", bounds.max_seconds)
        order = StartCall(
            name=str(arguments["name"]),
            tool=tool,
            arguments=msgspec.convert(arguments["arguments"], _ARGUMENTS),
            limit_s=limit_s if isinstance(limit_s, int) else bounds.max_seconds,
            width=bounds.max_width,
            wakes=arguments.get("wake") is not False,
            turn_id=context.turn_id,
        )
        return ToolOutcome(result=shown(await context.resources.change(order)))

    return spawn


def _limits(agent: RuntimeAgent) -> capability.Limits:
    config = next((ref.config for ref in agent.capabilities if ref.ref == capability.ID), None)
    return capability.limits(config or {})
