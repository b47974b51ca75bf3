"""Budgets in memory: the tables, and what a commit does to them."""

from contextlib import AbstractContextManager
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from mainspring_engine.adapters.memory.tables import Tables
from mainspring_engine.domain import periods
from mainspring_engine.domain.changes import Changes, Hold, Spending
from mainspring_engine.domain.rows import Standing, TaskKind
from mainspring_kernel.clock import Clock
from mainspring_schema.budgets import (
    BudgetView,
    ChangeBudget,
    CreateBudget,
    EntryView,
    GetLedger,
    ListBudgets,
    Subject,
    TopUp,
)


class HeldRow(Struct, frozen=True, kw_only=True):
    """`source` is what the entry says of what was used."""

    session_id: UUID
    amount: int
    source: str


class BudgetTables:
    """Rows; whoever touches them holds the store's lock."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.budgets: dict[UUID, BudgetView] = {}
        self.entries: list[EntryView] = []
        self.holds: dict[tuple[UUID, UUID], HeldRow] = {}
        """By task and budget."""

    def change(self, budget_id: UUID, **fields: object) -> BudgetView:
        changed = msgspec.structs.replace(self.budgets[budget_id], **fields)
        self.budgets[budget_id] = changed
        return changed

    def present(self, budget: BudgetView, now_ms: int) -> BudgetView:
        """As it is at this moment, whether or not anybody has renewed it yet."""
        if budget.period is None or budget.renews_ms is None or budget.renews_ms > now_ms:
            return budget
        started_ms = budget.period_started_ms or budget.created_ms
        span = periods.present(budget.period, started_ms, now_ms)
        return msgspec.structs.replace(
            budget,
            balance=budget.allowed,
            warned=False,
            period_started_ms=span.started_ms,
            renews_ms=span.renews_ms,
        )

    def renew(self, budget_id: UUID, now_ms: int) -> None:
        """A budget whose period is over has its limit again, no more and no less."""
        before = self.budgets[budget_id]
        after = self.present(before, now_ms)
        if after is before:
            return
        self.budgets[budget_id] = msgspec.structs.replace(after, updated_ms=now_ms)
        if after.balance != before.balance:
            self.entries.append(
                EntryView(
                    id=uuid5(budget_id, f"renewal:{after.period_started_ms}"),
                    budget_id=budget_id,
                    amount=after.balance - before.balance,
                    source="renewal",
                    description=None,
                    task_id=None,
                    session_id=None,
                    at_ms=now_ms,
                )
            )

    def fits(self, changes: Changes, now_ms: int) -> bool:
        """Whether every hold of the item fits, once what it gives back is back.

        Of those of one budget each has what those before it leave.
        """
        spending = changes.spending or Spending()
        begun: dict[UUID, int] = {}
        for hold in spending.holds:
            before = begun.get(hold.budget_id, 0)
            if not self._fits(hold, before, changes, now_ms):
                return False
            begun[hold.budget_id] = before + hold.amount
        return True

    def _fits(self, hold: Hold, begun: int, changes: Changes, now_ms: int) -> bool:
        spending = changes.spending or Spending()
        kept = self.budgets.get(hold.budget_id)
        if kept is None or kept.status == "paused":
            return False
        budget = self.present(kept, now_ms)
        gone = self._gone(budget.id, spending.ended, changes)
        reserved = budget.reserved - sum(self.holds[key].amount for key in gone) + begun
        used = sum(
            charge.amount
            for charge in spending.charges
            if charge.currency == budget.currency
            and charge.task_id in spending.ended
            and (charge.task_id, budget.id) in self.holds
        )
        left = budget.balance - used
        return left - reserved >= hold.amount or (reserved == 0 and left > 0)

    def _gone(
        self, budget_id: UUID, ended: tuple[UUID, ...], changes: Changes
    ) -> list[tuple[UUID, UUID]]:
        """Holds of ended tasks, and of tasks that are gone without having given theirs back."""
        begun = {task.id for task in changes.tasks}
        return [
            key
            for key in self.holds
            if key[1] == budget_id
            and (key[0] in ended or (key[0] not in self._tables.tasks and key[0] not in begun))
        ]

    def is_gone(self, task_id: UUID) -> bool:
        """Whether a task has ended."""
        return task_id not in self._tables.tasks

    def spend(self, changes: Changes, now_ms: int) -> None:
        """After `fits`, and after the item's tasks are written."""
        spending = changes.spending or Spending()
        touched = {key[1] for key in self.holds if key[0] in spending.ended}
        for budget_id in touched | {hold.budget_id for hold in spending.holds}:
            self.renew(budget_id, now_ms)
        for task_id in spending.ended:
            for key in [key for key in self.holds if key[0] == task_id]:
                self._settle(key, spending, now_ms)
        for hold in spending.holds:
            for key in self._gone(hold.budget_id, (), changes):
                gone = self.holds.pop(key)
                budget = self.budgets[hold.budget_id]
                self.change(hold.budget_id, reserved=budget.reserved - gone.amount)
            self._hold(hold, changes.expected.session_id)

    def _settle(self, key: tuple[UUID, UUID], spending: Spending, now_ms: int) -> None:
        held = self.holds.pop(key)
        budget = self.budgets[key[1]]
        used = sum(
            charge.amount
            for charge in spending.charges
            if charge.task_id == key[0] and charge.currency == budget.currency
        )
        self.change(
            budget.id,
            balance=budget.balance - used,
            reserved=budget.reserved - held.amount,
            updated_ms=now_ms,
        )
        if used > 0:
            self.entries.append(
                EntryView(
                    id=uuid5(budget.id, f"{key[0]}"),
                    budget_id=budget.id,
                    amount=-used,
                    source=held.source,
                    description=None,
                    task_id=key[0],
                    session_id=held.session_id,
                    at_ms=now_ms,
                )
            )

    def _hold(self, hold: Hold, session_id: UUID) -> None:
        budget = self.budgets[hold.budget_id]
        amount = min(hold.amount, budget.balance - budget.reserved)
        task = self._tables.tasks.get(hold.task_id)
        is_tool = task is not None and task.kind is TaskKind.TOOL
        self.holds[hold.task_id, hold.budget_id] = HeldRow(
            session_id=session_id, amount=amount, source="tool_call" if is_tool else "model_call"
        )
        self.change(
            budget.id, reserved=budget.reserved + amount, warned=budget.warned or hold.warns
        )


