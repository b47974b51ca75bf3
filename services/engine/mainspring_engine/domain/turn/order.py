"""In which order the calls of one answer begin: those of one concurrency class one by one.

A call waits until the call before it of its class has its result, whether that one is at work,
waits for a person, or waits for another call itself. Only then its task is made, and only if the
budgets have room for it; until then it is due, and looked at again whenever another call ends.
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
    """The call, begun unless another has to end before, or a budget has no room for it."""
    begun = tooling.start(turn, call, index) if behind is None else None
    return begun or OpenCall(index, call.name, None, behind=FREE if behind is None else behind)


def begin(turn: Turn) -> None:
    """Begins what is due, where the budgets have room. Raises StepMissing."""
    looks = False
    for call in turn.state.calls:
        begun = tooling.start(turn, turn.asked(call), call.index) if call.is_due else None
        if begun is not None:
            turn.put_call(begun)
            looks = looks or begun.due_s > 0
    if looks:
        appeals.arm(turn)


def lacks_room(turn: Turn) -> bool:
    """Whether a call waits for room in a budget."""
    return any(call.is_due for call in turn.state.calls)
