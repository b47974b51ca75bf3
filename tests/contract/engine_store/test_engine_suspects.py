"""What died twice is tried alone, and what a workflow recorded takes its deaths back."""

import asyncio

import pytest

from mainspring_engine.domain.limits import (
    DEATHS_FORGIVEN_MAX,
    SUSPECT_DEATHS,
    SUSPECT_TRIAL_MS,
)
from mainspring_engine.domain.plain import PlainEnd, made_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.store import Claimed, Release
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.plain import SubmitTask
from tests.contract.engine_store.engine_worlds import IDS, Worker, World, close
from tests.contract.engine_store.test_engine_store_workflows import Program

ALL = 10_000
ORG = IDS.uuid7()


class Queue:
    """Plain tasks of one queue, and who is given them."""

    def __init__(self, world: World, worker: Worker, name: str) -> None:
        self.world = world
        self.worker = worker
        self.route = Route(queue=name, capability="task:copy")
        self.name = name

    async def submit(self, count: int) -> None:
        tasks = tuple(
            made_of(
                SubmitTask(
                    org_id=ORG, task_id=IDS.uuid7(), type="copy", input=b"[]", queue=self.name
                )
            )
            for _ in range(count)
        )
        await self.world.store.plain.submit(tasks)

    async def suspects(self, count: int) -> None:
        """As many that all died with the same workers."""
        await self.submit(count)
        for _ in range(SUSPECT_DEATHS):
            taken = await self.take()
            assert len(taken) == count
            await self.die(taken)

    async def take(self) -> tuple[Claimed, ...]:
        return await self.worker.take(100, self.route)

    async def die(self, taken: tuple[Claimed, ...]) -> None:
        await kill(self.world, self.worker, *(one.held for one in taken))

    async def tried(self) -> int:
        """How many of its delayed tasks a sweep makes ready."""
        return (await self.world.store.ready_retries(ALL)).count(self.route)

    async def end(self, held: Held) -> None:
        end = PlainEnd(held=held, closing=Closing.RESULT, body=b"{}", result_hash=b"r" * 32)
        (answer,) = await self.world.store.plain.end((end,))
        assert answer is Verdict.COMMITTED


async def kill(world: World, worker: Worker, *held: Held) -> None:
    await world.store.renew(tuple(worker.renewal(one) for one in held))
    dead = tuple(Release(held=one, closing=Closing.EXPIRED, counts_death=True) for one in held)
    assert set(await world.store.release(dead)) == {Verdict.COMMITTED}


@pytest.fixture
def tasks(world: World, worker: Worker, queue: str) -> Queue:
    return Queue(world, worker, queue)


# ── one at a time ───────────────────────────────────────────────────────────────────────────────


async def test_suspects_are_tried_one_after_the_other(tasks: Queue) -> None:
    await tasks.suspects(3)

    seen: set[Held] = set()
    for _ in range(3):
        assert await tasks.take() == (), "nobody gets one before its turn"
        assert await tasks.tried() == 1
        assert await tasks.tried() == 0, "one is ready"
        (taken,) = await tasks.take()
        assert await tasks.tried() == 0, "one is under way"
        await tasks.end(taken.held)
        seen.add(taken.held)

    assert len(seen) == 3
    assert await tasks.tried() == 0


async def test_what_died_once_is_tried_with_all_others(tasks: Queue) -> None:
    await tasks.submit(3)
    await tasks.die(await tasks.take())

    assert len(await tasks.take()) == 3


async def test_a_suspect_that_failed_is_tried_once_its_time_has_come(
    world: World, tasks: Queue
) -> None:
    await tasks.suspects(1)
    assert await tasks.tried() == 1
    (taken,) = await tasks.take()
    failed = PlainEnd(
        held=taken.held, closing=Closing.RETRIED, delay_ms=2 * SUSPECT_TRIAL_MS, counts_failure=True
    )
    assert await world.store.plain.end((failed,)) == (Verdict.COMMITTED,)
    await world.pass_time(SUSPECT_TRIAL_MS / 1000 + 1)

    early = await tasks.tried()
    await world.pass_time(SUSPECT_TRIAL_MS / 1000 + 1)

    assert (early, await tasks.tried()) == (0, 1)


async def test_sweeps_side_by_side_try_one(tasks: Queue) -> None:
    await tasks.suspects(3)

    assert sum(await asyncio.gather(*(tasks.tried() for _ in range(4)))) == 1


@pytest.mark.parametrize("is_taken", [False, True])
async def test_a_trial_that_takes_long_lets_the_next_begin(tasks: Queue, is_taken: bool) -> None:
    """Also one that no worker takes, for none has its code any more."""
    await tasks.suspects(2)
    assert await tasks.tried() == 1
    if is_taken:
        await tasks.take()

    await tasks.world.pass_time(SUSPECT_TRIAL_MS / 1000 - 5)
    early = await tasks.tried()
    await tasks.world.pass_time(10)

    assert (early, await tasks.tried()) == (0, 1)


