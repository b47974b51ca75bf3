"""Why something does not move, in one answer: reasons with what to do about each."""

from typing import Literal
from uuid import UUID

from msgspec import Struct

Subject = Literal["task", "workflow", "session"]
"""A turn is a workflow; so is a user's own."""


class Reason(Struct, frozen=True, kw_only=True):
    """One thing that is waited for. `code` is stable; `text` and `advice` are sentences for people.

    `moving`: it comes to pass by itself; nobody need do anything.
    """

    code: str
    text: str
    advice: str = ""
    moving: bool = False
    task_id: UUID | None = None
    worker_id: UUID | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """`state` is where the subject is; `summary` the reason that matters most.

    `workflow_id` and `session_id` tell where it belongs, `of_turn` whether the workflow is a turn;
    `moving`: none of the reasons needs anybody. A plain task belongs nowhere.
    """

    subject: Subject
    id: UUID
    session_id: UUID | None
    workflow_id: UUID | None
    of_turn: bool
    state: str
    moving: bool
    summary: str
    reasons: tuple[Reason, ...]
