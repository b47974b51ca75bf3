"""`tool_search`: which tools of the agent fit what it wants to do."""

from mainspring_harness import mcp
from mainspring_harness.builtin import tool_search as capability
from mainspring_harness.offering import found
from mainspring_harness.prompt import blueprint
from mainspring_harness.registry import Registry
from mainspring_schema.agents import RuntimeAgent, ToolDefinition
from mainspring_schema.mcp import ListPins
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import Function, error
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

_LIMIT_DEFAULT = 5


async def all_offered(
    agent: RuntimeAgent, context: ToolContext, registry: Registry
) -> tuple[ToolDefinition, ...]:
    """Its own tools, and what the session has pinned of its MCP servers."""
    own = blueprint(agent, registry).definitions
    if not agent.mcp_servers:
        return tuple(own)
    pins = (await context.resources.ask(ListPins())).pins
    served = (tool.offered.definition for tool in mcp.allowed(agent, pins).values())
    return (*own, *served)


def tool_search(registry: Registry) -> Function:
    """Over the capabilities of this version."""

    async def search(arguments: Json, context: ToolContext) -> ToolOutcome:
        if context.agent is None:
            return error("it is not known which tools there are")
        limit = arguments.get("limit", _LIMIT_DEFAULT)
        offered = await all_offered(context.agent, context, registry)
        definitions = [tool for tool in offered if tool.name != capability.TOOL]
        best = found(
            str(arguments["query"]), definitions, limit=limit if isinstance(limit, int) else 1
        )
        rows: list[Json] = [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.full_parameters or tool.parameters,
            }
            for tool in best
        ]
        if not rows:
            names = ", ".join(tool.name for tool in definitions)
            return ToolOutcome(result={"tools": [], "hint": f"nothing fits; there are: {names}"})
        return ToolOutcome(result={"tools": rows})

    return search