class MemoryBudgets:
    """The port over the tables."""

    def __init__(
        self, tables: BudgetTables, lock: AbstractContextManager[object], clock: Clock
    ) -> None:
        self._tables = tables
        self._lock = lock
        self._clock = clock

    async def organizations(self) -> frozenset[UUID]:
        with self._lock:
            return frozenset(budget.org_id for budget in self._tables.budgets.values())

    async def over(self, org_id: UUID, subjects: tuple[Subject, ...]) -> tuple[Standing, ...]:
        with self._lock:
            found = [
                self._standing(one, subjects[0].id)
                for one in self._of(org_id, subjects)
                if one.status != "disabled"
            ]
            return tuple(sorted(found, key=lambda one: one.id.int))

    def _present(self, budget: BudgetView) -> BudgetView:
        return self._tables.present(budget, self._clock.wall_ms())

    def _standing(self, budget: BudgetView, session_id: UUID) -> Standing:
        held = {
            task_id: row
            for (task_id, budget_id), row in self._tables.holds.items()
            if budget_id == budget.id and not self._tables.is_gone(task_id)
        }
        own = {id_: row.amount for id_, row in held.items() if row.session_id == session_id}
        others = sum(row.amount for row in held.values()) - sum(own.values())
        return Standing.of(budget, reserved=others, own=own)

    def _of(self, org_id: UUID, subjects: tuple[Subject, ...]) -> list[BudgetView]:
        return [
            self._present(one)
            for one in self._tables.budgets.values()
            if one.org_id == org_id
            and Subject(type=one.subject_type, id=one.subject_id) in subjects
        ]

    async def page(self, asked: ListBudgets) -> tuple[BudgetView, ...]:
        with self._lock:
            if asked.subjects:
                found = self._of(asked.org_id, asked.subjects)
            else:
                rows = self._tables.budgets.values()
                found = [self._present(one) for one in rows if one.org_id == asked.org_id]
            if asked.subject_type is not None:
                found = [one for one in found if one.subject_type == asked.subject_type]
            newest = sorted(found, key=lambda one: (one.created_ms, one.id.int), reverse=True)
            return tuple(newest[: asked.limit])

    async def get(self, org_id: UUID, budget_id: UUID) -> BudgetView | None:
        with self._lock:
            found = self._known(org_id, budget_id)
            return None if found is None else self._present(found)

    def _known(self, org_id: UUID, budget_id: UUID) -> BudgetView | None:
        found = self._tables.budgets.get(budget_id)
        return found if found is not None and found.org_id == org_id else None

    async def ledger(self, asked: GetLedger) -> tuple[EntryView, ...]:
        with self._lock:
            if self._known(asked.org_id, asked.budget_id) is None:
                return ()
            mine = [one for one in self._tables.entries if one.budget_id == asked.budget_id]
            newest = mine[::-1]
            return tuple(newest[asked.offset : asked.offset + asked.limit])

    async def create(self, order: CreateBudget, entry_id: UUID) -> None:
        with self._lock:
            if order.budget_id in self._tables.budgets:
                return
            now_ms, period = self._clock.wall_ms(), order.period
            span = None if period is None else periods.present(period, now_ms, now_ms)
            self._tables.budgets[order.budget_id] = BudgetView(
                id=order.budget_id,
                org_id=order.org_id,
                subject_type=order.subject.type,
                subject_id=order.subject.id,
                currency=order.currency,
                allowed=order.allowed,
                soft=order.soft,
                balance=order.allowed,
                reserved=0,
                status="active",
                warned=False,
                metadata=order.metadata,
                created_ms=now_ms,
                updated_ms=now_ms,
                period=period,
                period_started_ms=None if span is None else span.started_ms,
                renews_ms=None if span is None else span.renews_ms,
            )
            self._enter(order.budget_id, entry_id, order.allowed, "limit")

    def _enter(
        self, budget_id: UUID, id_: UUID, amount: int, source: str, description: str | None = None
    ) -> None:
        self._tables.entries.append(
            EntryView(
                id=id_,
                budget_id=budget_id,
                amount=amount,
                source=source,
                description=description,
                task_id=None,
                session_id=None,
                at_ms=self._clock.wall_ms(),
            )
        )

    def _locked(self, org_id: UUID, budget_id: UUID) -> BudgetView | None:
        """To change it: renewed where its period is over."""
        if self._known(org_id, budget_id) is None:
            return None
        self._tables.renew(budget_id, self._clock.wall_ms())
        return self._tables.budgets[budget_id]

    async def change(self, order: ChangeBudget, entry_id: UUID) -> bool:
        with self._lock:
            known = self._locked(order.org_id, order.budget_id)
            if known is None:
                return False
            moved = 0 if order.allowed is None else order.allowed - known.allowed
            soft = known.soft if order.soft is None else order.soft
            self._tables.change(
                known.id,
                allowed=known.allowed + moved,
                balance=known.balance + moved,
                soft=None if soft == -1 else soft,
                status=order.status or known.status,
                metadata=known.metadata if order.metadata is None else order.metadata,
                warned=known.warned and moved == 0 and order.soft is None,
                updated_ms=self._clock.wall_ms(),
            )
            if moved:
                self._enter(known.id, entry_id, moved, "limit")
            return True

    async def top_up(self, order: TopUp, entry_id: UUID) -> bool:
        with self._lock:
            known = self._locked(order.org_id, order.budget_id)
            if known is None:
                return False
            self._tables.change(
                known.id,
                balance=known.balance + order.amount,
                warned=False,
                updated_ms=self._clock.wall_ms(),
            )
            self._enter(known.id, entry_id, order.amount, "top_up", order.description)
            return True

    async def drop(self, org_id: UUID, budget_id: UUID) -> bool:
        with self._lock:
            if self._known(org_id, budget_id) is None:
                return False
            del self._tables.budgets[budget_id]
            for key in [key for key in self._tables.holds if key[1] == budget_id]:
                del self._tables.holds[key]
            return True
