"""A tool made of a definition and an async function."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mainspring_schema.agents import ToolDefinition
from mainspring_schema.messages import Json
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """The two together. `capability_id` says for which capability it stands."""

    definition: ToolDefinition
    capability_id: str
    function: Callable[[Json, ToolContext], Awaitable[ToolOutcome]]

    async def call(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        return await self.function(arguments, context)


def error(message: str) -> ToolOutcome:
    """An outcome that tells the model what to do better."""
    return ToolOutcome(status="error", error=message)
