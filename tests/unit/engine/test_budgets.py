"""What budgets mean for a turn, decision by decision."""

from typing import cast

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.answers import Resumption
from mainspring_engine.domain.changes import Spending
from mainspring_engine.domain.materials import BudgetsMissing
from mainspring_engine.domain.rows import Standing
from mainspring_engine.domain.turn.agent import AskedModel
from mainspring_engine.domain.turn.spending import TOKENS_HELD_MIN, Bounds
from mainspring_engine.domain.turn.state import Phase
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.agents import Prices
from mainspring_schema.budgets import MICRO, Currency, ResumeSession
from mainspring_schema.events import Usage
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import Failure, ReasonResult, ToolCall
from tests.unit.engine.desk import AGENT, Desk


def budget(desk: Desk, currency: Currency = "calls", *, left: float, **more: object) -> Standing:
    plain = Standing(
        id=desk.ids.uuid7(),
        org_id=DEFAULT_ORG_ID,
        subject_type="session",
        subject_id=desk.session_id,
        currency=currency,
        allowed=10 * MICRO,
        soft=None,
        balance=round(left * MICRO),
        reserved=0,
        status="active",
        warned=False,
        metadata=b"{}",
        created_ms=0,
        updated_ms=0,
    )
    return msgspec.structs.replace(plain, **more)


def bound(desk: Desk, *budgets: Standing) -> None:
    """The session's calls fall under these from now on."""
    desk.materials.budgeted = lambda _org_id: True
    subjects = AGENT.subjects(desk.session_id, DEFAULT_ORG_ID)
    desk.materials.budgets[subjects] = Bounds(budgets=budgets)


def spending(desk: Desk) -> Spending:
    assert desk.last is not None
    assert desk.last.spending is not None
    return desk.last.spending


def resume(desk: Desk) -> object:
    order = ResumeSession(org_id=DEFAULT_ORG_ID, session_id=desk.session_id)
    return desk.do(intents.SessionResumed(command=order))


def test_where_nobody_has_budgets_nothing_is_spent() -> None:
    desk = Desk()

    desk.say("hello")

    assert desk.last is not None
    assert desk.last.spending is None


def test_budgets_are_read_before_a_model_call_is_decided() -> None:
    desk = Desk()
    desk.materials.budgeted = lambda _org_id: True

    with pytest.raises(BudgetsMissing) as missing:
        desk.say("hello")

    kinds = {subject.type for subject in missing.value.subjects}
    assert kinds == {"session", "organization", "agent", "user"}


def test_a_model_call_holds_its_part_of_every_budget_that_counts() -> None:
    desk = Desk()
    calls, tokens = budget(desk, left=3), budget(desk, "tokens", left=1e6)
    off = budget(desk, left=0, status="disabled")
    bound(desk, calls, tokens, off)

    desk.say("hello")

    held = {hold.budget_id: hold.amount for hold in spending(desk).holds}
    assert held == {calls.id: MICRO, tokens.id: TOKENS_HELD_MIN * MICRO}


def test_an_ended_model_call_is_charged_and_gives_back_what_it_held() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=3))
    desk.say("hello")
    (task,) = desk.tasks.values()

    usage = Usage(input_tokens=7, output_tokens=5)
    desk.answer(ReasonResult(text="hi", usage=usage, duration_ms=1500))

    charged = {charge.currency: charge.amount for charge in spending(desk).charges}
    assert charged == {"tokens": 12 * MICRO, "calls": MICRO, "seconds": 1_500_000}
    assert spending(desk).ended == (task.id,)


def test_the_next_call_of_a_turn_holds_twice_what_its_calls_used() -> None:
    desk = Desk()
    bound(desk, budget(desk, "tokens", left=1e6))
    desk.say("add")
    call_id = f"call_{desk.turn_id.hex[:20]}_{desk.state.iteration}_0"
    call = ToolCall(id=call_id, name="add", arguments={})
    used = Usage(input_tokens=5000, output_tokens=1000)

    desk.answer(ReasonResult(tool_calls=(call,), usage=used))
    desk.tool_done()

    assert spending(desk).holds[0].amount == 2 * 6000 * MICRO
    desk.reply("done")
    desk.say("again")
    assert spending(desk).holds[0].amount == TOKENS_HELD_MIN * MICRO, "a new turn knows nothing"


def test_a_budget_that_is_used_up_pauses_the_session_before_the_call() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=0))

    receipt = desk.say("hello")

    assert not receipt.steered
    assert (desk.head.status, desk.head.paused) == (SessionStatus.IDLE, True)
    assert (desk.state.phase, desk.tasks) == (Phase.PAUSED, {})
    (told,) = desk.data_of("budget.exhausted")
    assert (told["currency"], told["limit"], told["balance"]) == ("calls", 10, 0)
    assert len(desk.view.inbox) == 1, "no model call took the message up"


