"""Lets an agent know what is left of its budgets, so that it may do with less before it must."""

from typing import Final

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "budgeting"
NAME: Final = "Budgeting"

CHECK_BUDGET: Final = ToolDefinition(
    name="check_budget",
    display_name="Check Budget",
    description=(
        "Tells the budgets that your work falls under, with what is left of each and when it "
        "renews."
    ),
    category="core",
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
    hints=ToolHints(readonly=True, idempotent=True, capability_id=ID, capability_name=NAME),
    policy="auto",
    effect_class="pure",
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "Your work may fall under budgets; where one is used up you are paused. Before long or "
        "costly work call check_budget. Where little is left, answer shorter, explore less, and "
        "say what you left out. Budgets are set by people: do not ask for more on your own."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (CHECK_BUDGET,)


BUDGETING: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Lets the agent see what is left of the budgets that it falls under.",
        status="available",
        category="core",
        icon="wallet",
        features=("budgeting",),
    ),
    prompt=_prompt,
    tools=_tools,
)
