"""What the bringer of an intent is told once it is committed."""

from enum import StrEnum

from mainspring_engine.domain.workflow import decide as of_workflows
from mainspring_schema import commands
from mainspring_schema.appeals import AppealsReceipt
from mainspring_schema.frames import Verdict
from mainspring_schema.plain import TaskReceipts


class Resumption(StrEnum):
    """What became of the wish to go on with a turn that rests for a budget."""

    RESUMED = "resumed"
    SHORT = "short"
    """The budget has no room for the next call yet."""
    NOT_PAUSED = "not_paused"


class TakeUp(StrEnum):
    """What became of a dead letter that was to be taken up."""

    BEGUN = "begun"
    THERE = "there"
    """Its turn had begun before."""
    SUPERSEDED = "superseded"
    """The conversation has gone on: a new turn would answer behind it."""


Answer = (
    commands.Receipt
    | commands.CancelReceipt
    | commands.ToolResultsReceipt
    | commands.CloseReceipt
    | AppealsReceipt
    | of_workflows.Answer
    | TaskReceipts
    | Verdict
    | TakeUp
    | Resumption
)
