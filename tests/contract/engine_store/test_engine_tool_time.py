"""Several calls of one session hold of one budget, begun in one step."""

import msgspec
import pytest

from mainspring_engine.domain.changes import Changes, Charge, Hold, NewTask, Spending
from mainspring_engine.domain.rows import Closing, Standing, TaskKind
from mainspring_schema.budgets import Subject
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import IDS, Session, Worker, World, close
from tests.contract.engine_store.test_engine_budgets import entries, left, made, seen


def tools(session: Session, worker: Worker, count: int) -> tuple[NewTask, ...]:
    """Calls of one answer."""
    return tuple(
        msgspec.structs.replace(
            session.task(f"tool:{IDS.uuid4().hex}", claim=worker.claim), kind=TaskKind.TOOL
        )
        for _ in range(count)
    )


def begun(session: Session, tasks: tuple[NewTask, ...], *holds: Hold) -> Changes:
    return session.changes(
        workflows=(session.workflow(),), tasks=tasks, spending=Spending(holds=holds)
    )


async def stands(session: Session) -> Standing:
    subjects = (
        Subject(type="session", id=session.id),
        Subject(type="organization", id=session.org_id),
    )
    (found,) = await session.world.store.budgets.over(session.org_id, subjects)
    return found


async def test_calls_of_one_answer_each_hold_and_are_charged_by_themselves(
    session: Session, worker: Worker
) -> None:
    budget = await made(session, 10)
    tasks = tools(session, worker, 2)
    holds = [Hold(task_id=task.id, budget_id=budget, amount=4) for task in tasks]

    reply = await session.commit(begun(session, tasks, *holds))
    under_way, standing = await left(session, budget), await stands(session)
    charge = Charge(task_id=tasks[0].id, currency="calls", amount=1)
    await session.commit(
        session.changes(
            closes=(close(Held(tasks[0].id, 1), closing=Closing.CANCELLED),),
            spending=Spending(ended=(tasks[0].id,), charges=(charge,)),
        )
    )

    assert reply.verdict is Verdict.COMMITTED
    assert under_way == (10, 8)
    assert (standing.reserved, dict(standing.own)) == (0, {task.id: 4 for task in tasks})
    assert await left(session, budget) == (9, 4)
    assert (await stands(session)).own == {tasks[1].id: 4}
    assert await entries(session, budget) == [("limit", 10), ("tool_call", -1)]


@pytest.mark.parametrize(
    ("allowed", "amounts"), [(7, (4, 4)), (3, (9, 1)), (8, (4, 4, 1)), (4, (5, 5))]
)
async def test_together_they_hold_no_more_than_there_is(
    session: Session, worker: Worker, allowed: int, amounts: tuple[int, ...]
) -> None:
    budget = await made(session, allowed)
    tasks = tools(session, worker, len(amounts))
    holds = [
        Hold(task_id=task.id, budget_id=budget, amount=amount)
        for task, amount in zip(tasks, amounts, strict=True)
    ]

    reply = await session.commit(begun(session, tasks, *holds))

    assert reply.verdict is Verdict.CONFLICT
    assert await left(session, budget) == (allowed, 0)


async def test_one_of_several_asks_warns(session: Session, worker: Worker) -> None:
    first, second = await made(session, 10), await made(session, 10)
    tasks = tools(session, worker, 2)
    holds = [
        Hold(task_id=task.id, budget_id=budget, amount=2, warns=warns)
        for task, warns in zip(tasks, (True, False), strict=True)
        for budget in (first, second)
    ]

    await session.commit(begun(session, tasks, *holds))

    assert [(await seen(session, one)).warned for one in (first, second)] == [True, True]
    assert [await left(session, one) for one in (first, second)] == [(10, 4), (10, 4)]


async def test_what_a_session_holds_itself_is_told_apart_from_what_others_hold(
    world: World, worker: Worker
) -> None:
    first = await Session.opened(world)
    second = await Session.opened(world, first.org_id)
    budget = await made(first, 10)
    (mine,), (theirs,) = tools(first, worker, 1), tools(second, worker, 1)
    await first.commit(begun(first, (mine,), Hold(task_id=mine.id, budget_id=budget, amount=3)))
    hold = Hold(task_id=theirs.id, budget_id=budget, amount=4)
    await second.commit(begun(second, (theirs,), hold))

    found = [await stands(one) for one in (first, second)]

    assert [(one.reserved, dict(one.own)) for one in found] == [
        (4, {mine.id: 3}), (3, {theirs.id: 4}),
    ]  # fmt: skip
