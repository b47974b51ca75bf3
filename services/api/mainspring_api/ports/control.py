"""What api asks of the engine."""

from typing import Protocol

from mainspring_schema.commands import (
    Cancel,
    CancelReceipt,
    Close,
    CloseReceipt,
    Receipt,
    Submit,
    SubmitToolResults,
    ToolResultsReceipt,
)


class Control(Protocol):
    """Each method raises the engine's own error, or Unavailable where it cannot be reached."""

    async def submit(self, command: Submit) -> Receipt:
        """Brings a message into its session."""
        ...

    async def cancel(self, command: Cancel) -> CancelReceipt:
        """Cancels the running turn."""
        ...

    async def tool_results(self, command: SubmitToolResults) -> ToolResultsReceipt:
        """Brings results of client-side tools. Raises NotWaitingForToolResults."""
        ...

    async def close(self, command: Close) -> CloseReceipt:
        """Ends a session for good. Closing a closed one is no error."""
        ...
