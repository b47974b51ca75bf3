"""`check_budget`: what is left of the budgets that the session's model calls fall under."""

from mainspring_kernel.times import rfc3339
from mainspring_schema.budgets import MICRO, BudgetView, OwnBudgets
from mainspring_schema.messages import Json
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


async def check_budget(_arguments: Json, context: ToolContext) -> ToolOutcome:
    """The tightest word of all of them, and each."""
    found = (await context.resources.ask(OwnBudgets())).budgets
    counting = [one for one in found if one.status != "disabled"]
    if not counting:
        return ToolOutcome(result={"action": "allow", "budgets": [], "note": "there is no budget"})
    if any(one.is_short for one in counting):
        action = "pause"
    else:
        action = "warn" if any(one.is_near for one in counting) else "allow"
    return ToolOutcome(result={"action": action, "budgets": [_shown(one) for one in counting]})


def _shown(one: BudgetView) -> Json:
    told: Json = {
        "of": one.subject_type,
        "currency": one.currency,
        "limit": one.allowed / MICRO,
        "left": one.balance / MICRO,
        "held_for_calls_under_way": one.reserved / MICRO,
        "status": one.status,
    }
    if one.soft is not None:
        told["soft_limit"] = one.soft / MICRO
    if one.renews_ms is not None:
        told["renews_at"] = rfc3339(one.renews_ms)
    return told
