"""What an agent is told of its budgets."""

from collections.abc import AsyncIterator
from typing import cast

import pytest

from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_local.dev.roads import DirectResources
from mainspring_schema.budgets import MICRO, ChangeBudget, CreateBudget, Period, Subject
from mainspring_schema.messages import Json
from mainspring_worker.adapters.tool_thread import ToolThread
from tests.api.budgets_backend import FakeBudgets
from tests.api.operators import FakeOperator
from tests.contract.worker.test_worker_files import IDS, api_store, keeper_of
from tests.unit.builtin_tools.calling import CLOCK, Caller


@pytest.fixture
async def world() -> AsyncIterator[tuple[Caller, FakeBudgets]]:
    threads, keeper = ToolThread(), keeper_of(await api_store())
    operator = cast("FakeOperator", keeper.path.configurations.operator)
    yield Caller(DirectResources(keeper, CLOCK), threads), operator.budgets
    threads.close()


def add(budgets: FakeBudgets, allowed: float, **more: object) -> None:
    plain: Json = {"soft": None, "period": None, "currency": "tokens"}
    order = CreateBudget(
        org_id=DEFAULT_ORG_ID,
        budget_id=IDS.uuid7(),
        subject=Subject(type="organization", id=DEFAULT_ORG_ID),
        allowed=round(allowed * MICRO),
        metadata=b"{}",
        **(plain | more),  # pyright: ignore[reportArgumentType] -- by each test
    )
    budgets.carry_out(order)


async def test_where_there_are_none_the_agent_is_told_so(
    world: tuple[Caller, FakeBudgets],
) -> None:
    caller, _ = world

    told = await caller.result("budgeting", "check_budget")

    assert (told["action"], told["budgets"]) == ("allow", [])


@pytest.mark.parametrize(
    ("limits", "action"),
    [([(5, None), (9, 8)], "allow"), ([(5, 0), (9, None)], "warn"), ([(5, 0), (0, None)], "pause")],
)
async def test_the_tightest_of_them_decides(
    world: tuple[Caller, FakeBudgets], limits: list[tuple[float, int | None]], action: str
) -> None:
    caller, budgets = world
    for allowed, soft in limits:
        add(budgets, allowed, soft=None if soft is None else soft * MICRO)

    told = await caller.result("budgeting", "check_budget")

    assert told["action"] == action
    assert len(cast("list[Json]", told["budgets"])) == len(limits)


async def test_each_says_what_is_left_and_when_it_renews(
    world: tuple[Caller, FakeBudgets],
) -> None:
    caller, budgets = world
    add(budgets, 2.5, soft=MICRO, period=Period(type="duration", seconds=60))
    add(budgets, 1)
    (off,) = [one.id for one in budgets.kept.values() if one.period is None]
    budgets.carry_out(ChangeBudget(org_id=DEFAULT_ORG_ID, budget_id=off, status="disabled"))

    (told,) = cast("list[Json]", (await caller.result("budgeting", "check_budget"))["budgets"])

    assert told.pop("renews_at")
    assert told == {
        "of": "organization", "currency": "tokens", "limit": 2.5, "left": 2.5,
        "held_for_calls_under_way": 0, "status": "active", "soft_limit": 1,
    }  # fmt: skip
