"""What waits for a person, and what a person says to it"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from mainspring_api.domain import limits as bounds
from mainspring_api.usecases.appeals import Asked, PersonsStatus
from mainspring_harness import questions
from mainspring_harness.questions import Given, Question
from mainspring_kernel import limits
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.appeals import (
    AppealsReceipt,
    ApprovalRequested,
    QuestionAsked,
    Ruling,
)
from mainspring_schema.messages import Json

CallId = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(max_length=questions.TEXT_CHARS_MAX)]


class DecisionBody(Struct, frozen=True, kw_only=True):
    """`arguments` replace the model's, where the call is allowed. The model reads the `reason`."""

    tool_call_id: CallId
    decision: Literal["allow", "allow_always", "reject", "reject_always"]
    arguments: Json | None = None
    reason: Words | None = None


class DecisionsBody(Struct, frozen=True, kw_only=True):
    decisions: Annotated[
        list[DecisionBody], Meta(min_length=1, max_length=limits.TOOL_CALLS_PER_RESPONSE_MAX)
    ]


def rulings(body: DecisionsBody) -> tuple[Ruling, ...]:
    """Raises ValidationFailed for two decisions on one call, and for edits of a rejected one."""
    if len({one.tool_call_id for one in body.decisions}) < len(body.decisions):
        msg = "a tool call has two decisions"
        raise ValidationFailed(msg, data={"field": "decisions"})
    for one in body.decisions:
        if one.arguments is not None and not one.decision.startswith("allow"):
            msg = "arguments go with a call that is allowed"
            raise ValidationFailed(msg, data={"field": "decisions"})
    return tuple(msgspec.convert(one, Ruling, from_attributes=True) for one in body.decisions)


class AppliedAppealView(Struct, frozen=True, kw_only=True):
    tool_call_id: str
    tool: str
    outcome: str


class DecisionsView(Struct, frozen=True, kw_only=True):
    """`status` is that of the session."""

    resolved: tuple[AppliedAppealView, ...]
    status: str


def decisions_view(receipt: AppealsReceipt) -> DecisionsView:
    return msgspec.convert(receipt, DecisionsView, from_attributes=True)


class AnswerBody(Struct, frozen=True, kw_only=True):
    """A text goes into `other_text`; a secret is named by `secret_ref`, never said."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    selected: Annotated[list[Words], Meta(max_length=questions.OPTIONS_MAX)] | Words | None = None
    other_text: Words | None = None
    secret_ref: Annotated[str, Meta(min_length=1, max_length=bounds.NAME_CHARS_MAX)] | None = None


class AnswersBody(Struct, frozen=True, kw_only=True):
    """Without `tool_call_id` it is the one call that asks."""

    tool_call_id: CallId | None = None
    status: PersonsStatus = "answered"
    answers: Annotated[list[AnswerBody], Meta(max_length=questions.QUESTIONS_MAX)] = []


def given_answers(body: AnswersBody) -> tuple[Given, ...]:
    return tuple(
        Given(
            id=one.id,
            selected=_selected(one.selected),
            other_text=one.other_text,
            secret_ref=one.secret_ref,
        )
        for one in body.answers
    )


def _selected(given: list[str] | str | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


class AnswersView(Struct, frozen=True, kw_only=True):
    status: str
    answered_by: str
    session_status: str


def answers_view(receipt: AppealsReceipt) -> AnswersView:
    (resolved,) = receipt.resolved
    return AnswersView(status=resolved.outcome, answered_by="user", session_status=receipt.status)


class PendingApproval(Struct, frozen=True, kw_only=True):
    tool_call_id: str
    tool: str
    display_name: str | None
    arguments: object
    reason: str
    expires_at: str


class PendingQuestion(Struct, frozen=True, kw_only=True):
    tool_call_id: str
    questions: tuple[Question, ...]
    expires_at: str


class PendingView(Struct, frozen=True, kw_only=True):
    pending_approvals: tuple[PendingApproval, ...]
    pending_questions: tuple[PendingQuestion, ...]


def pending_view(asked: tuple[Asked, ...]) -> PendingView:
    return PendingView(
        pending_approvals=tuple(
            PendingApproval(
                tool_call_id=one.tool_call_id,
                tool=one.tool_name,
                display_name=one.display_name,
                arguments=one.arguments,
                reason=one.reason,
                expires_at=one.expires_at,
            )
            for one in asked
            if isinstance(one, ApprovalRequested)
        ),
        pending_questions=tuple(
            PendingQuestion(
                tool_call_id=one.tool_call_id,
                questions=questions.read(one.arguments),
                expires_at=one.expires_at,
            )
            for one in asked
            if isinstance(one, QuestionAsked)
        ),
    )
