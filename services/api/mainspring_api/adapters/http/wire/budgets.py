"""Budgets as the wire tells them: amounts are numbers of their currency"""

from typing import Annotated, Final, Literal, assert_never, cast
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from mainspring_api.adapters.http.wire.durable import time_of
from mainspring_api.adapters.http.wire.resources import ANONYMOUS_PRINCIPAL
from mainspring_api.domain import limits as bounds
from mainspring_kernel import limits
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import ANONYMOUS_USER_ID, Prefix, from_wire, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.budgets import (
    MICRO,
    BudgetView,
    CalendarUnit,
    Currency,
    EntryView,
    Period,
    PeriodType,
    Subject,
    SubjectType,
)
from mainspring_schema.messages import Json

AMOUNT_MAX: Final = 1e12
"""Of any currency: in millionths it still fits a bigint, many times over."""
PERIOD_S_MAX: Final = 10 * 366 * 86_400
"""Ten years: a longer one never ends."""
_WINDOW_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
Amount = Annotated[float, Meta(ge=0, le=AMOUNT_MAX)]
Added = Annotated[float, Meta(gt=0, le=AMOUNT_MAX)]
SubjectWord = Literal["session", "agent", "organization", "org", "user"]
"""`org` is what existing clients call an organization."""
_PREFIXES: Final[dict[SubjectType, Prefix]] = {
    "session": Prefix.SESSION,
    "agent": Prefix.AGENT,
    "organization": Prefix.ORG,
    "user": Prefix.VIRTUAL_USER,
}


class PeriodBody(Struct, frozen=True, kw_only=True):
    """`duration` needs `seconds`, `rolling` a `window` such as 5h or 30d, `calendar` a `unit`."""

    type: PeriodType
    seconds: Annotated[int, Meta(ge=1, le=PERIOD_S_MAX)] | None = None
    window: Annotated[str, Meta(pattern=r"^[0-9]{1,6}[smhdw]$")] | None = None
    unit: CalendarUnit | None = None


class BudgetBody(Struct, frozen=True, kw_only=True):
    """`soft_limit` is how much may be used up before people are warned.

    With a `period` the balance is the limit again whenever one begins.
    """

    subject_type: SubjectWord
    subject_id: Annotated[str, Meta(max_length=bounds.NAME_CHARS_MAX)]
    currency: Currency
    limit: Amount
    soft_limit: Amount | None = None
    period: PeriodBody | None = None
    metadata: Json | None = None


class BudgetPatch(Struct, frozen=True, kw_only=True):
    limit: Amount | UnsetType = UNSET
    soft_limit: Amount | UnsetType | None = UNSET
    status: Literal["active", "paused", "disabled"] | UnsetType = UNSET
    metadata: Json | UnsetType = UNSET


class TopUpBody(Struct, frozen=True, kw_only=True):
    amount: Added
    description: Annotated[str, Meta(max_length=1000)] | None = None


class BudgetsQuery(Struct, frozen=True, kw_only=True):
    subject_type: SubjectWord | None = None
    subject_id: Annotated[str, Meta(max_length=bounds.NAME_CHARS_MAX)] | None = None


class LedgerQuery(Struct, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=limits.LIST_ROWS_MAX)] = bounds.LIST_ROWS_DEFAULT
    offset: Annotated[int, Meta(ge=0, le=bounds.RESUME_OFFSET_MAX)] = 0


class BudgetOut(Struct, frozen=True, kw_only=True):
    """`balance` is what is left; of it `reserved` is held for model calls that are under way.

    At `renews_at` the next period begins, if there are any.
    """

    id: str
    organization_id: str
    subject_type: SubjectType
    subject_id: str
    currency: str
    limit: float
    soft_limit: float | None
    balance: float
    reserved: float
    status: Literal["active", "paused", "exhausted", "disabled"]
    metadata: Json
    period: PeriodBody | None
    period_started_at: str | None
    renews_at: str | None
    created_at: str
    updated_at: str


class EntryOut(Struct, frozen=True, kw_only=True):
    """What was used is below zero, what was granted above."""

    id: str
    budget_id: str
    amount: float
    meter_source: str
    description: str | None
    ref_type: str | None
    ref_id: str | None
    session_id: str | None
    created_at: str


class CheckOut(Struct, frozen=True, kw_only=True):
    """`pause`: no model call may begin. `warn`: the soft limit is reached."""

    action: Literal["allow", "warn", "pause"]
    balance: float | None = None
    budget_id: str | None = None
    currency: str | None = None
    message: str | None = None
    error_code: str | None = None
    error_fields: dict[str, str] | None = None
    """`renews_at`, where it renews by itself."""


class ResumedOut(Struct, frozen=True, kw_only=True):
    resumed_budgets: int
    session_id: str


def subject_word(word: SubjectWord) -> SubjectType:
    return "organization" if word == "org" else word


def subject_of(word: SubjectWord, id_: str) -> Subject:
    """Raises InvalidId."""
    type_ = subject_word(word)
    if type_ == "user" and id_ == ANONYMOUS_PRINCIPAL:
        return Subject(type="user", id=ANONYMOUS_USER_ID)
    return Subject(type=type_, id=from_wire(_PREFIXES[type_], id_))


