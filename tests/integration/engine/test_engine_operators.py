"""Operators at engines over real Postgres: drains, the registry, and the health of the whole."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mainspring_engine.main import Engine
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import operations as ops
from mainspring_schema.frames import FromWorker
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker


async def worker_at(engine: Engine, worker: ScriptedWorker) -> ops.WorkerView:
    found = await engine.operator.inspect(ops.GetWorker(worker_id=worker.incarnation))
    assert isinstance(found, ops.WorkerView)
    return found


async def drain(engine: Engine, worker: ScriptedWorker) -> ops.WorkerView:
    view = await engine.operator.operate(ops.DrainWorker(worker_id=worker.incarnation))
    assert isinstance(view, ops.WorkerView)
    return view


async def health(engine: Engine) -> ops.Health:
    found = await engine.operator.inspect(ops.GetHealth())
    assert isinstance(found, ops.Health)
    return found


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits for what another engine does in its own time."""
    async with asyncio.timeout(10):
        while not await holds():
            pass  # each look is a query, which is the wait


async def test_a_drained_worker_finishes_what_it_holds_and_gets_nothing_new(house: House) -> None:
    first, second = await house.session(), await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, first, "hello")
        task, _ = await worker.next_reason()

        view = await drain(engine, worker)
        await house.say(engine, second, "and I?")
        worker.reply(task, "hi")
        await worker.acknowledged()
        waiting = await health(engine)
        await engine.operator.operate(ops.ResumeWorker(worker_id=worker.incarnation))
        late, _ = await worker.next_reason()

        assert (view.status, view.held) == ("draining", 1)
        assert (await house.types(first))[-1] == "session.idled"
        assert [queue.ready for queue in waiting.queues] == [1]
        assert waiting.problems
        assert late.session_id == second
        await worker.leave()


async def test_a_drain_at_another_engine_holds_and_outlives_a_new_attach(house: House) -> None:
    session = await house.session()
    worker, other = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as near, house.working() as far:
        await worker.attach(far.conversations)

        await drain(near, worker)
        await worker.leave()
        await worker.attach(near.conversations)
        await house.say(near, session, "hello")
        await other.attach(far.conversations)
        task, _ = await other.next_reason()

        assert task.session_id == session
        assert worker.tasks.empty()
        for one in (worker, other):
            await one.leave()


async def test_the_hint_of_a_drain_reaches_the_engine_that_has_the_stream(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as near, house.working() as far:
        await worker.attach(far.conversations)
        await drain(near, worker)

        async def held_back() -> bool:
            await worker_at(far, worker)
            return not far._roster.free()

        await until(held_back)
        await house.say(far, session, "hello")

        assert worker.tasks.empty()
        await worker.leave()


async def test_workers_of_an_engine_that_has_all_of_them_are_asked_to_attach_elsewhere(
    house: House,
) -> None:
    workers = [ScriptedWorker(house.ids) for _ in range(4)]
    async with house.working() as full, house.working() as empty:
        for worker in workers:
            await worker.attach(full.conversations)
        await worker_at(full, workers[3])

        async def both_seen() -> bool:
            return set((await empty.registry.shares()).values()) == {0, 4}

        await until(both_seen)

        async def two_are_asked() -> bool:
            await full._workers.balancing.look()
            return len(told_to_leave(workers)) == 2

        await until(two_are_asked)
        for worker in told_to_leave(workers):
            await worker.leave()
            await worker.attach(empty.conversations)

        async def even() -> bool:
            return set((await empty.registry.shares()).values()) == {2}

        await until(even)
        for worker in workers:
            await worker.leave()


def told_to_leave(workers: list[ScriptedWorker]) -> list[ScriptedWorker]:
    return [worker for worker in workers if any(frame.leaving for frame in worker.frames)]


async def test_the_registry_follows_a_worker_from_its_attach_to_its_end(house: House) -> None:
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations, slots=3)
        attached = await worker_at(engine, worker)
        worker.send(FromWorker(draining=True))

        async def leaving() -> bool:
            return (await worker_at(engine, worker)).leaving

        await until(leaving)
        assert [frame.drained for frame in worker.frames if frame.drained] == [True]
        await worker.leave()

        async def stopped() -> bool:
            return (await worker_at(engine, worker)).status == "stopped"

        await until(stopped)
        page = await engine.operator.inspect(ops.ListWorkers(limit=10))

        assert (attached.status, attached.slots, attached.held) == ("active", 3, 0)
        assert attached.queues == ("default",)
        assert page == ops.WorkerPage(workers=(), next=None)


async def test_tasks_are_seen_open_and_closed(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()
        asked = ops.GetTask(org_id=DEFAULT_ORG_ID, task_id=task.held.task_id)

        page = await engine.operator.inspect(ops.ListTasks(org_id=DEFAULT_ORG_ID, limit=10))
        seen = await engine.operator.inspect(asked)
        worker.reply(task, "hi")
        await worker.acknowledged()
        closed = await engine.operator.inspect(asked)

        assert isinstance(page, ops.TaskPage)
        assert isinstance(seen, ops.TaskDetails)
        assert isinstance(closed, ops.TaskDetails)
        assert [one.id for one in page.tasks] == [task.held.task_id]
        assert (seen.task.status, seen.task.worker_id) == ("leased", worker.incarnation)
        assert (closed.task.status, closed.task.kind) == ("closed", "reason")
        assert [attempt.closing for attempt in closed.attempts] == ["result"]
        await worker.leave()


async def test_nobody_else_sees_a_task(house: House) -> None:
    session = await house.session()
    async with house.working() as engine:
        await house.say(engine, session, "hello")
        stranger = house.ids.uuid7()

        page = await engine.operator.inspect(ops.ListTasks(org_id=stranger, limit=10))
        mine = await engine.operator.inspect(ops.ListTasks(org_id=DEFAULT_ORG_ID, limit=10))

        assert isinstance(page, ops.TaskPage)
        assert isinstance(mine, ops.TaskPage)
        assert page.tasks == ()
        with pytest.raises(NotFound):
            await engine.operator.inspect(ops.GetTask(org_id=stranger, task_id=mine.tasks[0].id))


async def test_health_tells_load_and_expected_waits(house: House) -> None:
    sessions = [await house.session() for _ in range(3)]
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations, slots=1)
        for session in sessions:
            await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()
        worker.reply(task, "hi")
        await worker.next_reason()

        seen = await health(engine)

        (queue,) = seen.queues
        assert (queue.ready, queue.leased, queue.slots) == (1, 1, 1)
        assert queue.expected_wait_ms is not None
        assert (seen.workers.active, seen.workers.slots, seen.workers.held) == (1, 1, 1)
        assert seen.replicas == 1
        assert seen.problems == ()
        await worker.leave()
