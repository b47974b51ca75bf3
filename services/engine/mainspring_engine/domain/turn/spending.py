"""What a turn's model calls may use of the budgets they fall under, and what they have used."""

from collections.abc import Sequence
from math import ceil
from typing import Final
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.changes import Charge, Hold
from mainspring_engine.domain.turn.state import Owed, TurnState
from mainspring_kernel.times import rfc3339
from mainspring_schema.budgets import MICRO, BudgetView, Currency
from mainspring_schema.events import Usage
from mainspring_schema.messages import Json

TOKENS_HELD_MIN: Final = 2_048
"""Held for a call of which nothing is known yet: a short prompt and a short answer."""
SECONDS_HELD: Final = 30
"""Held for a call: most are shorter; one that takes longer is charged as it was."""
TIMER_RENEWAL: Final = "budget_renewal"
RENEWAL_LOOK_MS: Final = 10_000
"""Where others hold all that is left, a turn that rests looks again after this: what they give
back is no news to it."""
RENEWAL_LOOK_MS_MIN: Final = 50
"""An engine's idea of the database's time is this good: a timer may be early by so much."""


class Bounds(Struct, frozen=True, kw_only=True):
    """The budgets that a session's model calls fall under, as they were read without a lock.

    `token_usd` is what a million tokens may cost. Their `reserved` is what other sessions hold: a
    session has one model call at a time, so what it held itself is given back before it holds
    again.
    """

    budgets: tuple[BudgetView, ...] = ()
    token_usd: float = 0.0

    def short(self, state: TurnState, charged: Sequence[Charge]) -> BudgetView | None:
        """The first that lets no model call begin; `charged` is not in the balances yet."""
        for budget in self.budgets:
            used = sum(one.amount for one in charged if one.currency == budget.currency)
            if budget.status == "paused" or (
                budget.status == "active" and not self._fits(budget, used, state)
            ):
                return budget
        return None

    def _fits(self, budget: BudgetView, used: int, state: TurnState) -> bool:
        """As the store will judge it: the hold fits, or it is the only one and takes the rest."""
        left = budget.balance - used
        wanted = self.held(budget.currency, state)
        return left - budget.reserved >= wanted or (budget.reserved == 0 and left > 0)

    def held(self, currency: Currency, state: TurnState) -> int:
        """What a call holds, in millionths: of what it will use only a guess is known."""
        usage, calls = state.usage, max(1, state.model_calls)
        match currency:
            case "calls":
                return MICRO
            case "seconds":
                return MICRO * SECONDS_HELD
            case "tokens":
                used = usage.input_tokens + usage.output_tokens
                return MICRO * max(TOKENS_HELD_MIN, 2 * used // calls)
            case "usd":
                # A millionth of a million tokens' price is the price of one in millionths.
                least = TOKENS_HELD_MIN * self.token_usd
                return ceil(max(least, 2 * MICRO * (usage.estimated_cost_usd or 0.0) / calls))


def holds(bounds: Bounds, task_id: UUID, state: TurnState) -> tuple[Hold, ...]:
    """What a new model call holds until it ends; the store cuts the last one to what is left.

    Nothing is held of money where the models cost none.
    """
    return tuple(
        Hold(
            task_id=task_id,
            budget_id=budget.id,
            amount=amount,
            warns=budget.is_near and not budget.warned,
        )
        for budget in bounds.budgets
        if budget.status == "active" and (amount := bounds.held(budget.currency, state))
    )


def amounts(usage: Usage, *, calls: int = 0, duration_ms: int = 0) -> Owed:
    """What somebody has used, as budgets count it."""
    return Owed(
        calls,
        usage.input_tokens + usage.output_tokens,
        duration_ms,
        ceil(MICRO * (usage.estimated_cost_usd or 0.0)),
    )


def charges(task_id: UUID, owed: Owed) -> tuple[Charge, ...]:
    """What an ended model call has used in all its attempts, in every currency."""
    usd = owed.usd
    return (
        Charge(task_id=task_id, currency="tokens", amount=MICRO * owed.tokens),
        Charge(task_id=task_id, currency="calls", amount=MICRO * owed.calls),
        Charge(task_id=task_id, currency="seconds", amount=1000 * owed.ms),
        *((Charge(task_id=task_id, currency="usd", amount=usd),) if usd else ()),
    )


def looks_again_ms(short: BudgetView, now_ms: int) -> int | None:
    """When a turn that rests for it is to look by itself; None where only people can let it on."""
    if short.status != "active":
        return None
    looks = [] if short.renews_ms is None else [short.renews_ms - now_ms]
    if short.balance > 0:
        looks.append(RENEWAL_LOOK_MS)
    return max(RENEWAL_LOOK_MS_MIN, min(looks)) if looks else None


def told(budget: BudgetView, budget_id: str, message: str, now_ms: int) -> Json:
    """The data of `budget.*` events."""
    data: Json = {
        "budget_id": budget_id,
        "currency": budget.currency,
        "limit": budget.allowed / MICRO,
        "balance": budget.balance / MICRO,
        "message": message,
        "at": rfc3339(now_ms),
    }
    if budget.soft is not None:
        data["soft_limit"] = budget.soft / MICRO
    if budget.renews_ms is not None:
        data["renews_at"] = rfc3339(budget.renews_ms)
    return data