def test_calls_that_are_under_way_elsewhere_leave_no_room_for_another() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=2, reserved=2 * MICRO))

    desk.say("hello")

    assert desk.head.paused


def test_a_turn_pauses_between_its_model_calls_and_goes_on_when_resumed() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=1))
    desk.say("add")
    desk.call("add")
    bound(desk, budget(desk, left=0))
    desk.tool_done()
    assert desk.head.paused

    too_early = resume(desk)
    bound(desk, budget(desk, left=1))
    in_time = resume(desk)
    again = resume(desk)

    assert (too_early, in_time) == (Resumption.SHORT, Resumption.RESUMED)
    assert again is Resumption.NOT_PAUSED
    assert (desk.head.status, desk.head.paused) == (SessionStatus.ACTIVE, False)
    assert desk.types.count("budget.resumed") == 1
    desk.reply("done")
    assert desk.types[-2:] == ["turn.completed", "session.idled"]


def test_a_message_to_a_paused_session_waits_and_is_taken_up_with_the_rest() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=0))
    desk.say("one")

    assert desk.say("two").steered
    bound(desk, budget(desk, left=1))
    resume(desk)

    (started,) = desk.data_of("reason.started")
    assert len(msgspec.convert(started["consumed"], list[str])) == 2


def test_a_paused_turn_can_be_cancelled() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=0))
    desk.say("hello")

    desk.cancel()

    assert (desk.head.status, desk.head.paused) == (SessionStatus.IDLE, False)
    assert "turn.cancelled" in desk.types


def test_a_budget_that_people_have_paused_says_so() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=5, status="paused"))

    desk.say("hello")

    assert len(desk.data_of("budget.paused")) == 1


def test_people_are_warned_once_that_a_budget_is_nearly_used_up() -> None:
    desk = Desk()
    near = budget(desk, left=4, soft=6 * MICRO)
    bound(desk, near)
    desk.say("hello")
    (hold,) = spending(desk).holds
    bound(desk, msgspec.structs.replace(near, warned=True))
    desk.call("add")
    desk.tool_done()

    (warning,) = desk.data_of("budget.warning")
    assert (warning["soft_limit"], hold.warns) == (6, True)
    assert not spending(desk).holds[0].warns


def test_a_call_of_another_session_may_leave_too_little_for_a_guess() -> None:
    desk = Desk()
    bound(desk, budget(desk, "tokens", left=3000, reserved=TOKENS_HELD_MIN * MICRO))

    desk.say("hello")

    assert desk.head.paused, "a hold that the store would refuse is not asked for"


@pytest.mark.parametrize(("used", "paused"), [(5, False), (20, True)])
def test_what_a_call_has_just_used_counts_for_the_next_one(used: int, *, paused: bool) -> None:
    desk = Desk()
    tokens = budget(desk, "tokens", left=10)
    bound(desk, tokens)
    desk.say("one")
    desk.say("two")
    (task,) = desk.tasks.values()

    bound(desk, msgspec.structs.replace(tokens, own={task.id: 10 * MICRO}))
    desk.answer(ReasonResult(text="", usage=Usage(output_tokens=used)))

    assert desk.head.paused is paused


def test_what_a_call_has_used_of_one_currency_takes_nothing_of_another() -> None:
    desk = Desk()
    bound(desk, budget(desk, "calls", left=9))
    desk.say("one")
    desk.say("two")
    (task,) = desk.tasks.values()

    bound(desk, budget(desk, "calls", left=9, own={task.id: MICRO}))
    desk.answer(ReasonResult(text="", usage=Usage(output_tokens=5000), duration_ms=60_000))

    assert not desk.head.paused


# ── money ───────────────────────────────────────────────────────────────────────────────────────


PRICED = msgspec.structs.replace(AGENT, prices=Prices(input=2.0, output=10.0, cache_read=0.5))
"""A read token costs two millionths of a dollar, a written one ten."""


def test_a_call_holds_what_it_may_cost_and_is_charged_what_it_cost() -> None:
    desk = Desk(PRICED)
    bound(desk, usd := budget(desk, "usd", left=1))
    desk.say("hello")
    assert [(hold.budget_id, hold.amount) for hold in spending(desk).holds] == [
        (usd.id, 10 * TOKENS_HELD_MIN)
    ]

    usage = Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=400)
    desk.answer(ReasonResult(text="hi", usage=usage))

    charged = {charge.currency: charge.amount for charge in spending(desk).charges}
    assert charged["usd"] == 600 * 2 + 400 * 0.5 + 100 * 10
    (completed,) = desk.data_of("turn.completed")
    told = cast("dict[str, object]", completed["usage"])
    assert told["estimated_cost_usd"] == pytest.approx(0.0024)


