"""A tool made of a definition and async functions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from mainspring_kernel.errors import Conflict, NotFound, PayloadTooLarge, ValidationFailed
from mainspring_schema.agents import ToolDefinition
from mainspring_schema.messages import Json
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

Function: TypeAlias = Callable[[Json, ToolContext], Awaitable[ToolOutcome]]


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """The two together. `capability_id` says for which capability it stands.

    `prober` tells what became of a call that was lost; it is there where the definition says so.
    """

    definition: ToolDefinition
    capability_id: str
    function: Function
    prober: Function | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where definition and code differ."""
        if self.definition.probed is not (self.prober is not None):
            message = f"{self.definition.name}: probed={self.definition.probed} does not fit"
            raise ValueError(message)

    async def call(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        try:
            return await self.function(arguments, context)
        except (Conflict, NotFound, PayloadTooLarge, ValidationFailed) as refusal:
            # What a resource refuses for good is for the model to do better.
            return error(refusal.detail or refusal.title)

    async def probe(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        if self.prober is None:
            return ToolOutcome(status="unknown", error="the tool has no probe")
        return await self.prober(arguments, context)


def error(message: str) -> ToolOutcome:
    """An outcome that tells the model what to do better."""
    return ToolOutcome(status="error", error=message)


def number(arguments: Json, name: str, default: int) -> int:
    """An argument that a model may leave out, or send as null."""
    value = arguments.get(name, default)
    return value if isinstance(value, int) else default
