"""Appeals: tool calls that wait for a person, for leave to be made or for the answer they ask for.

What stands of them in the log, and what people bring.
"""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from mainspring_schema.messages import Json

Decision = Literal["allow", "allow_always", "reject", "reject_always"]
Leave = Literal["allowed", "rejected", "expired", "cancelled"]
"""What became of a call that waited for leave; only the first was made."""
AnswerStatus = Literal["answered", "declined", "cancelled", "timed_out"]
Answerer = Literal["user", "timeout", "nobody"]
"""Nobody, where the turn went on or ended without an answer."""


class ApprovalRequested(Struct, frozen=True, kw_only=True):
    """`approval.requested`: the call is held back until somebody decides, or time is up."""

    turn_id: str
    tool_call_id: str
    tool_name: str
    arguments: object
    reason: str
    expires_at: str
    display_name: str | None = None


class ApprovalResolved(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`approval.resolved`. `arguments` are there where they were edited and count from then on."""

    turn_id: str
    tool_call_id: str
    tool_name: str
    outcome: Leave
    decision: Decision | None = None
    arguments: Json | None = None
    reason: str | None = None


class QuestionAsked(Struct, frozen=True, kw_only=True):
    """`question.asked`: `arguments` are those of the call, with its questions."""

    turn_id: str
    tool_call_id: str
    tool_name: str
    arguments: object
    expires_at: str


class QuestionAnswered(Struct, frozen=True, kw_only=True):
    """`question.answered`. `result` is that of the call, where somebody answered."""

    turn_id: str
    tool_call_id: str
    tool_name: str
    status: AnswerStatus
    answered_by: Answerer
    result: Json | None = None


class Ruling(Struct, frozen=True, kw_only=True):
    """What a person decides about one call. `arguments` replace the model's where it is allowed."""

    tool_call_id: str
    decision: Decision
    arguments: Json | None = None
    reason: str | None = None


class Reply(Struct, frozen=True, kw_only=True):
    """What a person answers to the questions of one call; `result` is what the model reads."""

    tool_call_id: str
    status: AnswerStatus
    result: Json


class AnswerAppeals(Struct, frozen=True, kw_only=True):
    """Some of the session's open appeals are answered: all that are named, or none."""

    org_id: UUID
    session_id: UUID
    rulings: tuple[Ruling, ...] = ()
    replies: tuple[Reply, ...] = ()


class Resolved(Struct, frozen=True, kw_only=True):
    """`outcome` is a `Leave` or an `AnswerStatus`."""

    tool_call_id: str
    tool: str
    outcome: str


class AppealsReceipt(Struct, frozen=True, kw_only=True):
    """`status` is the session's status after the commit."""

    resolved: tuple[Resolved, ...]
    status: str