@pytest.mark.parametrize(("price", "paid"), [(2.5, 2.5), (None, 2.0)])
def test_what_a_cache_is_to_hold_has_its_own_price(price: float | None, paid: float) -> None:
    prices = Prices(input=2.0, output=10.0, cache_read=0.5, cache_write=price)
    usage = Usage(input_tokens=500, cache_read_tokens=100, cache_creation_tokens=300)

    cost = prices.cost_usd(usage)

    assert cost * 1_000_000 == pytest.approx(300 * paid + 100 * 0.5 + 100 * 2.0)


def test_a_cache_never_held_more_than_was_read() -> None:
    usage = Usage(input_tokens=10, cache_read_tokens=8, cache_creation_tokens=8)

    cost = Prices(input=1.0, output=0.0, cache_read=0.0, cache_write=2.0).cost_usd(usage)

    assert cost * 1_000_000 == pytest.approx(4.0)


def test_the_model_that_answered_says_the_price() -> None:
    dear = AskedModel(
        metadata=AGENT.model, provider="llmsim", prices=Prices(input=20.0, output=20.0)
    )
    desk = Desk(msgspec.structs.replace(PRICED, fallbacks=(dear,)))
    bound(desk, budget(desk, "usd", left=1))
    desk.say("hello")
    assert spending(desk).holds[0].amount == 20 * TOKENS_HELD_MIN

    desk.answer(ReasonResult(text="hi", usage=Usage(input_tokens=7), choice=1))

    charged = {charge.currency: charge.amount for charge in spending(desk).charges}
    assert charged["usd"] == 140


def test_a_model_without_a_price_holds_and_costs_no_money() -> None:
    desk = Desk()
    bound(desk, budget(desk, "usd", left=1))

    desk.say("hello")
    assert spending(desk).holds == ()
    desk.answer(ReasonResult(text="hi", usage=Usage(input_tokens=7)))

    assert {charge.currency for charge in spending(desk).charges} == {"tokens", "calls", "seconds"}
    (completed,) = desk.data_of("turn.completed")
    assert completed["usage"] == {"input_tokens": 7, "output_tokens": 0}


def test_money_that_is_used_up_pauses_the_session() -> None:
    desk = Desk(PRICED)
    bound(desk, budget(desk, "usd", left=0))

    desk.say("hello")

    assert (desk.state.phase, desk.head.paused) == (Phase.PAUSED, True)
    (told,) = desk.data_of("budget.exhausted")
    assert told["currency"] == "usd"


# ── failed attempts ─────────────────────────────────────────────────────────────────────────────


BUSY = Failure(error_class="transient", code="overloaded", message="busy")


def failing(desk: Desk, tokens: int) -> None:
    (task,) = desk.tasks.values()
    usage = Usage(input_tokens=tokens)
    desk.answer(ReasonResult(failure=BUSY, usage=usage, duration_ms=500), task)


def test_what_failed_attempts_used_is_charged_with_the_call() -> None:
    desk = Desk(PRICED)
    bound(desk, budget(desk, "tokens", left=1e6), budget(desk, "usd", left=1))
    desk.say("hello")

    failing(desk, 100)
    assert spending(desk).charges == ()
    failing(desk, 30)
    (task,) = desk.tasks.values()
    desk.answer(ReasonResult(text="hi", usage=Usage(input_tokens=7), duration_ms=1000), task)

    charged = {charge.currency: charge.amount for charge in spending(desk).charges}
    assert charged == {
        "tokens": 137 * MICRO, "calls": MICRO, "seconds": 2_000_000, "usd": 274,
    }  # fmt: skip
    (completed,) = desk.data_of("turn.completed")
    assert cast("dict[str, object]", completed["usage"])["input_tokens"] == 137
    assert completed["llm_call_count"] == 1


def test_what_failed_attempts_used_is_charged_where_a_cancel_ends_them() -> None:
    desk = Desk()
    bound(desk, budget(desk, "tokens", left=1e6))
    desk.say("hello")
    failing(desk, 100)

    desk.cancel()

    charged = {charge.currency: charge.amount for charge in spending(desk).charges}
    assert charged["tokens"] == 100 * MICRO
    (cancelled,) = desk.data_of("turn.cancelled")
    assert cast("dict[str, object]", cancelled["usage"])["input_tokens"] == 100


def test_a_session_tells_what_all_its_turns_have_used() -> None:
    desk = Desk(PRICED)
    for _ in range(2):
        desk.say("hello")
        desk.answer(ReasonResult(text="hi", usage=Usage(input_tokens=1000)))

    (first, second) = desk.data_of("session.idled")
    usages = [cast("dict[str, object]", one["session_usage"]) for one in (first, second)]
    assert [(usage["input_tokens"], usage["estimated_cost_usd"]) for usage in usages] == [
        (1000, 0.002), (2000, 0.004),
    ]  # fmt: skip
