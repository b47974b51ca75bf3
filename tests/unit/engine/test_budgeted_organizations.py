"""Which organizations have budgets: never missed for longer than whoever made one has waited."""

import asyncio
from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.adapters.memory import MemoryStore
from mainspring_engine.domain.limits import BUDGETS_TRUSTED_S
from mainspring_engine.ports.budgets import BudgetRows
from mainspring_engine.usecases.budgets import Budgeted
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.clock import ManualClock
from mainspring_schema.budgets import CreateBudget, Subject

ORG, OTHER = UUID(int=1), UUID(int=2)


class Lock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_error: object) -> None: ...


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(lock=Lock(), log=MemoryLog(lock=Lock(), clock=clock), clock=clock)


async def create(store: MemoryStore) -> None:
    order = CreateBudget(
        org_id=ORG,
        budget_id=UUID(int=3),
        subject=Subject(type="organization", id=ORG),
        currency="calls",
        allowed=1,
        soft=None,
        metadata=b"{}",
    )
    await store.budgets.create(order, UUID(int=4))


async def test_before_the_first_look_everybody_may_have_some(
    store: MemoryStore, clock: ManualClock
) -> None:
    organizations = Budgeted(store.budgets, clock)

    before = organizations.has(OTHER)
    await organizations.look()

    assert (before, organizations.has(OTHER)) == (True, False)


async def test_an_answer_that_is_too_old_is_not_trusted(
    store: MemoryStore, clock: ManualClock
) -> None:
    organizations = Budgeted(store.budgets, clock)
    await organizations.look()

    clock.advance(BUDGETS_TRUSTED_S + 0.001)

    assert organizations.has(OTHER)


async def test_who_makes_the_first_budget_waits_until_no_engine_can_miss_it(
    store: MemoryStore, clock: ManualClock
) -> None:
    mine, other = (Budgeted(store.budgets, clock) for _ in range(2))
    await other.look()
    await create(store)
    await mine.look()
    waiting = asyncio.ensure_future(mine.known_everywhere(ORG))
    await clock.until_sleeping()
    missed = other.has(ORG)

    clock.advance(BUDGETS_TRUSTED_S + 0.001)
    await waiting

    assert not missed
    assert other.has(ORG)
    await mine.known_everywhere(ORG)


async def test_an_engine_that_calls_no_model_does_not_look(
    store: MemoryStore, clock: ManualClock
) -> None:
    looked = asyncio.Event()

    class Rows:
        async def organizations(self) -> frozenset[UUID]:
            looked.set()
            return await store.budgets.organizations()

    organizations = Budgeted(cast("BudgetRows", cast("object", Rows())), clock)
    working = asyncio.create_task(organizations.work())
    await asyncio.sleep(0)  # it has begun
    before = looked.is_set()

    organizations.has(OTHER)
    await looked.wait()
    working.cancel()

    assert not before
