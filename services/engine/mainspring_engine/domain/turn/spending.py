"""What a turn's calls may use of the budgets they fall under: holds, warnings, renewals."""

from collections.abc import Mapping
from math import ceil
from typing import Final, TypeAlias
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.changes import Charge, Hold, Spending
from mainspring_engine.domain.rows import Standing
from mainspring_engine.domain.turn.state import Owed, TurnState
from mainspring_kernel.limits import TOOL_CALL_TIMEOUT_S
from mainspring_kernel.times import rfc3339
from mainspring_schema.budgets import MICRO, BudgetView, Currency
from mainspring_schema.events import Usage
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolCall

TOKENS_HELD_MIN: Final = 2_048
"""Held for a call of which nothing is known yet: a short prompt and a short answer."""
SECONDS_HELD: Final = 30
"""Held for a call of a model or a tool: most are shorter, and one that takes longer is charged as
it was. If more were held, calls would wait for each other where there is room for all of them."""
_OF_CHILDREN: Final = frozenset({"subagents", "session_tasks", "background_execution"})
"""Capabilities whose calls are about children, or wait for them. What a child does is held and
charged by its own calls; one that waited for it would be held for as long, and charged again."""
Wanted: TypeAlias = Mapping[Currency, int]
"""What a call is to hold of each currency that it uses, in millionths."""
TIMER_RENEWAL: Final = "budget_renewal"
RENEWAL_LOOK_MS: Final = 10_000
"""Where others hold all that is left, a turn that rests looks again after this: what they give
back is no news to it."""
RENEWAL_LOOK_MS_MIN: Final = 50
"""An engine's idea of the database's time is this good: a timer may be early by so much."""


class Bounds(Struct, frozen=True, kw_only=True):
    """The budgets that a session's calls fall under, as they were read without a lock.

    `token_usd` is what a million tokens may cost.
    """

    budgets: tuple[Standing, ...] = ()
    token_usd: float = 0.0

    def short(self, wanted: Wanted, spent: Spending) -> Standing | None:
        """The first that has no room for a call; `spent` is not in the balances yet."""
        for budget in self.budgets:
            if budget.currency not in wanted:
                continue
            if budget.status == "paused" or (
                budget.status == "active" and not _fits(budget, wanted[budget.currency], spent)
            ):
                return budget
        return None

    def of_model(self, state: TurnState) -> Wanted:
        """What a model call holds: of what it will use only a guess is known."""
        usage, calls = state.usage, max(1, state.model_calls)
        used = usage.input_tokens + usage.output_tokens
        # A millionth of a million tokens' price is the price of one in millionths.
        least_usd = TOKENS_HELD_MIN * self.token_usd
        return {
            "calls": MICRO,
            "seconds": MICRO * SECONDS_HELD,
            "tokens": MICRO * max(TOKENS_HELD_MIN, 2 * used // calls),
            "usd": ceil(max(least_usd, 2 * MICRO * (usage.estimated_cost_usd or 0.0) / calls)),
        }


def of_tool(call: ToolCall) -> Wanted:
    """What a tool call holds: no more time than it may take."""
    if call.capability_id in _OF_CHILDREN:
        return {}
    return {"seconds": ceil(MICRO * min(call.limit_s or TOOL_CALL_TIMEOUT_S, SECONDS_HELD))}


def _fits(budget: Standing, wanted: int, spent: Spending) -> bool:
    """As the store will judge it: the hold fits, or it is the only one and takes the rest."""
    used = sum(
        one.amount
        for one in spent.charges
        if one.currency == budget.currency and one.task_id in budget.own
    )
    kept = sum(held for task_id, held in budget.own.items() if task_id not in spent.ended)
    begun = sum(hold.amount for hold in spent.holds if hold.budget_id == budget.id)
    reserved, left = budget.reserved + kept + begun, budget.balance - used
    return left - reserved >= wanted or (reserved == 0 and left > 0)


def holds(bounds: Bounds, task_id: UUID, wanted: Wanted, spent: Spending) -> tuple[Hold, ...]:
    """What a new call holds until it ends; the store cuts the last one to what is left.

    Nothing is held of money where the models cost none. Only the first one warns.
    """
    warned = {hold.budget_id for hold in spent.holds if hold.warns}
    return tuple(
        Hold(
            task_id=task_id,
            budget_id=budget.id,
            amount=amount,
            warns=budget.is_near and not budget.warned and budget.id not in warned,
        )
        for budget in bounds.budgets
        if budget.status == "active" and (amount := wanted.get(budget.currency))
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
        time_charge(task_id, owed.ms),
        *((Charge(task_id=task_id, currency="usd", amount=usd),) if usd else ()),
    )


def time_charge(task_id: UUID, ms: int) -> Charge:
    """What an ended call has used of time."""
    return Charge(task_id=task_id, currency="seconds", amount=1000 * ms)


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
