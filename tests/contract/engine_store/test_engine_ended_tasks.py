"""The list of plain tasks that ended."""

import hashlib
from uuid import UUID

import msgspec

from mainspring_engine.domain.limits import CLOSED_WINDOW_MAX, PLAIN_TASKS_PER_FLIGHT_MAX
from mainspring_engine.domain.plain import NewPlain, PlainEnd, made_of
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.inspection import ClosedPage
from mainspring_engine.ports.plain import PlainCancel
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held
from mainspring_schema.plain import SubmitTask
from mainspring_schema.tasks import PlainResult
from tests.contract.engine_store.engine_worlds import IDS, Worker, World

BODY = pack(PlainResult(result=b"42"))
DONE = PlainEnd(
    held=Held(UUID(int=0), 1),
    closing=Closing.RESULT,
    result_hash=hashlib.sha256(BODY).digest(),
    body=BODY,
)


def held(org_id: UUID, queue: str, worker: Worker) -> NewPlain:
    """Inserted with its first attempt."""
    command = SubmitTask(org_id=org_id, task_id=IDS.uuid7(), type="add", queue=queue, priority=2)
    return made_of(command)._replace(claim=worker.claim)


async def ended(world: World, task: NewPlain, **rest: object) -> None:
    end = msgspec.structs.replace(DONE, held=Held(task.id, 1), **rest)
    await world.store.plain.end((end,))


async def page(
    world: World, org_id: UUID, before: UUID | None = None, limit: int = 10
) -> ClosedPage:
    return await world.backstage.inspection.closed(org_id, before, limit)


async def test_ended_tasks_are_listed_newest_first_with_how_they_ended(
    world: World, worker: Worker, queue: str
) -> None:
    org_id = IDS.uuid7()
    tasks = tuple(held(org_id, queue, worker) for _ in range(5))
    good, failed, stopped, between, still_open = tasks
    foreign = held(IDS.uuid7(), queue, worker)
    await world.store.plain.submit((*tasks, foreign))
    await ended(world, good)
    await ended(world, failed, closing=Closing.FAILED, error_code="no")
    await ended(world, between, closing=Closing.RETRIED, delay_ms=60_000, counts_failure=True)
    await ended(world, foreign)
    for task in (stopped, between):
        cancel = PlainCancel(org_id=org_id, task_id=task.id, reason="")
        await world.store.plain.cancel((cancel,))

    found = await page(world, org_id)

    assert [(task.id, task.closing) for task in found.tasks] == [
        (between.id, "cancelled"),
        (stopped.id, "cancelled"),
        (failed.id, "failed"),
        (good.id, "result"),
    ]
    last = found.tasks[-1]
    assert (last.kind, last.status, last.fence, last.failures) == ("task", "closed", 1, 0)
    assert (last.queue, last.capability, last.priority) == (queue, "task:add", 2)
    assert still_open.id not in {task.id for task in found.tasks}


async def test_a_page_of_ended_tasks_goes_on_where_the_one_before_ended(
    world: World, worker: Worker, queue: str
) -> None:
    org_id = IDS.uuid7()
    tasks = tuple(held(org_id, queue, worker) for _ in range(3))
    await world.store.plain.submit(tasks)
    for task in tasks:
        await ended(world, task)

    first = await page(world, org_id, limit=2)
    second = await page(world, org_id, first.next, limit=2)

    assert [task.id for task in first.tasks] == [tasks[2].id, tasks[1].id]
    assert first.next == tasks[1].id
    assert [task.id for task in second.tasks] == [tasks[0].id]


async def test_a_page_reads_through_a_window_of_tasks_and_no_further(
    world: World, worker: Worker, queue: str
) -> None:
    org_id, others = IDS.uuid7(), IDS.uuid7()
    mine = held(org_id, queue, worker)
    await world.store.plain.submit((mine,))
    await ended(world, mine)
    crowd = [
        made_of(SubmitTask(org_id=others, task_id=IDS.uuid7(), type="add", queue=queue))
        for _ in range(CLOSED_WINDOW_MAX)
    ]
    for start in range(0, len(crowd), PLAIN_TASKS_PER_FLIGHT_MAX):
        await world.store.plain.submit(tuple(crowd[start : start + PLAIN_TASKS_PER_FLIGHT_MAX]))

    short = await page(world, org_id)
    following = await page(world, org_id, short.next)

    assert short.tasks == ()
    assert short.next is not None
    assert [task.id for task in following.tasks][:1] == [mine.id]
