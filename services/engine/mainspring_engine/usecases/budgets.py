"""Budgets as people create and change them, and which organizations have any."""

import asyncio
import logging
from typing import assert_never
from uuid import UUID

from mainspring_engine.domain.answers import Resumption
from mainspring_engine.domain.intents import SessionResumed
from mainspring_engine.domain.limits import BUDGETS_PASS_S, BUDGETS_TRUSTED_S
from mainspring_engine.ports.budgets import BudgetRows
from mainspring_engine.usecases.lane import Lanes
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import Ids
from mainspring_kernel.passes import one_pass
from mainspring_schema import budgets as asked_of
from mainspring_schema.budgets import BudgetOrder, BudgetQuestion, BudgetView

_log = logging.getLogger(__name__)


class Budgeted:
    """Which organizations have budgets, so that a model call of any other costs no look at one.

    An engine looks again and again while it is asked, and trusts no answer older than
    `BUDGETS_TRUSTED_S`: it reads the budgets of everybody rather. So a budget counts on all of them
    that long after it was made, whatever stalls; and where no model is called nobody looks.
    """

    def __init__(self, rows: BudgetRows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._since: dict[UUID, float] = {}
        self._as_of: float | None = None
        self._asked = asyncio.Event()

    def has(self, org_id: UUID) -> bool:
        self._asked.set()
        as_of = self._as_of
        if as_of is None or self._clock.mono() - as_of > BUDGETS_TRUSTED_S:
            return True
        return org_id in self._since

    async def look(self) -> None:
        as_of = self._clock.mono()
        known = await self._rows.organizations()
        seen = self._clock.mono()
        self._since = {org_id: self._since.get(org_id, seen) for org_id in known}
        self._as_of = as_of

    async def known_everywhere(self, org_id: UUID) -> None:
        """Returns once no engine can miss that the organization has budgets."""
        since = self._since.get(org_id)
        if since is not None:
            left = since + BUDGETS_TRUSTED_S - self._clock.mono()
            if left > 0:
                await self._clock.sleep(left)

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            with one_pass(_log, "which organizations have budgets"):
                await self.look()
            await self._clock.sleep(BUDGETS_PASS_S)


class Budgets:
    """Each call raises NotFound for what the organization does not have."""

    def __init__(self, rows: BudgetRows, organizations: Budgeted, lanes: Lanes, ids: Ids) -> None:
        self._rows = rows
        self._organizations = organizations
        self._lanes = lanes
        self._ids = ids

    async def answer(self, asked: BudgetQuestion) -> object:
        """Raises NotFound."""
        match asked:
            case asked_of.ListBudgets():
                return asked_of.Budgets(budgets=await self._rows.page(asked))
            case asked_of.GetBudget():
                return await self._get(asked.org_id, asked.budget_id)
            case asked_of.GetLedger():
                await self._get(asked.org_id, asked.budget_id)
                return asked_of.Ledger(entries=await self._rows.ledger(asked))
            case _:
                assert_never(asked)

    async def _get(self, org_id: UUID, budget_id: UUID) -> BudgetView:
        found = await self._rows.get(org_id, budget_id)
        if found is None:
            detail = "no such budget"
            raise NotFound(detail)
        return found

    async def carry_out(self, order: BudgetOrder) -> object:
        """The budget as it is now; True where it was dropped. Raises NotFound."""
        if isinstance(order, asked_of.ResumeSession):
            return await self._resume(order)
        await self._change(order)
        await self._organizations.look()
        if isinstance(order, asked_of.CreateBudget):
            await self._organizations.known_everywhere(order.org_id)
        if isinstance(order, asked_of.DropBudget):
            return True
        return await self._get(order.org_id, order.budget_id)

    async def _change(
        self,
        order: asked_of.CreateBudget | asked_of.ChangeBudget | asked_of.TopUp | asked_of.DropBudget,
    ) -> None:
        known = True
        match order:
            case asked_of.CreateBudget():
                await self._rows.create(order, self._ids.uuid7())
            case asked_of.ChangeBudget():
                known = await self._rows.change(order, self._ids.uuid7())
            case asked_of.TopUp():
                known = await self._rows.top_up(order, self._ids.uuid7())
            case asked_of.DropBudget():
                known = await self._rows.drop(order.org_id, order.budget_id)
            case _:
                assert_never(order)
        if not known:
            detail = "no such budget"
            raise NotFound(detail)

    async def _resume(self, order: asked_of.ResumeSession) -> int:
        answer = await self._lanes.ask(SessionResumed(command=order))
        return int(answer is Resumption.RESUMED)
