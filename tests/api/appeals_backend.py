"""Tool calls that wait for people, of an engine that a test stands in for."""

from abc import ABC
from uuid import UUID

from mainspring_kernel.errors import NotAwaited
from mainspring_schema.appeals import (
    AnswerAppeals,
    AppealsReceipt,
    ApprovalRequested,
    ApprovalResolved,
    QuestionAnswered,
    QuestionAsked,
    Resolved,
)
from tests.api.query_backend import QueryBackend

EXPIRES = "2026-11-26T10:00:00.000Z"
TURN = "turn_" + "0" * 31 + "7"


class AppealsBackend(QueryBackend, ABC):
    """Takes each decision once. `meanwhile` decides for somebody else before the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.appeals: dict[str, str] = {}
        """By call that waits: its tool."""
        self.meanwhile: AnswerAppeals | None = None

    def append(self, session_id: UUID, type_: str, data: object, *, publish: bool = True) -> int:
        """An event of the session."""
        raise NotImplementedError

    def ask_leave(self, session_id: UUID, call_id: str, tool: str = "add") -> None:
        asked = ApprovalRequested(
            turn_id=TURN,
            tool_call_id=call_id,
            tool_name=tool,
            arguments={"a": 1, "b": 2},
            reason="why",
            expires_at=EXPIRES,
        )
        self.appeals[call_id] = tool
        self.append(session_id, "approval.requested", asked)

    def ask_question(self, session_id: UUID, call_id: str, type_: str = "text") -> None:
        asked = QuestionAsked(
            turn_id=TURN,
            tool_call_id=call_id,
            tool_name="ask_user",
            arguments={"questions": [{"id": "q", "question": "Which?", "type": type_}]},
            expires_at=EXPIRES,
        )
        self.appeals[call_id] = "ask_user"
        self.append(session_id, "question.asked", asked)

    async def answer_appeals(self, command: AnswerAppeals) -> AppealsReceipt:
        if self.meanwhile is not None:
            first, self.meanwhile = self.meanwhile, None
            await self.answer_appeals(first)
        wanted = [one.tool_call_id for one in (*command.rulings, *command.replies)]
        if any(call_id not in self.appeals for call_id in wanted):
            raise NotAwaited
        resolved = [*self._rule(command), *self._reply(command)]
        return AppealsReceipt(resolved=tuple(resolved), status="active")

    def _rule(self, command: AnswerAppeals) -> list[Resolved]:
        done: list[Resolved] = []
        for one in command.rulings:
            tool = self.appeals.pop(one.tool_call_id)
            outcome = "allowed" if one.decision.startswith("allow") else "rejected"
            event = ApprovalResolved(
                turn_id=TURN,
                tool_call_id=one.tool_call_id,
                tool_name=tool,
                outcome=outcome,
                decision=one.decision,
                arguments=one.arguments,
                reason=one.reason,
            )
            self.append(command.session_id, "approval.resolved", event)
            done.append(Resolved(tool_call_id=one.tool_call_id, tool=tool, outcome=outcome))
        return done

    def _reply(self, command: AnswerAppeals) -> list[Resolved]:
        done: list[Resolved] = []
        for one in command.replies:
            tool = self.appeals.pop(one.tool_call_id)
            event = QuestionAnswered(
                turn_id=TURN,
                tool_call_id=one.tool_call_id,
                tool_name=tool,
                status=one.status,
                answered_by="user",
                result=one.result,
            )
            self.append(command.session_id, "question.answered", event)
            done.append(Resolved(tool_call_id=one.tool_call_id, tool=tool, outcome=one.status))
        return done
