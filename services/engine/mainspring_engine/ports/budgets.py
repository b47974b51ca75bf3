"""Budgets and their ledger, beside what a commit does to them. A part of the store."""

from typing import Protocol
from uuid import UUID

from mainspring_engine.domain.rows import Standing
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


class BudgetRows(Protocol):
    """Every change of a balance comes with its entry, in one transaction."""

    async def organizations(self) -> frozenset[UUID]:
        """Those that have budgets."""
        ...

    async def over(self, org_id: UUID, subjects: tuple[Subject, ...]) -> tuple[Standing, ...]:
        """Those of any of the subjects that are not disabled, by id. Read without a lock.

        They stand as the first of the subjects finds them, a session. What is still held for tasks
        that are gone is left out.
        """
        ...

    async def page(self, asked: ListBudgets) -> tuple[BudgetView, ...]: ...

    async def get(self, org_id: UUID, budget_id: UUID) -> BudgetView | None: ...

    async def ledger(self, asked: GetLedger) -> tuple[EntryView, ...]: ...

    async def create(self, order: CreateBudget, entry_id: UUID) -> None:
        """Once for each id."""
        ...

    async def change(self, order: ChangeBudget, entry_id: UUID) -> bool:
        """Whether there is such a budget; a limit that moves takes the balance along."""
        ...

    async def top_up(self, order: TopUp, entry_id: UUID) -> bool:
        """Whether there is such a budget."""
        ...

    async def drop(self, org_id: UUID, budget_id: UUID) -> bool:
        """Whether there was such a budget. Its entries stay, its holds go."""
        ...
