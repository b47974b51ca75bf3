"""What the workers told of attempts that failed: kept beside each, whatever came after."""

from uuid import UUID

from mainspring_engine.domain.plain import PlainEnd
from mainspring_engine.domain.rows import Closing
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import Worker, World
from tests.contract.engine_store.test_engine_plain_tasks import BODY, ORG, done, plain, take


def failed(held: Held, message: str, *, again: bool) -> PlainEnd:
    return PlainEnd(
        held=held,
        closing=Closing.RETRIED if again else Closing.FAILED,
        result_hash=message.encode(),
        error_code="broken",
        error_message=message,
        body=None if again else BODY,
        delay_ms=0 if again else None,
        counts_failure=True,
    )


async def messages(world: World, task_id: UUID) -> list[str]:
    """Of its attempts, in their order."""
    details = await world.backstage.inspection.task(ORG, task_id)
    assert details is not None
    return [attempt.error_message for attempt in details.attempts]


async def test_every_attempt_that_failed_keeps_what_its_worker_told(
    world: World, worker: Worker, queue: str
) -> None:
    task, other = (plain(queue, claim=worker.claim) for _ in range(2))
    await world.store.plain.submit((task, other))
    first = failed(Held(task.id, 1), "no disk", again=True)

    ended = await world.store.plain.end((first, done(Held(other.id, 1))))
    repeated = await world.store.plain.end((first,))
    await world.store.ready_retries(10)
    (claimed,) = await take(world, worker, queue)
    await world.store.plain.end((failed(claimed.held, "no luck", again=False),))

    assert ended == (Verdict.COMMITTED, Verdict.COMMITTED)
    assert repeated == (Verdict.DUPLICATE,)
    assert await messages(world, task.id) == ["no disk", "no luck"]
    assert await messages(world, other.id) == [""]


async def test_what_a_stale_attempt_tells_is_not_told_of_another(
    world: World, worker: Worker, queue: str
) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))
    held = Held(task.id, 1)
    await world.store.plain.end((done(held),))

    (verdict,) = await world.store.plain.end((failed(held, "too late", again=True),))

    assert verdict is Verdict.STALE
    assert await messages(world, task.id) == [""]
