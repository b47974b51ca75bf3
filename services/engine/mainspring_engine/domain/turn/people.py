"""What people and their clients bring to a turn that waits for them."""

from typing import assert_never

from mainspring_engine.domain.answers import Answer, Resumption
from mainspring_engine.domain.intents import AppealsAnswered, ClientAnswered, SessionResumed
from mainspring_engine.domain.turn import appeals, machine, order
from mainspring_engine.domain.turn.state import Phase
from mainspring_engine.domain.turn.turn import Turn
from mainspring_kernel.errors import NotAwaited, NotWaitingForToolResults
from mainspring_schema import commands
from mainspring_schema.appeals import AnswerAppeals, AppealsReceipt
from mainspring_schema.tasks import ToolResult

People = ClientAnswered | AppealsAnswered | SessionResumed


def brought(turn: Turn | None, intent: People) -> Answer:
    """Raises NotWaitingForToolResults, NotAwaited."""
    match intent:
        case ClientAnswered(command=command):
            return client_answered(turn, command)
        case AppealsAnswered(command=command):
            return appeals_answered(turn, command)
        case SessionResumed():
            return resumed(turn)
        case _:
            assert_never(intent)


def client_answered(
    turn: Turn | None, command: commands.SubmitToolResults
) -> commands.ToolResultsReceipt:
    """Raises NotWaitingForToolResults."""
    if turn is None or turn.state.phase is not Phase.CLIENT or appeals.waiting(turn):
        raise NotWaitingForToolResults
    results = {
        item.tool_call_id: ToolResult(
            status="success" if item.error is None else "error",
            result=item.result,
            error=item.error,
        )
        for item in command.results
    }
    accepted = machine.client_answered(turn, results)
    if accepted == 0:
        detail = "The session is not waiting for tool results of these calls"
        raise NotWaitingForToolResults(detail)
    return commands.ToolResultsReceipt(accepted=accepted, status=turn.plan.head.status.wire)


def appeals_answered(turn: Turn | None, command: AnswerAppeals) -> AppealsReceipt:
    """Raises NotAwaited."""
    if turn is None or turn.state.phase not in (Phase.ACT, Phase.CLIENT):
        raise NotAwaited
    resolved = machine.appeals_answered(turn, command)
    return AppealsReceipt(resolved=resolved, status=turn.plan.head.status.wire)


def resumed(turn: Turn | None) -> Resumption:
    if turn is None or not (turn.state.phase is Phase.PAUSED or order.lacks_room(turn)):
        return Resumption.NOT_PAUSED
    return Resumption.RESUMED if machine.resumed(turn) else Resumption.SHORT
