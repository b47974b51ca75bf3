"""What a handler says of how far it is: the newest is kept, and given with the next attempt."""

import pytest

from mainspring_engine.domain.limits import PROGRESS_STEPS_MAX
from mainspring_engine.domain.plain import NewPlain, PlainEnd, made_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.progress import Report
from mainspring_engine.ports.store import Claimed, Release
from mainspring_schema.frames import Held, Progress, StepProgress, Verdict
from mainspring_schema.plain import SubmitTask
from tests.contract.engine_store.engine_worlds import IDS, Worker, World, claim

ORG = IDS.uuid7()


def task_of(queue: str) -> NewPlain:
    return made_of(
        SubmitTask(org_id=ORG, task_id=IDS.uuid7(), type="copy", input=b"[]", queue=queue)
    )


async def taken(world: World, worker: Worker, queue: str) -> Claimed:
    route = Route(queue=queue, capability="task:copy")
    (claimed,) = await claim(world.store, worker.want(1, route))
    return claimed


@pytest.fixture
async def held(world: World, worker: Worker, queue: str) -> Held:
    await world.store.plain.submit((task_of(queue),))
    return (await taken(world, worker, queue)).held


def report(
    worker: Worker, held: Held, details: bytes, *, counter: int = 1, step: str = ""
) -> Report:
    said = Progress(held=held, counter=counter, step=step, details=details)
    return Report(progress=said, incarnation=worker.id)


async def lost(world: World, held: Held) -> None:
    release = Release(held=held, closing=Closing.EXPIRED)
    assert await world.store.release((release,)) == (Verdict.COMMITTED,)


async def test_the_next_attempt_is_given_what_was_said_last(
    world: World, worker: Worker, queue: str, held: Held
) -> None:
    first = await world.store.progress.keep((report(worker, held, b"1"),))
    second = await world.store.progress.keep((report(worker, held, b"2", counter=2),))
    await lost(world, held)

    again = await taken(world, worker, queue)

    assert first == second == (Verdict.COMMITTED,)
    assert again.held.fence == held.fence + 1
    assert again.progress == (StepProgress("", b"2"),)


async def test_a_first_attempt_is_given_nothing(world: World, worker: Worker, queue: str) -> None:
    await world.store.plain.submit((task_of(queue),))

    assert (await taken(world, worker, queue)).progress == ()


async def test_what_is_older_than_what_is_kept_changes_nothing(
    world: World, worker: Worker, queue: str, held: Held
) -> None:
    await world.store.progress.keep((report(worker, held, b"2", counter=2),))

    late = await world.store.progress.keep((report(worker, held, b"1", counter=1),))
    await lost(world, held)

    assert late == (Verdict.COMMITTED,)
    assert (await taken(world, worker, queue)).progress == (StepProgress("", b"2"),)


async def test_a_lost_attempt_can_say_nothing_any_more(
    world: World, worker: Worker, queue: str, held: Held
) -> None:
    other = await Worker.attached(world)
    await world.store.progress.keep((report(worker, held, b"1"),))
    await lost(world, held)
    released = await world.store.progress.keep((report(worker, held, b"2", counter=2),))
    again = await taken(world, other, queue)

    verdicts = await world.store.progress.keep(
        (
            report(worker, held, b"3", counter=3),
            report(worker, held, b"", counter=4, step="1"),
            report(worker, again.held, b"5", counter=5, step="2"),
        )
    )
    mine = await world.store.progress.keep((report(other, again.held, b"6"),))
    await lost(world, again.held)

    assert released == (Verdict.STALE,)
    assert verdicts == (Verdict.STALE,) * 3
    assert mine == (Verdict.COMMITTED,), "a new attempt counts its reports anew"
    assert (await taken(world, other, queue)).progress == (StepProgress("", b"6"),)


async def test_a_worker_says_nothing_of_an_attempt_before_its_own(
    world: World, worker: Worker, queue: str, held: Held
) -> None:
    await lost(world, held)
    again = await taken(world, worker, queue)

    said = await world.store.progress.keep((report(worker, held, b"late"),))
    await lost(world, again.held)

    assert said == (Verdict.STALE,)
    assert (await taken(world, worker, queue)).progress == ()


async def test_each_step_of_a_task_has_its_own_and_the_newest_come_first(
    world: World, worker: Worker, queue: str, held: Held
) -> None:
    await world.store.progress.keep((report(worker, held, b"old", step="9"),))
    steps = [f"1/{n + 1}" for n in range(PROGRESS_STEPS_MAX)]

    await world.store.progress.keep(
        tuple(report(worker, held, step.encode(), counter=2, step=step) for step in steps)
    )
    await lost(world, held)

    given = (await taken(world, worker, queue)).progress
    assert {said.step: said.details for said in given} == {step: step.encode() for step in steps}


async def test_a_step_that_is_over_takes_its_report_along(
    world: World, worker: Worker, queue: str, held: Held
) -> None:
    await world.store.progress.keep(
        (report(worker, held, b"1", step="1"), report(worker, held, b"2", step="2"))
    )

    over = await world.store.progress.keep((report(worker, held, b"", counter=2, step="1"),))
    await lost(world, held)

    assert over == (Verdict.COMMITTED,)
    assert (await taken(world, worker, queue)).progress == (StepProgress("2", b"2"),)


async def test_an_end_of_a_step_that_comes_late_takes_no_newer_report_along(
    world: World, worker: Worker, queue: str, held: Held
) -> None:
    await world.store.progress.keep((report(worker, held, b"3", counter=3, step="1"),))

    late = await world.store.progress.keep((report(worker, held, b"", counter=2, step="1"),))
    await lost(world, held)

    assert late == (Verdict.COMMITTED,)
    assert (await taken(world, worker, queue)).progress == (StepProgress("1", b"3"),)


async def test_a_report_of_a_task_that_is_over_is_removed(
    world: World, worker: Worker, queue: str, held: Held
) -> None:
    await world.store.plain.submit((task_of(queue),))
    other = (await taken(world, worker, queue)).held
    await world.store.progress.keep((report(worker, held, b"1"), report(worker, other, b"2")))
    ends = tuple(PlainEnd(held=one, closing=Closing.RESULT) for one in (held, other))
    await world.store.plain.end(ends)

    said = await world.store.progress.keep((report(worker, held, b"3", counter=2),))
    by_its_worker = await world.store.progress.keep((report(worker, held, b"", counter=3),))
    by_the_upkeep = await world.store.progress.forget(10)

    assert said == (Verdict.STALE,)
    assert by_its_worker == (Verdict.COMMITTED,)
    assert by_the_upkeep >= 1
    assert await world.store.progress.forget(10) == 0