def subjects_of(query: BudgetsQuery) -> tuple[Subject, ...]:
    """Raises InvalidId, ValidationFailed for an id without its type."""
    if query.subject_id is None:
        return ()
    if query.subject_type is None:
        msg = "subject_id goes with subject_type"
        raise ValidationFailed(msg)
    return (subject_of(query.subject_type, query.subject_id),)


def micro(amount: float, field: str) -> int:
    """Raises ValidationFailed for so little that nothing would be left of it."""
    rounded = round(amount * MICRO)
    if amount and not rounded:
        msg = f"`{field}` is too small: amounts are kept to six decimals"
        raise ValidationFailed(msg, data={"field": field})
    return rounded


def soft_micro(given: float | UnsetType | None) -> int | None:
    """None leaves as it is, -1 takes it off. Raises as `micro` does."""
    if isinstance(given, UnsetType):
        return None
    return -1 if given is None else micro(given, "soft_limit")


def check_soft(soft: int | None, allowed: int | None) -> None:
    """Raises ValidationFailed for a warning that could never come. None is what is not said."""
    if soft is not None and allowed is not None and soft > allowed:
        msg = "`soft_limit` is above `limit`"
        raise ValidationFailed(msg, data={"field": "soft_limit"})


def budget_out(view: BudgetView) -> BudgetOut:
    used_up = view.status == "active" and view.balance <= 0
    return BudgetOut(
        id=to_wire(Prefix.BUDGET, view.id),
        organization_id=to_wire(Prefix.ORG, view.org_id),
        subject_type=view.subject_type,
        subject_id=_subject_id(view),
        currency=view.currency,
        limit=view.allowed / MICRO,
        soft_limit=None if view.soft is None else view.soft / MICRO,
        balance=view.balance / MICRO,
        reserved=view.reserved / MICRO,
        status="exhausted" if used_up else view.status,
        metadata=msgspec.json.decode(view.metadata, type=Json),
        period=_period_out(view.period),
        period_started_at=time_of(view.period_started_ms),
        renews_at=time_of(view.renews_ms),
        created_at=rfc3339(view.created_ms),
        updated_at=rfc3339(view.updated_ms),
    )


def _subject_id(view: BudgetView) -> str:
    if view.subject_type == "user" and view.subject_id == ANONYMOUS_USER_ID:
        return ANONYMOUS_PRINCIPAL
    return to_wire(_PREFIXES[view.subject_type], view.subject_id)


def _period_out(period: Period | None) -> PeriodBody | None:
    if period is None:
        return None
    match period.type:
        case "duration":
            return PeriodBody(type="duration", seconds=period.seconds)
        case "rolling":
            return PeriodBody(type="rolling", window=period.text)
        case "calendar":
            return PeriodBody(type="calendar", unit=cast("CalendarUnit", period.text))
        case _:
            assert_never(period.type)


def period_of(body: PeriodBody | None) -> Period | None:
    """Raises ValidationFailed for one that lacks what its type needs."""
    match body:
        case None:
            return None
        case PeriodBody(type="duration", seconds=int(seconds), window=None, unit=None):
            return Period(type="duration", seconds=seconds)
        case PeriodBody(type="rolling", seconds=None, window=str(window), unit=None):
            return Period(type="rolling", seconds=_window_s(window), text=window)
        case PeriodBody(type="calendar", seconds=None, window=None, unit=str(unit)):
            return Period(type="calendar", text=unit)
        case _:
            msg = "a duration has seconds, a rolling period a window, a calendar one a unit"
            raise ValidationFailed(msg, data={"field": "period"})


def _window_s(window: str) -> int:
    seconds = int(window[:-1]) * _WINDOW_S[window[-1]]
    if not 0 < seconds <= PERIOD_S_MAX:
        msg = "a window is between a second and ten years"
        raise ValidationFailed(msg, data={"field": "period.window"})
    return seconds


def entry_out(view: EntryView) -> EntryOut:
    return EntryOut(
        id=to_wire(Prefix.BUDGET_ENTRY, view.id),
        budget_id=to_wire(Prefix.BUDGET, view.budget_id),
        amount=view.amount / MICRO,
        meter_source=view.source,
        description=view.description,
        ref_type=None if view.task_id is None else "task",
        ref_id=_wire(Prefix.TASK, view.task_id),
        session_id=_wire(Prefix.SESSION, view.session_id),
        created_at=rfc3339(view.at_ms),
    )


def _wire(prefix: Prefix, id_: UUID | None) -> str | None:
    return None if id_ is None else to_wire(prefix, id_)


def check_out(budgets: tuple[BudgetView, ...]) -> CheckOut:
    """Of all budgets that a model call falls under the strictest word."""
    counting = [one for one in budgets if one.status != "disabled"]
    short = next((one for one in counting if one.is_short), None)
    near = next((one for one in counting if one.is_near), None)
    about = short or near
    if about is None:
        return CheckOut(action="allow")
    renews_at = time_of(about.renews_ms)
    return CheckOut(
        action="warn" if short is None else "pause",
        balance=about.balance / MICRO,
        budget_id=to_wire(Prefix.BUDGET, about.id),
        currency=about.currency,
        message=_WORDS[short is not None],
        error_code=None if short is None else "budget_exhausted",
        error_fields=None if renews_at is None else {"renews_at": renews_at},
    )


_WORDS: Final = {
    False: "the budget is nearly used up",
    True: "the budget lets no model call begin",
}
