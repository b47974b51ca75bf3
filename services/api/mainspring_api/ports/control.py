"""What api asks of the engine."""

from typing import Protocol

from mainspring_schema.appeals import AnswerAppeals, AppealsReceipt
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
from mainspring_schema.plain import (
    GetPlainTask,
    PlainTaskView,
    SubmitTask,
    SubmitTasks,
    TaskReceipt,
    TaskReceipts,
)
from mainspring_schema.workflows import (
    CancelWorkflow,
    ForkWorkflow,
    GetWorkflow,
    ListWorkflows,
    Signalled,
    SignalWorkflow,
    Started,
    StartWorkflow,
    WorkflowCancelReceipt,
    WorkflowPage,
    WorkflowView,
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

    async def answer_appeals(self, command: AnswerAppeals) -> AppealsReceipt:
        """Brings what people decide or answer. Raises NotAwaited, for all where one is not."""
        ...

    async def close(self, command: Close) -> CloseReceipt:
        """Ends a session for good. Closing a closed one is no error."""
        ...

    async def start_workflow(self, command: StartWorkflow) -> Started:
        """Starts a workflow. Raises WorkflowKeyMismatch."""
        ...

    async def signal_workflow(self, command: SignalWorkflow) -> Signalled:
        """Brings a signal. Raises NotFound, WorkflowEnded."""
        ...

    async def fork_workflow(self, command: ForkWorkflow) -> Started:
        """Starts one with the records of another. Raises NotFound, WorkflowKeyMismatch."""
        ...

    async def cancel_workflow(self, command: CancelWorkflow) -> WorkflowCancelReceipt:
        """Cancels a workflow. Raises NotFound."""
        ...

    async def get_workflow(self, command: GetWorkflow) -> WorkflowView:
        """A workflow as it is. Raises NotFound."""
        ...

    async def submit_task(self, command: SubmitTask) -> TaskReceipt:
        """Submits a plain task; those that come side by side travel together.

        Raises TaskIdMismatch.
        """
        ...

    async def submit_tasks(self, command: SubmitTasks) -> TaskReceipts:
        """Submits plain tasks; a refused one has its refusal in its receipt."""
        ...

    async def get_plain_task(self, command: GetPlainTask) -> PlainTaskView:
        """A plain task as it is. Raises NotFound."""
        ...

    async def list_workflows(self, command: ListWorkflows) -> WorkflowPage:
        """Newest first."""
        ...
