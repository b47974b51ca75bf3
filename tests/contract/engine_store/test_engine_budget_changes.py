"""What several calls of one item hold and use, and what a change of a budget leaves as it is."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import Charge, Hold, Spending
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.store import Committed
from mainspring_schema.budgets import (
    ChangeBudget,
    CreateBudget,
    GetLedger,
    ListBudgets,
    Subject,
    TopUp,
)
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import IDS, Session, Worker, World, close
from tests.contract.engine_store.test_engine_budgets import entries, left, made, seen


async def hold(
    session: Session, worker: Worker, *asked: tuple[UUID, int], warns: bool = False
) -> tuple[list[Held], Committed]:
    """One item with a call for each, which holds so much of that budget."""
    tasks = [session.task(f"reason:{IDS.uuid4().hex}", claim=worker.claim) for _ in asked]
    holds = tuple(
        Hold(task_id=task.id, budget_id=budget_id, amount=amount, warns=warns)
        for task, (budget_id, amount) in zip(tasks, asked, strict=True)
    )
    changes = session.changes(
        workflows=(session.workflow(),), tasks=tuple(tasks), spending=Spending(holds=holds)
    )
    return [Held(task.id, 1) for task in tasks], await session.commit(changes)


async def end(session: Session, ended: Sequence[Held], *used: int, currency: str = "calls") -> None:
    charges = tuple(
        Charge(task_id=held.task_id, currency=currency, amount=amount)
        for held, amount in zip(ended, used, strict=True)
    )
    reply = await session.commit(
        session.changes(
            closes=tuple(close(held, closing=Closing.CANCELLED) for held in ended),
            spending=Spending(ended=tuple(held.task_id for held in ended), charges=charges),
        )
    )
    assert reply.verdict is Verdict.COMMITTED


async def test_calls_that_end_together_are_charged_each_what_it_used(
    session: Session, worker: Worker
) -> None:
    first, second = await made(session, 20), await made(session, 30)
    held, _ = await hold(session, worker, (first, 4), (first, 5), (second, 6))

    under_way = [await left(session, budget) for budget in (first, second)]
    await end(session, held, 1, 3, 6)

    assert under_way == [(20, 9), (30, 6)]
    assert [await left(session, budget) for budget in (first, second)] == [(16, 0), (24, 0)]
    charged = await entries(session, first)
    assert (charged[0], sorted(charged[1:])) == (
        ("limit", 20),
        [("model_call", -3), ("model_call", -1)],
    )
    assert await entries(session, second) == [("limit", 30), ("model_call", -6)]


async def test_what_calls_of_one_item_hold_together_must_be_there(
    session: Session, worker: Worker
) -> None:
    budget, other = await made(session, 9), await made(session, 100)

    _, too_much = await hold(session, worker, (budget, 5), (budget, 5))
    _, exactly = await hold(session, worker, (budget, 5), (other, 50), (budget, 4))

    assert (too_much.verdict, exactly.verdict) == (Verdict.CONFLICT, Verdict.COMMITTED)
    assert (await left(session, budget), await left(session, other)) == ((9, 9), (100, 50))


async def test_a_hold_gives_back_nothing_of_another_budget(world: World, worker: Worker) -> None:
    first, second = await Session.opened(world), await Session.opened(world)
    mine, others = await made(first, 9), await made(second, 9)
    (lost,), _ = await hold(second, worker, (others, 5))
    (also_lost,), _ = await hold(first, worker, (mine, 5))
    # Engines that do not know of the budgets yet.
    for session, held in ((second, lost), (first, also_lost)):
        await session.commit(session.changes(closes=(close(held, closing=Closing.CANCELLED),)))

    await hold(first, worker, (mine, 2))

    views = [await seen(first, mine), await seen(second, others)]
    assert [view.balance for view in views] == [9, 9]
    _, rest = await hold(second, worker, (others, 9))
    assert rest.verdict is Verdict.COMMITTED


async def test_what_no_budget_counts_is_charged_to_none(session: Session, worker: Worker) -> None:
    budget = await made(session, 10)
    held, _ = await hold(session, worker, (budget, 4))

    await end(session, held, 3, currency="tokens")

    assert await left(session, budget) == (10, 0)
    assert await entries(session, budget) == [("limit", 10)]


async def test_people_are_warned_anew_only_once_a_bound_has_moved(
    session: Session, worker: Worker
) -> None:
    budgets = session.world.store.budgets
    budget = await made(session, 20, soft=5)

    async def change(**more: object) -> bool:
        plain = ChangeBudget(org_id=session.org_id, budget_id=budget)
        before = await seen(session, budget)
        assert await budgets.change(msgspec.structs.replace(plain, **more), IDS.uuid7())
        after = await seen(session, budget)
        assert "soft" in more or after.soft == before.soft
        return after.warned

    unwarned = await change(metadata=b"{}")
    warned: list[bool] = []
    for moved in ({"metadata": b"[]"}, {"soft": 6}, {"soft": -1}, {"allowed": 30}, {"allowed": 30}):
        await hold(session, worker, (budget, 1), warns=True)
        warned.append(await change(**moved))
    await hold(session, worker, (budget, 1))
    held = await seen(session, budget)
    add = TopUp(org_id=session.org_id, budget_id=budget, amount=1, description=None)
    await budgets.top_up(add, IDS.uuid7())

    assert not unwarned
    assert warned == [True, False, False, False, True]
    assert held.warned, "a hold that warns of nothing forgets nothing"
    assert not (await seen(session, budget)).warned


async def test_an_item_that_is_decided_again_holds_and_gives_back_nothing(
    session: Session, worker: Worker
) -> None:
    budget = await made(session, 9)
    (held,), _ = await hold(session, worker, (budget, 2))
    task = session.task("reason:late", claim=worker.claim)
    late = session.changes(
        tasks=(task,),
        spending=Spending(
            holds=(Hold(task_id=task.id, budget_id=budget, amount=3),),
            ended=(held.task_id,),
            charges=(Charge(task_id=held.task_id, currency="calls", amount=1),),
        ),
    )
    await session.commit(session.changes())

    (reply,) = await session.world.store.commit((late,))

    assert reply.verdict is Verdict.CONFLICT
    assert await left(session, budget) == (9, 2)


async def test_budgets_of_one_subject_are_those_of_no_other(session: Session) -> None:
    budgets = session.world.store.budgets
    subjects = [Subject(type="session", id=IDS.uuid7()) for _ in range(2)]
    ids = [IDS.uuid7() for _ in subjects]
    for id_, subject in zip(ids, subjects, strict=True):
        order = CreateBudget(
            org_id=session.org_id,
            budget_id=id_,
            subject=subject,
            currency="calls",
            allowed=1,
            soft=None,
            metadata=b"{}",
        )
        await budgets.create(order, IDS.uuid7())

    found = [
        [one.id for one in await budgets.page(ListBudgets(org_id=org, subjects=(one,), limit=9))]
        for org in (session.org_id, IDS.uuid7())
        for one in subjects
    ]
    over = [[one.id for one in await budgets.over(session.org_id, (one,))] for one in subjects]
    foreign = GetLedger(org_id=IDS.uuid7(), budget_id=ids[0], offset=0, limit=9)

    assert found == [[ids[0]], [ids[1]], [], []]
    assert over == [[ids[0]], [ids[1]]]
    assert list(await budgets.ledger(foreign)) == []


async def test_nothing_more_is_held_of_a_budget_that_is_paused(
    session: Session, worker: Worker
) -> None:
    budget = await made(session, 9)
    (held,), _ = await hold(session, worker, (budget, 2))
    paused = ChangeBudget(org_id=session.org_id, budget_id=budget, status="paused")
    await session.world.store.budgets.change(paused, IDS.uuid7())

    _, refused = await hold(session, worker, (budget, 2))
    await end(session, [held], 2)

    assert refused.verdict is Verdict.CONFLICT
    assert await left(session, budget) == (7, 0)


async def test_a_dropped_budget_is_changed_and_added_to_no_more(session: Session) -> None:
    budgets = session.world.store.budgets
    budget, org = await made(session, 1), session.org_id
    await budgets.drop(org, budget)
    add = TopUp(org_id=org, budget_id=budget, amount=1, description=None)

    assert not await budgets.top_up(add, IDS.uuid7())
    assert not await budgets.change(ChangeBudget(org_id=org, budget_id=budget), IDS.uuid7())
    assert await entries(session, budget) == []
