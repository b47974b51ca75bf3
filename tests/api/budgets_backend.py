"""Budgets of an engine that a test stands in for."""

from typing import assert_never
from uuid import UUID

import msgspec

from mainspring_kernel.errors import NotFound
from mainspring_schema import budgets
from mainspring_schema.budgets import BudgetOrder, BudgetQuestion, BudgetView, EntryView

TS = 1_763_800_000_000


class FakeBudgets:
    """Keeps them, and says that a resumed session went on where it was paused by a test."""

    def __init__(self) -> None:
        self.kept: dict[UUID, BudgetView] = {}
        self.entries: list[EntryView] = []
        self.resumed: list[UUID] = []

    def answer(self, asked: BudgetQuestion) -> object:
        match asked:
            case budgets.ListBudgets():
                return budgets.Budgets(budgets=self._page(asked))
            case budgets.GetBudget():
                return self._known(asked.org_id, asked.budget_id)
            case budgets.GetLedger():
                mine = [one for one in self.entries if one.budget_id == asked.budget_id][::-1]
                page = mine[asked.offset : asked.offset + asked.limit]
                known = self._known(asked.org_id, asked.budget_id)
                return known if isinstance(known, NotFound) else budgets.Ledger(entries=tuple(page))
            case _:
                assert_never(asked)

    def _page(self, asked: budgets.ListBudgets) -> tuple[BudgetView, ...]:
        mine = [one for one in self.kept.values() if one.org_id == asked.org_id]
        subjects = {(one.type, one.id) for one in asked.subjects}
        return tuple(
            one
            for one in reversed(mine)
            if (not subjects or (one.subject_type, one.subject_id) in subjects)
            and asked.subject_type in (None, one.subject_type)
        )

    def _known(self, org_id: UUID, budget_id: UUID) -> BudgetView | NotFound:
        found = self.kept.get(budget_id)
        return found if found is not None and found.org_id == org_id else NotFound()

    def carry_out(self, order: BudgetOrder) -> object:
        if isinstance(order, budgets.ResumeSession):
            self.resumed.append(order.session_id)
            return 1
        if isinstance(order, budgets.CreateBudget):
            return self._create(order)
        known = self._known(order.org_id, order.budget_id)
        if isinstance(known, NotFound):
            return known
        if isinstance(order, budgets.DropBudget):
            del self.kept[known.id]
            return True
        return self._changed(known, order)

    def _changed(
        self, known: BudgetView, order: budgets.ChangeBudget | budgets.TopUp
    ) -> BudgetView:
        if isinstance(order, budgets.TopUp):
            changed = msgspec.structs.replace(known, balance=known.balance + order.amount)
            self._enter(known.id, order.amount, "top_up", order.description)
        else:
            moved = 0 if order.allowed is None else order.allowed - known.allowed
            soft = known.soft if order.soft is None else order.soft
            changed = msgspec.structs.replace(
                known,
                allowed=known.allowed + moved,
                balance=known.balance + moved,
                soft=None if soft == -1 else soft,
                status=order.status or known.status,
                metadata=order.metadata or known.metadata,
            )
        self.kept[known.id] = changed
        return changed

    def _create(self, order: budgets.CreateBudget) -> BudgetView:
        made = BudgetView(
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
            created_ms=TS,
            updated_ms=TS,
            period=order.period,
            period_started_ms=None if order.period is None else TS,
            renews_ms=None if order.period is None else TS + 1000,
        )
        self.kept.setdefault(made.id, made)
        self._enter(made.id, made.allowed, "limit")
        return self.kept[made.id]

    def _enter(
        self, budget_id: UUID, amount: int, source: str, description: str | None = None
    ) -> None:
        self.entries.append(
            EntryView(
                id=UUID(int=len(self.entries) + 1),
                budget_id=budget_id,
                amount=amount,
                source=source,
                description=description,
                task_id=None,
                session_id=None,
                at_ms=TS,
            )
        )
