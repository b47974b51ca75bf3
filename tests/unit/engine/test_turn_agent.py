"""What the turn machine takes of a folded agent."""

from uuid import UUID

from mainspring_engine.domain.turn.agent import turn_agent
from mainspring_kernel.ids import ANONYMOUS_USER_ID, Prefix, to_wire
from mainspring_schema.agents import ModelChoice, Prices, RuntimeAgent
from mainspring_schema.budgets import Subject

ORG, ROOT, PARENT, CHILD = (UUID(int=number) for number in range(1, 5))


def test_a_child_falls_under_the_budgets_of_all_above_it_and_asks_as_itself() -> None:
    model = ModelChoice(model_id="m", model="m", provider_id="p", driver="llmsim", provider="p")
    ancestors = (to_wire(Prefix.SESSION, ROOT), to_wire(Prefix.SESSION, PARENT))
    agent = RuntimeAgent(harness_id="h", model=model, max_iterations=1, ancestors=ancestors)

    assert turn_agent(b"", agent).subjects(CHILD, ORG) == (
        Subject(type="session", id=CHILD),
        Subject(type="session", id=ROOT),
        Subject(type="session", id=PARENT),
        Subject(type="organization", id=ORG),
        Subject(type="user", id=ANONYMOUS_USER_ID),
    )


def test_of_a_relay_the_prices_of_its_judge_are_known() -> None:
    relay = ModelChoice(model_id="r", model="r", provider_id="r", driver="relay", provider="r")
    model = ModelChoice(
        model_id="m", model="m", provider_id="p", driver="d", provider="p",
        prices=Prices(input=3.0, output=4.0),
    )  # fmt: skip
    agent = RuntimeAgent(harness_id="h", model=relay, judge=model, max_iterations=1)

    known = turn_agent(b"", agent)

    assert (known.prices, known.judge_prices) == (None, model.prices)
