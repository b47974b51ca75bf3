"""A turn that rests for a budget goes on by itself once it renews, or others give room back."""

from datetime import UTC, datetime

import msgspec
import pytest

from mainspring_engine.domain import intents, periods
from mainspring_engine.domain.changes import Timer
from mainspring_engine.domain.decide import decide
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.turn.agent import turn_agent
from mainspring_engine.domain.turn.spending import (
    RENEWAL_LOOK_MS,
    RENEWAL_LOOK_MS_MIN,
    TIMER_RENEWAL,
)
from mainspring_engine.domain.turn.state import Phase
from mainspring_kernel.ids import (
    ANONYMOUS_USER_ID,
    DEFAULT_ORG_ID,
    Prefix,
    SeededIds,
    SessionId,
    to_wire,
)
from mainspring_schema.agents import ModelChoice, RuntimeAgent
from mainspring_schema.budgets import MICRO, Period, Subject
from mainspring_schema.frames import Verdict
from mainspring_schema.grants import SessionStatus
from tests.unit.engine.desk import Desk
from tests.unit.engine.test_budgets import bound, budget, resume

HOUR_MS = 3_600_000


def armed(desk: Desk) -> Timer:
    assert desk.last is not None
    (timer,) = desk.last.timers
    assert timer.kind == TIMER_RENEWAL
    return timer


def renewal(desk: Desk) -> object:
    """The timer that the turn waits for is due."""
    assert desk.state.timer_id is not None
    assert desk.view.workflow is not None
    due = intents.TimerDue(
        session_id=desk.session_id,
        org_id=DEFAULT_ORG_ID,
        workflow_id=desk.view.workflow.id,
        timer_id=desk.state.timer_id,
        kind=TIMER_RENEWAL,
    )
    return desk.do(due)


def test_a_session_pauses_until_its_budget_renews_and_goes_on_by_itself() -> None:
    desk = Desk()
    now_ms = desk.clock.wall_ms()
    used_up = budget(desk, left=0, renews_ms=now_ms + HOUR_MS)
    bound(desk, used_up)
    desk.say("hello")
    (told,) = desk.data_of("budget.exhausted")
    delay_ms = armed(desk).delay_ms

    bound(desk, budget(desk, left=10, renews_ms=now_ms + 2 * HOUR_MS))
    renewal(desk)

    assert delay_ms == HOUR_MS
    assert str(told["renews_at"]).endswith("Z")
    assert (desk.head.status, desk.head.paused) == (SessionStatus.ACTIVE, False)
    assert desk.state.timer_id is None
    (started,) = desk.data_of("reason.started")
    assert len(msgspec.convert(started["consumed"], list[str])) == 1, "nothing was lost"


def test_one_that_is_still_short_looks_again_and_tells_nobody_twice() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=0, renews_ms=desk.clock.wall_ms() + 5))
    desk.say("hello")
    early = armed(desk)

    renewal(desk)

    assert early.delay_ms == RENEWAL_LOOK_MS_MIN, "a timer that was early is not due at once again"
    assert armed(desk).id != early.id
    assert desk.last is not None
    assert desk.last.dropped_timers == (early.id,)
    assert (desk.state.phase, len(desk.data_of("budget.exhausted"))) == (Phase.PAUSED, 1)


def test_a_timer_that_an_older_state_does_not_know_is_dropped_only_if_that_state_still_holds() -> (
    None
):
    desk = Desk()
    bound(desk, budget(desk, left=0, renews_ms=desk.clock.wall_ms() + 5))
    desk.say("hello")
    older = desk.view
    assert older.workflow is not None
    renewal(desk)
    timer_id = armed(desk).id
    assert desk.head == older.head, "by its events another engine cannot tell that it is older"

    plan = Plan(older, org_id=DEFAULT_ORG_ID, now_ms=1)
    due = intents.TimerDue(
        session_id=desk.session_id,
        org_id=DEFAULT_ORG_ID,
        workflow_id=older.workflow.id,
        timer_id=timer_id,
        kind=TIMER_RENEWAL,
    )
    assert decide(plan, due, desk.materials) is Verdict.STALE

    changes = plan.changes()
    assert changes.dropped_timers == (timer_id,)
    (compared,) = changes.workflows
    assert compared.expected_rev == older.workflow.rev


