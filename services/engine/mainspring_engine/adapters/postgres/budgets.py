"""Budgets, and the commit of items that hold or charge them."""

from collections.abc import Sequence
from typing import Final, cast
from uuid import UUID

from mainspring_engine.adapters.postgres.errors import closing, errors_of
from mainspring_engine.adapters.postgres.flights import Routes, arguments
from mainspring_engine.adapters.postgres.inbox import INBOX
from mainspring_engine.adapters.postgres.replies import committed
from mainspring_engine.adapters.postgres.workflows import more_arguments
from mainspring_engine.domain.changes import Changes, Spending
from mainspring_engine.domain.rows import Standing
from mainspring_engine.ports.store import Committed
from mainspring_postgres import Database, QueryFailed, Row, UniqueViolation, load_queries
from mainspring_schema.budgets import (
    BudgetStatus,
    BudgetView,
    ChangeBudget,
    CreateBudget,
    Currency,
    EntryView,
    GetLedger,
    ListBudgets,
    Period,
    PeriodType,
    Subject,
    SubjectType,
    TopUp,
)

BUDGETS: Final = load_queries("mainspring_engine.adapters.postgres", "budgets.sql")
_SHORT: Final = "MSB01"
_STATUSES: Final[dict[BudgetStatus, int]] = {"active": 1, "paused": 2, "disabled": 3}
_PERIODS: Final[dict[PeriodType, int]] = {"duration": 1, "rolling": 2, "calendar": 3}
_PERIOD_NAMES: Final[dict[int, PeriodType]] = {number: name for name, number in _PERIODS.items()}
_NAMES: Final[dict[int, BudgetStatus]] = {number: name for name, number in _STATUSES.items()}


class PostgresBudgets:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, changes: Changes, routes: Routes) -> Committed | None:
        """None where a hold does not fit any more. Raises QueryFailed."""
        spending = changes.spending or Spending()
        try:
            rows = await closing(
                self._database,
                errors_of((changes,)),
                INBOX["commit_arranged"] if _has_more(changes) else BUDGETS["commit_budgeted"],
                *arguments((changes,), routes),
                [(h.task_id, h.budget_id, h.amount, h.warns) for h in spending.holds],
                list(spending.ended),
                [(c.task_id, c.currency, c.amount) for c in spending.charges],
                changes.after.paused,
                *(_more(changes) if _has_more(changes) else ()),
            )
        except QueryFailed as error:
            if error.sqlstate == _SHORT:
                return None
            raise
        return committed((changes,), rows[0])[0]

    async def organizations(self) -> frozenset[UUID]:
        rows = await self._database.fetch(BUDGETS["organizations"])
        return frozenset(cast(UUID, row["org_id"]) for row in rows)

    async def over(self, org_id: UUID, subjects: tuple[Subject, ...]) -> tuple[Standing, ...]:
        # Only a session's id is that of a session.
        rows = await self._database.fetch(BUDGETS["over"], org_id, *_columns(subjects))
        return tuple(map(_standing, rows))

    async def page(self, asked: ListBudgets) -> tuple[BudgetView, ...]:
        rows = await self._database.fetch(
            BUDGETS["page"],
            asked.org_id,
            None,
            asked.subject_type,
            *_columns(asked.subjects),
            asked.limit,
        )
        return tuple(map(_budget, rows))

    async def get(self, org_id: UUID, budget_id: UUID) -> BudgetView | None:
        rows = await self._database.fetch(BUDGETS["page"], org_id, budget_id, None, [], [], 1)
        return _budget(rows[0]) if rows else None

    async def ledger(self, asked: GetLedger) -> tuple[EntryView, ...]:
        return tuple(
            await self._database.fetch_as(
                EntryView,
                BUDGETS["ledger"],
                asked.org_id,
                asked.budget_id,
                asked.offset,
                asked.limit,
            )
        )

    async def create(self, order: CreateBudget, entry_id: UUID) -> None:
        try:
            await self._database.fetch(
                BUDGETS["create"],
                order.org_id,
                order.budget_id,
                entry_id,
                order.subject.type,
                order.subject.id,
                order.currency,
                order.allowed,
                order.soft,
                order.metadata,
                *_period_columns(order.period),
            )
        except UniqueViolation:
            return

    async def change(self, order: ChangeBudget, entry_id: UUID) -> bool:
        rows = await self._database.fetch(
            BUDGETS["change"],
            order.org_id,
            order.budget_id,
            entry_id,
            order.allowed,
            order.soft,
            None if order.status is None else _STATUSES[order.status],
            order.metadata,
        )
        return rows[0]["id"] is not None

    async def top_up(self, order: TopUp, entry_id: UUID) -> bool:
        rows = await self._database.fetch(
            BUDGETS["credit"],
            order.org_id,
            order.budget_id,
            entry_id,
            order.amount,
            "top_up",
            order.description,
        )
        return rows[0]["id"] is not None

    async def drop(self, org_id: UUID, budget_id: UUID) -> bool:
        rows = await self._database.fetch(BUDGETS["drop"], org_id, budget_id)
        return rows[0]["id"] is not None


def _has_more(changes: Changes) -> bool:
    return bool(changes.places or changes.signals or changes.taken_signals)


def _more(changes: Changes) -> tuple[object, ...]:
    """What is moved and told beside."""
    ids, places = [p.message_id for p in changes.places], [p.seq for p in changes.places]
    signals, takes = more_arguments((changes,))[-2:]
    return changes.expected.session_id, ids, places, signals, takes


def _columns(subjects: Sequence[Subject]) -> tuple[list[str], list[UUID]]:
    return [one.type for one in subjects], [one.id for one in subjects]


def _period_columns(period: Period | None) -> tuple[int | None, int | None, str | None]:
    if period is None:
        return None, None, None
    return _PERIODS[period.type], period.seconds, period.text


def _period(row: Row) -> Period | None:
    kind = cast("int | None", row["period_kind"])
    if kind is None:
        return None
    return Period(
        type=_PERIOD_NAMES[kind],
        seconds=cast("int | None", row["period_seconds"]),
        text=cast("str | None", row["period_text"]),
    )


def _standing(row: Row) -> Standing:
    tasks, amounts = cast("list[UUID]", row["own_tasks"]), cast("list[int]", row["own_amounts"])
    budget, own = _budget(row), dict(zip(tasks, amounts, strict=True))
    return Standing.of(budget, reserved=budget.reserved, own=own)


def _budget(row: Row) -> BudgetView:
    return BudgetView(
        id=cast(UUID, row["id"]),
        org_id=cast(UUID, row["org_id"]),
        subject_type=cast(SubjectType, row["subject_type"]),
        subject_id=cast(UUID, row["subject_id"]),
        currency=cast(Currency, row["currency"]),
        allowed=cast(int, row["allowed"]),
        soft=cast("int | None", row["soft"]),
        balance=cast(int, row["balance"]),
        reserved=cast(int, row["reserved"]),
        status=_NAMES[cast(int, row["status"])],
        warned=cast(bool, row["warned"]),
        metadata=cast(bytes, row["metadata"]),
        created_ms=cast(int, row["created_ms"]),
        updated_ms=cast(int, row["updated_ms"]),
        period=_period(row),
        period_started_ms=cast("int | None", row["period_started_ms"]),
        renews_ms=cast("int | None", row["renews_ms"]),
    )
