"""Budgets that renew: under the lock that a commit takes, by the store's clock, in both stores."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec import structs

from mainspring_engine.domain import periods
from mainspring_engine.domain.changes import Changes
from mainspring_schema.budgets import (
    BudgetView,
    CalendarUnit,
    ChangeBudget,
    CreateBudget,
    Period,
    Subject,
    TopUp,
)
from mainspring_schema.frames import Verdict
from tests.contract.engine_store.engine_worlds import (
    IDS,
    PostgresWorld,
    Session,
    Worker,
    World,
    query,
)
from tests.contract.engine_store.test_engine_budgets import begun, ended, entries, left, seen

HOUR = Period(type="duration", seconds=3600)
ROLLING = Period(type="rolling", seconds=3600, text="1h")
UNITS: tuple[CalendarUnit, ...] = ("hour", "day", "week", "month", "year")


async def made(session: Session, allowed: int, period: Period, *, soft: int | None = None) -> UUID:
    """A budget of calls of the session's organization."""
    id_ = IDS.uuid7()
    order = CreateBudget(
        org_id=session.org_id,
        budget_id=id_,
        subject=Subject(type="organization", id=session.org_id),
        currency="calls",
        allowed=allowed,
        soft=soft,
        metadata=b"{}",
        period=period,
    )
    await session.world.store.budgets.create(order, IDS.uuid7())
    return id_


def length_ms(view: BudgetView) -> int:
    assert view.period_started_ms is not None
    assert view.renews_ms is not None
    return view.renews_ms - view.period_started_ms


@pytest.mark.parametrize("period", [HOUR, ROLLING])
async def test_a_budget_tells_its_period(session: Session, period: Period) -> None:
    view = await seen(session, await made(session, 5, period))

    assert (view.period, length_ms(view)) == (period, 3_600_000)


@pytest.mark.parametrize("unit", UNITS)
async def test_the_calendar_begins_in_utc(session: Session, unit: CalendarUnit) -> None:
    period = Period(type="calendar", text=unit)
    view = await seen(session, await made(session, 5, period))

    assert view.period == period
    assert view.period_started_ms is not None
    assert view.renews_ms is not None
    now_ms = session.world.now_ms()
    assert view.period_started_ms - 60_000 <= now_ms < view.renews_ms + 60_000
    began = datetime.fromtimestamp(view.period_started_ms / 1000, UTC)
    assert (began.minute, began.second, began.microsecond) == (0, 0, 0)


@pytest.mark.parametrize("period", [HOUR, ROLLING])
async def test_a_budget_that_is_used_up_lets_calls_begin_in_its_next_period(
    world: World, session: Session, worker: Worker, period: Period
) -> None:
    budget = await made(session, 2, period)
    held, changes = begun(session, worker, budget, 2)
    await session.commit(changes)
    await ended(session, held, 3)
    short = await session.commit(begun(session, worker, budget, 1)[1])

    await world.pass_time(3601)
    read = await left(session, budget)
    before = await entries(session, budget)
    _, following = begun(session, worker, budget, 2)
    renewed = await session.commit(following)

    assert (short.verdict, renewed.verdict) == (Verdict.CONFLICT, Verdict.COMMITTED)
    assert read == (2, 0), "whoever reads sees it renewed before anybody has written it"
    assert before == [("limit", 2), ("model_call", -3)]
    assert await entries(session, budget) == [*before, ("renewal", 3)]
    assert await left(session, budget) == (2, 2)
    assert length_ms(await seen(session, budget)) == 3_600_000


async def test_fixed_periods_keep_their_beat_and_rolling_ones_begin_when_they_are_used(
    world: World, session: Session
) -> None:
    fixed, rolling = await made(session, 5, HOUR), await made(session, 5, ROLLING)
    before = await seen(session, fixed)

    await world.pass_time(2.5 * 3600)
    after, rolled = await seen(session, fixed), await seen(session, rolling)

    # Time passes in one world by the clock, and in the other by the age of its rows.
    now_ms = world.now_ms()
    assert after.renews_ms is not None
    assert rolled.renews_ms is not None
    assert before.period_started_ms is not None
    assert 0 < after.renews_ms - now_ms < 3_600_000 - 1_700_000 + 60_000
    assert abs(rolled.renews_ms - now_ms - 3_600_000) < 60_000


