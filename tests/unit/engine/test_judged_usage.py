"""What judges and other helpers of a model call used: told of its turn, and charged with it."""

from typing import cast

import msgspec
import pytest

from mainspring_engine.domain.rows import Waiting
from mainspring_engine.domain.turn.agent import AskedModel
from mainspring_engine.domain.turn.state import Owed
from mainspring_schema.agents import Prices
from mainspring_schema.budgets import MICRO
from mainspring_schema.events import Usage
from mainspring_schema.tasks import Judged, ReasonResult, ToolResult
from tests.unit.engine.desk import AGENT, Desk
from tests.unit.engine.test_budgets import BUSY, PRICED, bound, budget, spending

JUDGED = Judged(calls=2, usage=Usage(input_tokens=30, output_tokens=2), duration_ms=400)


def charged(desk: Desk) -> dict[str, int]:
    return {charge.currency: charge.amount for charge in spending(desk).charges}


def told(desk: Desk, outcome: str = "turn.completed") -> dict[str, object]:
    return cast("dict[str, object]", desk.data_of(outcome)[-1]["usage"])


def test_judges_and_summaries_of_a_model_call_are_charged_with_it() -> None:
    desk = Desk(PRICED)
    bound(desk, budget(desk, "tokens", left=1e6))
    desk.say("hello")

    usage = Usage(input_tokens=100, output_tokens=10)
    desk.answer(
        ReasonResult(text="hi", usage=usage, duration_ms=1500, helper_calls=1, judged=JUDGED)
    )

    assert charged(desk) == {
        "tokens": 142 * MICRO, "calls": 4 * MICRO, "seconds": 1_500_000, "usd": 130 * 2 + 12 * 10,
    }  # fmt: skip
    assert (told(desk)["input_tokens"], told(desk)["output_tokens"]) == (130, 12)
    (generated,) = desk.data_of("llm.generation")
    assert "130" in str(generated)


def test_judges_cost_what_their_own_model_costs() -> None:
    dear = AskedModel(metadata=AGENT.model, provider="llmsim", prices=Prices(input=50.0, output=50))
    desk = Desk(msgspec.structs.replace(PRICED, fallbacks=(dear,)))
    bound(desk, budget(desk, "usd", left=1))
    desk.say("hello")

    judged = Judged(calls=1, usage=Usage(input_tokens=10))
    desk.answer(ReasonResult(text="hi", usage=Usage(input_tokens=7), choice=1, judged=judged))

    assert charged(desk)["usd"] == 7 * 50 + 10 * 2


def test_where_another_model_judges_its_prices_count() -> None:
    judge = Prices(input=50.0, output=50)
    desk = Desk(msgspec.structs.replace(AGENT, judge_prices=judge))
    bound(desk, budget(desk, "usd", left=1))
    desk.say("hello")

    judged = Judged(calls=1, usage=Usage(input_tokens=10))
    desk.answer(ReasonResult(text="hi", usage=Usage(input_tokens=7), judged=judged))

    assert charged(desk)["usd"] == 10 * 50


def test_helpers_of_failed_attempts_are_charged_as_well() -> None:
    desk = Desk()
    bound(desk, budget(desk, "calls", left=9))
    desk.say("hello")

    desk.answer(ReasonResult(failure=BUSY, usage=Usage(input_tokens=5), helper_calls=1))
    (task,) = desk.tasks.values()
    desk.answer(ReasonResult(text="hi", judged=JUDGED), task)

    assert (charged(desk)["calls"], charged(desk)["tokens"]) == (4 * MICRO, 37 * MICRO)


def test_judges_of_a_tools_output_are_charged_with_the_next_model_call() -> None:
    desk = Desk(PRICED)
    bound(desk, budget(desk, "calls", left=9))
    desk.say("add")
    desk.call("add")
    desk.answer(ToolResult(status="success", result=3, judged=JUDGED))
    assert charged(desk) == {}
    assert desk.state.owed.calls == 2

    desk.answer(ReasonResult(text="three", usage=Usage(input_tokens=1), duration_ms=100))

    assert charged(desk) == {
        "tokens": 33 * MICRO, "calls": 3 * MICRO, "seconds": 500_000, "usd": 31 * 2 + 2 * 10,
    }  # fmt: skip
    assert desk.state.owed == Owed()
    assert told(desk)["input_tokens"] == 31


@pytest.mark.parametrize("then", ["cancel", "complete"])
def test_what_a_cancelled_turn_owes_the_next_one_pays(then: str) -> None:
    desk = Desk()
    bound(desk, budget(desk, "calls", left=9))
    desk.say("add")
    desk.call("add")
    (task,) = desk.tasks.values()
    desk.cancel()
    desk.answer(ToolResult(status="cancelled", error="stopped", judged=JUDGED), task)
    assert told(desk, "turn.cancelled")["input_tokens"] == 30

    desk.say("again")
    if then == "cancel":
        desk.materials.waiting[desk.session_id] = Waiting()
        desk.cancel()
        (task,) = desk.tasks.values()
        desk.answer(ReasonResult(), task)
    else:
        desk.reply("yes")

    assert charged(desk)["calls"] == 3 * MICRO
    assert told(desk, f"turn.{then}{'led' if then == 'cancel' else 'd'}")["input_tokens"] == 0
