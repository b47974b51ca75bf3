"""Where a tool's code runs. A tool that blocks must never keep the worker from beating."""

from typing import Protocol

from mainspring_schema.messages import Json
from mainspring_worker.ports.tool import Tool, ToolContext, ToolOutcome


class ToolRunner(Protocol):
    """Calls a tool on a loop or thread that suits it."""

    async def call(self, tool: Tool, arguments: Json, context: ToolContext) -> ToolOutcome:
        """The tool's outcome, or what it raised. Cancelling this cancels the call."""
        ...

    async def probe(self, tool: Tool, arguments: Json, context: ToolContext) -> ToolOutcome:
        """The same of the tool's probe."""
        ...
