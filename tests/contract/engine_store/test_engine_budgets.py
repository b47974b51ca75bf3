"""Budgets: held with the step, charged at its end, never held twice over."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.changes import Changes, Charge, Hold, NewSignal, Spending, TakeSignal
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.store import Committed
from mainspring_schema.budgets import (
    BudgetView,
    ChangeBudget,
    CreateBudget,
    GetLedger,
    ListBudgets,
    Subject,
    TopUp,
)
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import (
    IDS,
    Session,
    Worker,
    World,
    close,
    result,
)


async def made(session: Session, allowed: int, *, soft: int | None = None) -> UUID:
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
    )
    await session.world.store.budgets.create(order, IDS.uuid7())
    return id_


async def seen(session: Session, budget_id: UUID) -> BudgetView:
    found = await session.world.store.budgets.get(session.org_id, budget_id)
    assert found is not None
    return found


async def left(session: Session, budget_id: UUID) -> tuple[int, int]:
    """Balance and what is reserved of it."""
    view = await seen(session, budget_id)
    return view.balance, view.reserved


async def entries(session: Session, budget_id: UUID) -> list[tuple[str, int]]:
    asked = GetLedger(org_id=session.org_id, budget_id=budget_id, offset=0, limit=100)
    ledger = await session.world.store.budgets.ledger(asked)
    return [(entry.source, entry.amount) for entry in reversed(ledger)]


def begun(session: Session, worker: Worker, budget_id: UUID, amount: int) -> tuple[Held, Changes]:
    """A model call that holds an amount."""
    task = session.task(f"reason:{IDS.uuid4().hex}", claim=worker.claim)
    hold = Hold(task_id=task.id, budget_id=budget_id, amount=amount)
    changes = session.changes(
        workflows=(session.workflow(),), tasks=(task,), spending=Spending(holds=(hold,))
    )
    return Held(task.id, 1), changes


async def ended(session: Session, held: Held, used: int) -> Committed:
    charge = Charge(task_id=held.task_id, currency="calls", amount=used)
    return await session.commit(
        session.changes(
            closes=(close(held, closing=Closing.CANCELLED),),
            spending=Spending(ended=(held.task_id,), charges=(charge,) if used else ()),
        )
    )


@pytest.mark.parametrize(("used", "told"), [(4, [("model_call", -4)]), (0, [])])
async def test_a_model_call_holds_its_part_and_is_charged_what_it_used(
    session: Session, worker: Worker, used: int, told: list[tuple[str, int]]
) -> None:
    budget = await made(session, 10)
    held, changes = begun(session, worker, budget, 6)

    started = await session.commit(changes)
    under_way = await left(session, budget)
    done = await ended(session, held, used)

    assert (started.verdict, done.verdict) == (Verdict.COMMITTED, Verdict.COMMITTED)
    assert (under_way, await left(session, budget)) == ((10, 6), (10 - used, 0))
    assert await entries(session, budget) == [("limit", 10), *told]


async def test_a_hold_that_does_not_fit_leaves_nothing_of_its_item(
    session: Session, worker: Worker
) -> None:
    budget = await made(session, 10)
    _, first = begun(session, worker, budget, 6)
    await session.commit(first)
    before = session.head

    _, second = begun(session, worker, budget, 5)
    reply = await session.commit(second)

    view = (await session.world.store.load((session.id,)))[session.id]
    assert reply.verdict is Verdict.CONFLICT
    assert view.head is not None
    assert view.head.last_seq == before.last_seq
    assert await left(session, budget) == (10, 6)


async def test_sessions_of_one_subject_never_hold_more_than_there_is(world: World) -> None:
    first = await Session.opened(world)
    sessions = [first, *[await Session.opened(world, first.org_id) for _ in range(7)]]
    worker = await Worker.attached(world)
    budget = await made(first, 3)
    flights = [begun(session, worker, budget, 1)[1] for session in sessions]

    replies = await asyncio.gather(*(world.store.commit((changes,)) for changes in flights))

    verdicts = [reply.verdict for (reply,) in replies]
    assert verdicts.count(Verdict.COMMITTED) == 3
    assert verdicts.count(Verdict.CONFLICT) == 5
    assert await left(first, budget) == (3, 3)


async def test_the_only_call_may_take_the_rest_and_one_without_a_rest_may_not(
    session: Session, worker: Worker
) -> None:
    budget = await made(session, 3)
    held, changes = begun(session, worker, budget, 9)

    assert (await session.commit(changes)).verdict is Verdict.COMMITTED
    assert await left(session, budget) == (3, 3)
    await ended(session, held, 5)
    _, more = begun(session, worker, budget, 1)
    reply = await session.commit(more)

    assert await left(session, budget) == (-2, 0)
    assert reply.verdict is Verdict.CONFLICT


async def test_what_is_given_back_may_be_held_again_in_the_same_step(
    session: Session, worker: Worker
) -> None:
    budget = await made(session, 4)
    held, changes = begun(session, worker, budget, 4)
    await session.commit(changes)
    charge = Charge(task_id=held.task_id, currency="calls", amount=1)
    _, following = begun(session, worker, budget, 3)
    hold = following.spending
    assert hold is not None

    reply = await session.commit(
        msgspec.structs.replace(
            following,
            closes=(close(held),),
            results=(result(session, held, step_of(changes)),),
            spending=Spending(holds=hold.holds, ended=(held.task_id,), charges=(charge,)),
        )
    )

    assert reply.verdict is Verdict.COMMITTED, reply
    assert await left(session, budget) == (3, 3)


def step_of(changes: Changes) -> str:
    return changes.tasks[0].step


async def test_what_nobody_gave_back_is_found_by_the_next_hold(
    session: Session, worker: Worker
) -> None:
    budget = await made(session, 4)
    held, changes = begun(session, worker, budget, 4)
    await session.commit(changes)
    # An engine that does not know of the budget yet.
    await session.commit(session.changes(closes=(close(held, closing=Closing.CANCELLED),)))

    other = Subject(type="session", id=IDS.uuid7())
    subjects = (other, Subject(type="organization", id=session.org_id))
    (seen_by_another,) = await session.world.store.budgets.over(session.org_id, subjects)

    _, following = begun(session, worker, budget, 4)

    assert seen_by_another.reserved == 0
    assert (await session.commit(following)).verdict is Verdict.COMMITTED
    assert await left(session, budget) == (4, 4)


@pytest.mark.parametrize("paused", [True, False])
async def test_a_pause_is_written_with_its_item(session: Session, *, paused: bool) -> None:
    for wanted in (True, paused):
        item = session.changes(spending=Spending())
        after = msgspec.structs.replace(item.after, paused=wanted)
        await session.commit(msgspec.structs.replace(item, after=after))

    view = (await session.world.store.load((session.id,)))[session.id]
    assert view.head is not None
    assert view.head.paused is paused


async def test_in_a_flight_items_that_spend_ride_beside_others(
    world: World, session: Session, worker: Worker
) -> None:
    other, short = await Session.opened(world), await Session.opened(world, session.org_id)
    budget = await made(session, 1)
    items = [
        begun(session, worker, budget, 1)[1],
        other.changes(),
        begun(short, worker, budget, 1)[1],
    ]

    replies = await world.store.commit(tuple(items))

    assert [reply.verdict for reply in replies] == [
        Verdict.COMMITTED, Verdict.COMMITTED, Verdict.CONFLICT,
    ]  # fmt: skip


async def test_what_is_added_and_changed_stands_in_the_ledger(session: Session) -> None:
    budgets = session.world.store.budgets
    budget = await made(session, 10, soft=5)
    org = session.org_id

    topped = TopUp(org_id=org, budget_id=budget, amount=7, description="more")
    changed = ChangeBudget(
        org_id=org, budget_id=budget, allowed=4, soft=-1, status="paused", metadata=b'{"a":1}'
    )
    answers = [
        await budgets.top_up(topped, IDS.uuid7()),
        await budgets.change(changed, IDS.uuid7()),
        await budgets.change(ChangeBudget(org_id=org, budget_id=budget), IDS.uuid7()),
    ]

    view = await seen(session, budget)
    assert answers == [True, True, True]
    assert (view.allowed, view.balance, view.soft) == (4, 11, None)
    assert (view.status, view.metadata) == ("paused", b'{"a":1}')
    assert await entries(session, budget) == [("limit", 10), ("top_up", 7), ("limit", -6)]


async def test_budgets_are_found_by_whom_they_bound(session: Session) -> None:
    budgets = session.world.store.budgets
    first, second = await made(session, 1), await made(session, 2)
    subject = Subject(type="organization", id=session.org_id)
    other = Subject(type="session", id=session.id)
    disabled = ChangeBudget(org_id=session.org_id, budget_id=first, status="disabled")
    await budgets.change(disabled, IDS.uuid7())

    async def page(*subjects: Subject, limit: int = 9) -> Sequence[UUID]:
        asked = ListBudgets(org_id=session.org_id, subjects=subjects, limit=limit)
        return [one.id for one in await budgets.page(asked)]

    assert [one.id for one in await budgets.over(session.org_id, (subject, other))] == [second]
    assert await page() == await page(subject) == [second, first]
    assert (await page(other), await page(limit=1)) == ([], [second])
    assert session.org_id in await budgets.organizations()


async def test_a_budget_of_another_organization_is_not_there(session: Session) -> None:
    budgets = session.world.store.budgets
    budget, foreign = await made(session, 1), IDS.uuid7()
    add = TopUp(org_id=foreign, budget_id=budget, amount=1, description=None)

    assert await budgets.get(foreign, budget) is None
    assert not await budgets.top_up(add, IDS.uuid7())
    assert not await budgets.change(ChangeBudget(org_id=foreign, budget_id=budget), IDS.uuid7())
    assert not await budgets.drop(foreign, budget)
    assert await left(session, budget) == (1, 0)


async def test_a_dropped_budget_bounds_nothing_and_its_holds_are_gone(
    session: Session, worker: Worker
) -> None:
    budget = await made(session, 1)
    held, changes = begun(session, worker, budget, 1)
    await session.commit(changes)

    assert await session.world.store.budgets.drop(session.org_id, budget)
    assert not await session.world.store.budgets.drop(session.org_id, budget)

    assert await session.world.store.budgets.get(session.org_id, budget) is None
    assert (await ended(session, held, 1)).verdict is Verdict.COMMITTED


async def test_a_session_reads_what_others_hold(world: World, worker: Worker) -> None:
    first = await Session.opened(world)
    second = await Session.opened(world, first.org_id)
    budget = await made(first, 10)
    await first.commit(begun(first, worker, budget, 4)[1])
    organization = Subject(type="organization", id=first.org_id)

    seen_by = [
        await world.store.budgets.over(
            first.org_id, (Subject(type="session", id=session.id), organization)
        )
        for session in (first, second)
    ]

    assert [one.reserved for (one,) in seen_by] == [0, 4]


async def test_what_a_session_above_holds_counts_for_a_child(world: World, worker: Worker) -> None:
    parent = await Session.opened(world)
    child = await Session.opened(world, parent.org_id)
    budget = await made(parent, 10)
    await parent.commit(begun(parent, worker, budget, 4)[1])
    subjects = (
        Subject(type="session", id=child.id),
        Subject(type="session", id=parent.id),
        Subject(type="organization", id=parent.org_id),
    )

    (seen_by_child,) = await world.store.budgets.over(parent.org_id, subjects)

    assert seen_by_child.reserved == 4


async def test_what_spends_may_tell_other_sessions_and_take_what_it_was_told(
    session: Session, worker: Worker
) -> None:
    budget_id = await made(session, 10)
    other, mine = IDS.uuid7(), IDS.uuid7()
    kept = NewSignal(source=mine, kind="child:turn", body=b"k", taken=False)
    told = NewSignal(source=mine, kind="child:ended", body=b"b", taken=False, to=other)
    _, changes = begun(session, worker, budget_id, 4)

    first = await session.commit(msgspec.structs.replace(changes, signals=(kept, told)))
    read = session.world.store.workflows.waiting
    lies = await read((other, session.id))
    take = TakeSignal(source=mine, kind=kept.kind)
    again = await session.commit(
        session.changes(workflows=(session.workflow(),), taken_signals=(take,), spending=Spending())
    )

    assert (first.verdict, again.verdict) == (Verdict.COMMITTED, Verdict.COMMITTED)
    assert {id_: [row.kind for row in found.signals] for id_, found in lies.items()} == {
        other: ["child:ended"],
        session.id: ["child:turn"],
    }
    assert await read((session.id,)) == {}


async def test_what_is_short_tells_nobody(session: Session, worker: Worker) -> None:
    budget_id = await made(session, 0)
    other = IDS.uuid7()
    told = NewSignal(source=session.id, kind="child:ended", body=b"b", taken=False, to=other)
    _, changes = begun(session, worker, budget_id, 4)

    reply = await session.commit(msgspec.structs.replace(changes, signals=(told,)))

    assert reply.verdict is Verdict.CONFLICT
    assert await session.world.store.workflows.waiting((other,)) == {}


async def test_money_is_held_and_charged_like_anything_else(
    session: Session, worker: Worker
) -> None:
    id_ = IDS.uuid7()
    order = CreateBudget(
        org_id=session.org_id,
        budget_id=id_,
        subject=Subject(type="organization", id=session.org_id),
        currency="usd",
        allowed=1_000_000,
        soft=None,
        metadata=b"{}",
    )
    await session.world.store.budgets.create(order, IDS.uuid7())
    held, changes = begun(session, worker, id_, 20_480)

    await session.commit(changes)
    held_back = await left(session, id_)
    charge = Charge(task_id=held.task_id, currency="usd", amount=2_400)
    await session.commit(
        session.changes(
            workflows=(session.workflow(),),
            closes=(close(held),),
            results=(result(session, held, "reason:usd"),),
            spending=Spending(ended=(held.task_id,), charges=(charge,)),
        )
    )

    assert held_back == (1_000_000, 20_480)
    assert await left(session, id_) == (997_600, 0)