async def test_who_comes_late_is_given_one_suspect(tasks: Queue) -> None:
    """While no worker was there each had its turn."""
    await tasks.suspects(4)
    for _ in range(6):
        assert await tasks.tried() == 1
        await tasks.world.pass_time(SUSPECT_TRIAL_MS / 1000 + 1)

    assert len(await tasks.take()) == 1


async def test_a_suspect_that_met_other_code_waits_for_its_turn(
    world: World, worker: Worker, queue: str
) -> None:
    """Also when a worker starts that may have its code."""
    route = Route(queue=queue, capability="workflow:order")
    for _ in range(2):
        program = await Program(world, route=route).started(worker)
        await kill(world, worker, Held(program.task, 1))
        (second,) = await worker.take(1, route)
        await kill(world, worker, second.held)
        await world.store.ready_retries(ALL)
        (third,) = await worker.take(1, route)
        held = close(
            third.held, closing=Closing.RETRIED, error_code="version_conflict",
            delay_ms=900_000, counts_failure=True,
        )  # fmt: skip
        await program.commit(program.changes(closes=(held,)))

    await world.backstage.registry.try_misfits((queue,), ("workflow:order",), looks=ALL)

    assert await worker.take(2, route) == ()
    assert (await world.store.ready_retries(ALL)).count(route) == 1


async def test_a_queue_waits_for_no_suspect_of_another(tasks: Queue) -> None:
    other = Queue(tasks.world, tasks.worker, f"{tasks.name}-other")
    await tasks.suspects(2)
    await other.suspects(2)

    routes = await tasks.world.store.ready_retries(ALL)

    assert (routes.count(tasks.route), routes.count(other.route)) == (1, 1)


# ── workers that come back ──────────────────────────────────────────────────────────────────────


async def test_a_task_that_has_workers_stand_still_again_and_again_is_forgiven_thrice(
    world: World, worker: Worker, queue: str
) -> None:
    program = await Program(world, route=Route(queue=queue)).started(worker)
    counted: list[tuple[int, int]] = []

    for fence in range(1, DEATHS_FORGIVEN_MAX + SUSPECT_DEATHS + 1):
        await kill(world, worker, Held(program.task, fence))
        await world.store.attach((worker.attach_row(Held(program.task, fence)),))
        (task,) = (await world.store.open_tasks((program.id,)))[program.id]
        counted.append((task.deaths, task.uncounted))
        await worker.take(1, program.route)

    forgiven = [(0, number) for number in range(1, DEATHS_FORGIVEN_MAX + 1)]
    assert counted == [*forgiven, (1, DEATHS_FORGIVEN_MAX), (SUSPECT_DEATHS, DEATHS_FORGIVEN_MAX)]


# ── what was recorded ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [1, 2])
async def test_a_recorded_step_takes_the_deaths_before_it_back(
    world: World, worker: Worker, queue: str, count: int
) -> None:
    program = await Program(world, route=Route(queue=queue)).started(worker)
    await kill(world, worker, Held(program.task, 1))
    (second,) = await worker.take(1, program.route)
    steps = tuple(program.step(f"{n}", fence=2) for n in range(1, count + 1))

    await program.commit(program.changes(emits=(program.emit(1, fence=2),), steps=steps))
    (recorded,) = (await world.store.open_tasks((program.id,)))[program.id]
    await kill(world, worker, second.held)
    await world.store.attach((worker.attach_row(Held(program.task, 1)),))

    assert recorded.deaths == 0
    (died_again,) = (await world.store.open_tasks((program.id,)))[program.id]
    assert died_again.deaths == 1, "that its first worker is back takes no death back again"


@pytest.mark.parametrize("count", [1, 2])
async def test_a_step_of_another_workflow_takes_nothing_back(
    world: World, worker: Worker, queue: str, count: int
) -> None:
    first = await Program(world, route=Route(queue=queue)).started(worker)
    other = await Program(world, route=Route(queue=queue)).started(worker)
    for program in (first, other):
        await kill(world, worker, Held(program.task, 1))
    await worker.take(2, first.route)
    steps = tuple(other.step(f"{n}", fence=2) for n in range(1, count + 1))

    await other.commit(other.changes(emits=(other.emit(1, fence=2),), steps=steps))

    tasks = await world.store.open_tasks((first.id, other.id))
    assert [(task.fence, task.deaths) for (task,) in tasks.values()] == [(2, 1), (2, 0)]


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_steps_ride_with_a_result_after_which_their_task_goes_on(
    world: World, worker: Worker, queue: str, count: int
) -> None:
    """Code that does not fit is tried again, and what it finished before is kept."""
    program = await Program(world, route=Route(queue=queue)).started(worker)
    steps = tuple(program.step(f"{n}/1") for n in range(1, count + 1))
    held = close(
        Held(program.task, 1), closing=Closing.RETRIED, error_code="version_conflict",
        delay_ms=5000, counts_failure=True,
    )  # fmt: skip

    reply = await program.commit(program.changes(closes=(held,), steps=steps))

    assert reply.verdict is Verdict.COMMITTED
    assert len(await program.recorded()) == 1 + count
