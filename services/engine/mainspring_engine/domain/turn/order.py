"""In which order the calls of one answer begin: those of one concurrency class one by one.

A call stays behind the one before it of its class until that has its result, whatever became of it,
be it at work, waiting for a person, or behind another itself. Only then its task is made.
"""

from collections.abc import Sequence

from mainspring_engine.domain.turn import appeals, tooling
from mainspring_engine.domain.turn.state import FREE, OpenCall
from mainspring_engine.domain.turn.turn import Turn
from mainspring_schema.tasks import ToolCall


def behind(turn: Turn, calls: Sequence[ToolCall], index: int) -> int | None:
    """The open call that has to end before this one begins; `calls` is the model's answer.

    What the client makes holds up nobody: it is told of its calls when the others have ended.
    """
    wanted = calls[index].concurrency_class
    if wanted is None:
        return None
    before = (call.index for call in turn.state.calls if _is_of(calls[call.index], wanted))
    return max((one for one in before if one < index), default=None)


def _is_of(call: ToolCall, wanted: str) -> bool:
    return call.concurrency_class == wanted and not call.client_side


def opened(turn: Turn, call: ToolCall, index: int, behind: int | None) -> OpenCall:
    """The call, begun unless another has to end before."""
    if behind is None:
        return tooling.start(turn, call, index)
    return OpenCall(index, call.name, None, behind=behind)


def begin(turn: Turn) -> None:
    """Begins what was behind others that have ended. Raises StepMissing."""
    due = False
    for call in turn.state.calls:
        if call.behind == FREE and not call.appeal:
            begun = tooling.start(turn, turn.asked(call), call.index)
            turn.put_call(begun)
            due = due or begun.due_s > 0
    if due:
        appeals.arm(turn)