def test_where_others_hold_the_rest_the_turn_looks_again_soon() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=2, reserved=2 * MICRO))

    desk.say("hello")

    assert armed(desk).delay_ms == RENEWAL_LOOK_MS


@pytest.mark.parametrize("more", [{"left": 0}, {"left": 3, "status": "paused", "renews_ms": 1}])
def test_where_time_does_not_help_nothing_is_armed(more: dict[str, object]) -> None:
    desk = Desk()
    bound(desk, budget(desk, **more))  # pyright: ignore[reportArgumentType] -- by parametrize

    desk.say("hello")

    assert desk.state.phase is Phase.PAUSED
    assert desk.state.timer_id is None


def test_a_budget_that_people_have_paused_meanwhile_is_looked_at_no_more() -> None:
    desk = Desk()
    used_up = budget(desk, left=0, renews_ms=desk.clock.wall_ms() + HOUR_MS)
    bound(desk, used_up)
    desk.say("hello")
    timer = armed(desk)

    bound(desk, msgspec.structs.replace(used_up, status="paused"))
    renewal(desk)

    assert desk.last is not None
    assert (desk.last.dropped_timers, desk.state.timer_id) == ((timer.id,), None)


def test_people_may_resume_before_the_renewal_and_the_timer_goes() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=0, renews_ms=desk.clock.wall_ms() + HOUR_MS))
    desk.say("hello")
    timer = armed(desk)
    bound(desk, budget(desk, left=1))

    resume(desk)

    assert desk.last is not None
    assert (desk.last.dropped_timers, desk.state.timer_id) == ((timer.id,), None)


def test_a_cancel_takes_the_timer_along() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=0, renews_ms=desk.clock.wall_ms() + HOUR_MS))
    desk.say("hello")
    timer = armed(desk)

    desk.cancel()

    assert desk.last is not None
    assert desk.last.dropped_timers == (timer.id,)


# ── periods ─────────────────────────────────────────────────────────────────────────────────────


def at(text: str) -> int:
    return 1000 * int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("unit", "now", "began", "renews"),
    [
        ("hour", "2026-11-26T18:59:59", "2026-11-26T18:00:00", "2026-11-26T19:00:00"),
        ("day", "2026-11-26T00:00:00", "2026-11-26T00:00:00", "2026-11-27T00:00:00"),
        ("week", "2026-11-29T23:00:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("month", "2024-02-29T12:00:00", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
        ("month", "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("year", "2026-01-01T00:00:00", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_calendar_periods_begin_with_their_unit(
    unit: str, now: str, began: str, renews: str
) -> None:
    span = periods.present(Period(type="calendar", text=unit), 0, at(now))

    assert span == (at(began), at(renews))


def test_fixed_periods_follow_each_other_without_a_gap() -> None:
    fixed = Period(type="duration", seconds=10)

    spans = [periods.present(fixed, 500, now) for now in (500, 10_499, 10_500, 35_000)]

    assert spans == [(500, 10_500), (500, 10_500), (10_500, 20_500), (30_500, 40_500)]


# ── users ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("named", [True, False])
def test_a_model_call_falls_under_the_budgets_of_its_sessions_user(*, named: bool) -> None:
    ids = SeededIds(Desk().clock, seed=1)
    user, session = ids.uuid7(), SessionId(ids.uuid7())
    agent = RuntimeAgent(
        harness_id="harness_" + "1" * 32,
        model=ModelChoice(
            model_id="m", model="llmsim", provider_id="p", driver="llmsim", provider="llmsim"
        ),
        max_iterations=3,
        user=to_wire(Prefix.VIRTUAL_USER, user) if named else None,
    )

    subjects = turn_agent(b"h", agent).subjects(session, DEFAULT_ORG_ID)

    assert Subject(type="user", id=user if named else ANONYMOUS_USER_ID) in subjects