async def test_what_is_held_over_the_end_of_a_period_is_charged_to_the_next(
    world: World, session: Session, worker: Worker
) -> None:
    budget = await made(session, 10, HOUR)
    held, changes = begun(session, worker, budget, 6)
    await session.commit(changes)

    await world.pass_time(3601)
    done = await ended(session, held, 4)

    assert done.verdict is Verdict.COMMITTED
    assert await left(session, budget) == (6, 0)
    assert await entries(session, budget) == [("limit", 10), ("model_call", -4)]


async def test_nothing_is_carried_over(world: World, session: Session) -> None:
    budgets, org = session.world.store.budgets, session.org_id
    budget = await made(session, 10, HOUR, soft=8)
    more = TopUp(org_id=org, budget_id=budget, amount=5, description=None)
    await budgets.top_up(more, IDS.uuid7())

    await world.pass_time(3601)
    await budgets.top_up(more, IDS.uuid7())
    await world.pass_time(3601)
    changed = ChangeBudget(org_id=org, budget_id=budget, allowed=12)
    await budgets.change(changed, IDS.uuid7())

    assert await entries(session, budget) == [
        ("limit", 10), ("top_up", 5), ("renewal", -5), ("top_up", 5), ("renewal", -5), ("limit", 2),
    ]  # fmt: skip
    assert await left(session, budget) == (12, 0)


async def test_people_are_warned_once_a_period(
    world: World, session: Session, worker: Worker
) -> None:
    budget = await made(session, 10, HOUR, soft=0)
    held, changes = begun(session, worker, budget, 1)
    await session.commit(warning(changes))
    await ended(session, held, 1)
    before = await seen(session, budget)

    await world.pass_time(3601)

    assert (before.warned, (await seen(session, budget)).warned) == (True, False)


def warning(changes: Changes) -> Changes:
    assert changes.spending is not None
    holds = tuple(structs.replace(hold, warns=True) for hold in changes.spending.holds)
    return structs.replace(changes, spending=structs.replace(changes.spending, holds=holds))


async def test_the_stores_agree_when_periods_end(postgres_world: PostgresWorld) -> None:
    moments = [
        datetime(*parts, tzinfo=UTC)
        for parts in (
            (2024, 2, 29, 23, 59, 59), (2025, 1, 31, 12, 0, 1), (2025, 12, 31, 23, 59, 59),
            (2026, 1, 1, 0, 0, 0), (2026, 3, 29, 1, 30, 0), (2026, 11, 1, 6, 0, 0),
            (2026, 11, 26, 18, 0, 0), (2028, 2, 28, 0, 0, 0),
        )
    ]  # fmt: skip
    began = datetime(2024, 1, 1, 0, 0, 7, tzinfo=UTC)
    kinds: list[tuple[int, Period]] = [
        (1, Period(type="duration", seconds=1)),
        (1, Period(type="duration", seconds=86_400)),
        (2, ROLLING),
        *((3, Period(type="calendar", text=unit)) for unit in UNITS),
    ]
    asked = query("select (engine.budget_period($1, $2, $3, $4, $5)).*")

    for kind, period in kinds:
        for moment in moments:
            (row,) = await postgres_world.owner.fetch(
                asked, kind, period.seconds, period.text, began, moment
            )
            span = periods.present(period, _ms(began), _ms(moment))
            assert (_ms(row["started"]), _ms(row["renews"])) == span, (period, moment)


def _ms(moment: object) -> int:
    assert isinstance(moment, datetime)
    return round(moment.timestamp() * 1000)
