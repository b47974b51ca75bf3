"""Plain tasks that are to be taken within a time: due where nobody took them, and ended once."""

import asyncio

import msgspec

from mainspring_engine.domain.changes import Claim
from mainspring_engine.domain.plain import NOT_BEGUN, START_BOUND, NewPlain, made_of
from mainspring_engine.domain.rows import NOBODY, Closing, TaskState
from mainspring_engine.ports.store import DueTimer, Release
from mainspring_schema.plain import SubmitTask
from mainspring_schema.tasks import PlainResult
from tests.contract.engine_store.engine_worlds import IDS, Worker, World

ORG = IDS.uuid7()
ALL = 100_000


def bounded(queue: str, within_ms: int = 5_000, *, claim: Claim | None = None) -> NewPlain:
    command = SubmitTask(
        org_id=ORG, task_id=IDS.uuid7(), type="add", queue=queue, start_within_ms=within_ms
    )
    return made_of(command)._replace(claim=claim)


async def due(world: World, *tasks: NewPlain) -> list[DueTimer]:
    wanted = {task.id for task in tasks}
    return [one for one in await world.store.due_timers(ALL) if one.id in wanted]


async def test_a_task_that_nobody_took_is_due_after_its_time(world: World, queue: str) -> None:
    task = bounded(queue)
    await world.store.plain.submit((task,))
    early = await due(world, task)

    await world.pass_time(6)

    (timer,) = await due(world, task)
    assert early == []
    assert (timer.kind, timer.org_id, timer.workflow_id) == (START_BOUND, ORG, task.id)


async def test_it_fails_with_an_attempt_that_was_nobodys(world: World, queue: str) -> None:
    task = bounded(queue)
    await world.store.plain.submit((task,))

    ended = await world.store.plain.time_out((task.id,))

    row = await world.store.plain.get(ORG, task.id)
    details = await world.backstage.inspection.task(ORG, task.id)
    assert ended == (task.id,)
    assert row is not None
    assert row.state is None
    assert row.body is not None
    assert msgspec.msgpack.decode(row.body, type=PlainResult).flaw == NOT_BEGUN
    assert details is not None
    (attempt,) = details.attempts
    assert (attempt.fence, attempt.worker_id, attempt.closing) == (1, NOBODY, "failed")
    assert (attempt.error_code, details.task.closing) == (NOT_BEGUN.code, "failed")
    await world.pass_time(6)
    assert await due(world, task) == []


async def test_a_task_that_was_taken_is_left_and_its_bound_is_forgotten(
    world: World, worker: Worker, queue: str
) -> None:
    waiting, at_once = bounded(queue), bounded(queue, claim=worker.claim)
    await world.store.plain.submit((waiting, at_once))
    (claimed,) = await worker.take(1, waiting.route)
    await world.pass_time(6)
    found = await due(world, waiting, at_once)

    ended = await world.store.plain.time_out((waiting.id, at_once.id, IDS.uuid7()))

    assert [timer.id for timer in found] == [waiting.id]
    assert ended == ()
    assert claimed.held.task_id == waiting.id
    row = await world.store.plain.get(ORG, waiting.id)
    assert row is not None
    assert row.state is TaskState.LEASED
    assert await due(world, waiting) == []


async def test_a_task_that_was_taken_and_came_back_is_not_ended(
    world: World, worker: Worker, queue: str
) -> None:
    task = bounded(queue)
    await world.store.plain.submit((task,))
    (claimed,) = await worker.take(1, task.route)
    await world.store.release((Release(held=claimed.held, closing=Closing.RETURNED),))

    assert await world.store.plain.time_out((task.id,)) == ()

    row = await world.store.plain.get(ORG, task.id)
    assert row is not None
    assert row.state is TaskState.READY


async def test_a_repeat_sets_no_second_bound(world: World, queue: str) -> None:
    task = bounded(queue)
    await world.store.plain.submit((task,))
    await world.store.plain.time_out((task.id,))

    again = await world.store.plain.submit((task,))

    assert again.known == {task.id}
    await world.pass_time(6)
    assert await due(world, task) == []


async def test_nobody_bounds_the_task_of_another_organization(world: World, queue: str) -> None:
    task = bounded(queue)._replace(start_within_ms=None)
    await world.store.plain.submit((task,))

    added = await world.store.plain.submit((task._replace(org_id=IDS.uuid7(), start_within_ms=1),))

    assert added.differing == {task.id}
    await world.pass_time(6)
    assert await due(world, task) == []


async def test_of_engines_that_sweep_at_once_one_ends_a_task(world: World, queue: str) -> None:
    tasks = [bounded(queue) for _ in range(5)]
    await world.store.plain.submit(tuple(tasks))
    ids = tuple(task.id for task in tasks)

    found = await asyncio.gather(*(world.store.plain.time_out(ids) for _ in range(6)))

    assert sorted(id_ for ended in found for id_ in ended) == sorted(ids)
