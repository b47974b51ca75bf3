"""Spans of what a worker does inside an attempt.

They hang under the attempt's span, which the control plane records. The running code's own trace
context stays the attempt's, so that what other services hang under it has a parent that survives
this process.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from mainspring_schema.frames import Task
from mainspring_schema.tasks import ReasonResult, ReasonTask, ToolResult, ToolTask
from mainspring_worker.ports.model import ModelRequest


class ModelSpan(Protocol):
    """A model call under way."""

    def ended(self, result: ReasonResult) -> None:
        """Adds what came of it, usage and failure included."""
        ...


class ToolSpan(Protocol):
    """A tool call under way."""

    def ended(self, result: ToolResult) -> None:
        """Adds what came of it."""
        ...


class Telemetry(Protocol):
    """Where spans are recorded."""

    def model_call(
        self, task: Task, payload: ReasonTask, request: ModelRequest
    ) -> AbstractContextManager[ModelSpan]:
        """The span `chat {model}`."""
        ...

    def tool_call(self, task: Task, payload: ToolTask) -> AbstractContextManager[ToolSpan]:
        """The span `execute_tool {name}`."""
        ...
