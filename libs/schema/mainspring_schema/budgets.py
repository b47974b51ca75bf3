"""Budgets as they are asked for, changed and told. Amounts are millionths of their currency."""

from collections.abc import Iterable
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from mainspring_kernel.ids import ANONYMOUS_USER_ID, Prefix, from_wire
from mainspring_schema.asking import Order, Question

SubjectType = Literal["session", "agent", "organization", "user"]
Currency = Literal["tokens", "calls", "seconds", "usd"]
BudgetStatus = Literal["active", "paused", "disabled"]
PeriodType = Literal["duration", "rolling", "calendar"]
CalendarUnit = Literal["hour", "day", "week", "month", "year"]
MICRO: Final = 1_000_000


class Period(Struct, frozen=True, kw_only=True):
    """After which a budget has its limit again; what is left of it is not carried over.

    `duration`: every so many `seconds` from when it was made. `rolling`: a time that begins with
    the first use after the last one, of `seconds`, which were written as `text`. `calendar`: at the
    beginning of each of its units, which `text` names, in UTC.
    """

    type: PeriodType
    seconds: int | None = None
    text: str | None = None


class BudgetView(Struct, frozen=True, kw_only=True):
    """`balance` is what is left of the limit and of what was added, `reserved` held of it.

    `soft`: people are warned once so much is used up. `metadata` is JSON. One with a `period` is
    told as it is in the present one.
    """

    id: UUID
    org_id: UUID
    subject_type: SubjectType
    subject_id: UUID
    currency: Currency
    allowed: int
    soft: int | None
    balance: int
    reserved: int
    status: BudgetStatus
    warned: bool
    metadata: bytes
    created_ms: int
    updated_ms: int
    period: Period | None = None
    period_started_ms: int | None = None
    renews_ms: int | None = None

    @property
    def is_short(self) -> bool:
        """Whether no model call may begin under it."""
        return self.status == "paused" or (self.status == "active" and self.balance <= 0)

    @property
    def is_near(self) -> bool:
        """Whether as much is used up as people want to be warned of."""
        return self.soft is not None and self.allowed - self.balance >= self.soft


class EntryView(Struct, frozen=True, kw_only=True):
    """One change of a balance; it never changes itself."""

    id: UUID
    budget_id: UUID
    amount: int
    source: str
    description: str | None
    task_id: UUID | None
    session_id: UUID | None
    at_ms: int


class Budgets(Struct, frozen=True, kw_only=True):
    budgets: tuple[BudgetView, ...]


class Ledger(Struct, frozen=True, kw_only=True):
    entries: tuple[EntryView, ...]


class Subject(Struct, frozen=True, kw_only=True):
    type: SubjectType
    id: UUID


def subjects_of(
    *, session_id: UUID, above: Iterable[str], org_id: UUID, user: str | None, agent_id: UUID | None
) -> tuple[Subject, ...]:
    """Whose budgets a session's model calls fall under; its own first.

    `above` are the sessions it is a child of and `user` is whose it is, both as on the wire.
    """
    user_id = ANONYMOUS_USER_ID if user is None else from_wire(Prefix.VIRTUAL_USER, user)
    those = (
        Subject(type="session", id=session_id),
        *(Subject(type="session", id=from_wire(Prefix.SESSION, one)) for one in above),
        Subject(type="organization", id=org_id),
        Subject(type="user", id=user_id),
    )
    return those if agent_id is None else (*those, Subject(type="agent", id=agent_id))


class ListBudgets(Question[Budgets], frozen=True, kw_only=True, tag="list_budgets"):
    """Newest first: those of any of the subjects, or of one kind of subject; () asks for all."""

    org_id: UUID
    subjects: tuple[Subject, ...] = ()
    subject_type: SubjectType | None = None
    limit: int


class OwnBudgets(Question[Budgets], frozen=True, kw_only=True, tag="own_budgets"):
    """Those that the session falls under whose task is held, newest first."""


class GetBudget(Question[BudgetView], frozen=True, kw_only=True, tag="get_budget"):
    """Raises NotFound."""

    org_id: UUID
    budget_id: UUID


class GetLedger(Question[Ledger], frozen=True, kw_only=True, tag="get_ledger"):
    """Newest first. Raises NotFound."""

    org_id: UUID
    budget_id: UUID
    offset: int
    limit: int


class CreateBudget(Order[BudgetView], frozen=True, kw_only=True, tag="create_budget"):
    """With an id that is known it changes nothing and answers with what is there."""

    org_id: UUID
    budget_id: UUID
    subject: Subject
    currency: Currency
    allowed: int
    soft: int | None
    metadata: bytes
    period: Period | None = None


class ChangeBudget(Order[BudgetView], frozen=True, kw_only=True, tag="change_budget"):
    """None leaves as it is; a soft limit of -1 takes it off. Raises NotFound."""

    org_id: UUID
    budget_id: UUID
    allowed: int | None = None
    soft: int | None = None
    status: BudgetStatus | None = None
    metadata: bytes | None = None


class TopUp(Order[BudgetView], frozen=True, kw_only=True, tag="top_up"):
    """Raises NotFound."""

    org_id: UUID
    budget_id: UUID
    amount: int
    description: str | None


class DropBudget(Order[bool], frozen=True, kw_only=True, tag="drop_budget"):
    """Its ledger stays. Raises NotFound."""

    org_id: UUID
    budget_id: UUID


class ResumeSession(Order[int], frozen=True, kw_only=True, tag="resume_session"):
    """Goes on with a turn that a budget has paused; how many budgets let it. 0 where none was."""

    org_id: UUID
    session_id: UUID


BudgetQuestion = ListBudgets | GetBudget | GetLedger
BudgetOrder = CreateBudget | ChangeBudget | TopUp | DropBudget | ResumeSession
