"""Plain tasks: submitted and ended in batches, each by itself."""

import hashlib
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import Claim
from mainspring_engine.domain.plain import NewPlain, PlainEnd, made_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, TaskKind, TaskState
from mainspring_engine.ports.plain import Cancelled, PlainAdded, PlainCancel
from mainspring_engine.ports.store import Claimed
from mainspring_kernel.limits import LEASE_S
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.plain import SubmitTask
from mainspring_schema.tasks import PlainResult
from tests.contract.engine_store.engine_worlds import IDS, Worker, World, claim

ORG = IDS.uuid7()
BODY = pack(PlainResult(result=b"42"))


def plain(
    queue: str,
    *,
    input_: bytes = b"[1]",
    claim: Claim | None = None,
    source: UUID | None = None,
    org_id: UUID = ORG,
) -> NewPlain:
    command = SubmitTask(
        org_id=org_id, task_id=IDS.uuid7(), type="add", input=input_, queue=queue, source=source
    )
    return made_of(command)._replace(claim=claim)


def done(held: Held, **rest: object) -> PlainEnd:
    plain_end = PlainEnd(
        held=held,
        closing=Closing.RESULT,
        result_hash=hashlib.sha256(BODY).digest(),
        body=BODY,
    )
    return msgspec.structs.replace(plain_end, **rest)


def route(queue: str) -> Route:
    return Route(queue=queue, capability="task:add")


async def take(world: World, worker: Worker, queue: str, limit: int = 10) -> tuple[Claimed, ...]:
    return await claim(world.store, worker.want(limit, route(queue)))


async def test_tasks_of_one_batch_are_claimed_in_the_order_of_their_ids(
    world: World, worker: Worker, queue: str
) -> None:
    tasks = tuple(plain(queue) for _ in range(3))

    added = await world.store.plain.submit(tasks)
    claimed = await take(world, worker, queue, 2)

    assert added == PlainAdded()
    assert [one.held for one in claimed] == [Held(task.id, 1) for task in tasks[:2]]
    first = claimed[0]
    assert (first.workflow_id, first.session_id, first.org_id) == (tasks[0].id, tasks[0].id, ORG)
    assert (first.payload, first.config_hash, first.traceparent) == (tasks[0].payload, b"", "")
    row = await world.store.plain.get(ORG, tasks[2].id)
    assert row is not None
    assert (row.state, row.step) == (TaskState.READY, "task:add")


async def test_a_task_is_inserted_claimed_for_a_stream_that_is_its_workers_newest(
    world: World, worker: Worker, queue: str
) -> None:
    mine = plain(queue, claim=worker.claim)
    stale = Claim(incarnation=worker.id, attach_number=worker.attach_number - 1, taken_s=0)
    late = plain(queue, claim=stale)

    added = await world.store.plain.submit((mine, late))

    assert added == PlainAdded(unclaimed=frozenset({late.id}))
    assert [one.task.id for one in await world.store.held_by(worker.id)] == [mine.id]
    assert [one.held.task_id for one in await take(world, worker, queue)] == [late.id]


async def test_a_submit_that_comes_again_adds_nothing(
    world: World, worker: Worker, queue: str
) -> None:
    first, new = plain(queue), plain(queue)
    await world.store.plain.submit((first,))

    again = await world.store.plain.submit((first, new))

    assert again == PlainAdded(known=frozenset({first.id}))
    assert len(await take(world, worker, queue)) == 2


async def test_an_id_that_comes_again_with_another_input_is_told(world: World, queue: str) -> None:
    first = plain(queue)
    await world.store.plain.submit((first,))

    other = await world.store.plain.submit((first._replace(payload=b"other"),))
    foreign = await world.store.plain.submit((first._replace(org_id=IDS.uuid7()),))

    assert other == foreign == PlainAdded(differing=frozenset({first.id}))


async def test_an_end_keeps_the_result_and_a_repeat_is_a_duplicate(
    world: World, worker: Worker, queue: str
) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))
    held = Held(task.id, 1)

    verdicts = [await world.store.plain.end((done(held),)) for _ in range(2)]
    other = await world.store.plain.end((done(held, result_hash=b"another" * 4),))

    assert verdicts == [(Verdict.COMMITTED,), (Verdict.DUPLICATE,)]
    assert other == (Verdict.STALE,)
    row = await world.store.plain.get(ORG, task.id)
    assert row is not None
    assert (row.state, row.body, row.closing) == (None, BODY, Closing.RESULT)
    assert await world.attempts(task.id) == [(1, Closing.RESULT)]
    assert await world.store.held_by(worker.id) == ()


async def test_ends_of_one_batch_stand_each_for_itself(
    world: World, worker: Worker, queue: str
) -> None:
    tasks = [plain(queue, claim=worker.claim) for _ in range(3)]
    await world.store.plain.submit(tuple(tasks))
    good, stale, other = (Held(task.id, 1) for task in tasks)

    ends = (done(good), done(Held(stale.task_id, 2)), done(other, body=None))
    verdicts = await world.store.plain.end(ends)

    assert verdicts == (Verdict.COMMITTED, Verdict.STALE, Verdict.COMMITTED)
    assert [one.task.id for one in await world.store.held_by(worker.id)] == [stale.task_id]


async def test_a_retry_among_results_keeps_its_task_and_the_results_end_theirs(
    world: World, worker: Worker, queue: str
) -> None:
    ended, retried = (plain(queue, claim=worker.claim) for _ in range(2))
    await world.store.plain.submit((ended, retried))
    again = done(Held(retried.id, 1), closing=Closing.RETRIED, body=None, delay_ms=60_000)

    verdicts = await world.store.plain.end((done(Held(ended.id, 1)), again))

    rows = [await world.store.plain.get(ORG, task.id) for task in (ended, retried)]
    assert verdicts == (Verdict.COMMITTED,) * 2
    assert [row and (row.state, row.closing) for row in rows] == [
        (None, Closing.RESULT),
        (TaskState.DELAYED, Closing.RETRIED),
    ]
    assert await world.attempts(ended.id) == [(1, Closing.RESULT)]
    assert await world.attempts(retried.id) == [(1, Closing.RETRIED)]


async def test_a_result_of_null_leaves_its_attempt_alone(
    world: World, worker: Worker, queue: str
) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))

    await world.store.plain.end((done(Held(task.id, 1), body=None),))

    row = await world.store.plain.get(ORG, task.id)
    assert row is not None
    assert (row.state, row.body, row.closing) == (None, None, Closing.RESULT)


async def test_a_failed_attempt_waits_for_its_next_one(
    world: World, worker: Worker, queue: str
) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))
    failed = done(
        Held(task.id, 1),
        closing=Closing.RETRIED,
        body=None,
        delay_ms=60_000,
        counts_failure=True,
    )

    verdicts = await world.store.plain.end((failed,))

    assert verdicts == (Verdict.COMMITTED,)
    await world.store.ready_retries(10_000)
    assert await take(world, worker, queue) == ()
    await world.pass_time(61)
    await world.store.ready_retries(10_000)
    (again,) = await take(world, worker, queue)
    assert (again.held, again.failures) == (Held(task.id, 2), 1)


async def test_the_last_death_ends_a_task_only_once_its_lease_has_run_out(
    world: World, worker: Worker, queue: str
) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))
    dead = done(
        Held(task.id, 1),
        closing=Closing.QUARANTINED,
        result_hash=b"",
        counts_death=True,
        expired_only=True,
        reason="poison",
        detail="it killed its workers",
    )

    early = await world.store.plain.end((dead,))
    await world.pass_time(LEASE_S + 1)
    late = await world.store.plain.end((dead,))

    assert (early, late) == ((Verdict.STALE,), (Verdict.COMMITTED,))
    letter = await world.backstage.letters.letter(ORG, task.id)
    assert letter is not None
    assert (letter.reason, letter.kind) == ("poison", "task")


async def test_leases_of_plain_tasks_run_out_as_all_others(
    world: World, worker: Worker, queue: str
) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))

    await world.pass_time(LEASE_S + 1)
    lost = {one.task.id: one for one in await world.store.expired(10_000)}

    assert lost[task.id].task.kind is TaskKind.PLAIN
    assert lost[task.id].traceparent == ""


async def test_operators_see_a_plain_task_open_and_closed(
    world: World, worker: Worker, queue: str
) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))

    open_one = await world.backstage.inspection.task(ORG, task.id)
    await world.store.plain.end((done(Held(task.id, 1)),))
    closed = await world.backstage.inspection.task(ORG, task.id)

    assert open_one is not None
    assert closed is not None
    assert (open_one.task.kind, open_one.task.status) == ("task", "leased")
    assert (closed.task.kind, closed.task.status) == ("task", "closed")
    assert closed.task.workflow_id == closed.task.session_id == task.id


async def test_nobody_elses_task_is_found(world: World, queue: str) -> None:
    task = plain(queue)
    await world.store.plain.submit((task,))

    assert await world.store.plain.get(IDS.uuid7(), task.id) is None
    assert await world.store.plain.get(ORG, UUID(int=1)) is None


# ── cancelled ───────────────────────────────────────────────────────────────────────────────────


def cancel(task: NewPlain, org_id: UUID = ORG) -> PlainCancel:
    return PlainCancel(org_id=org_id, task_id=task.id, reason="no need")


async def test_a_cancel_ends_a_task_that_waits_and_one_at_a_worker(
    world: World, worker: Worker, queue: str
) -> None:
    waiting, held = plain(queue), plain(queue, claim=worker.claim)
    await world.store.plain.submit((waiting, held))

    cancelled = await world.store.plain.cancel((cancel(waiting), cancel(held)))
    late = await world.store.plain.end((done(Held(held.id, 1)),))

    assert set(cancelled) == {
        Cancelled(task_id=waiting.id, held=None),
        Cancelled(task_id=held.id, held=Held(held.id, 1)),
    }
    assert late == (Verdict.STALE,)
    assert await take(world, worker, queue) == ()
    assert await world.store.held_by(worker.id) == ()
    rows = [await world.store.plain.get(ORG, task.id) for task in (waiting, held)]
    assert [(row.state, row.body, row.cancelled) for row in rows if row is not None] == [
        (None, None, "no need")
    ] * 2
    assert await world.attempts(waiting.id) == []
    assert await world.attempts(held.id) == [(1, Closing.CANCELLED)]


async def test_a_cancel_that_comes_again_or_too_late_or_from_others_ends_nothing(
    world: World, worker: Worker, queue: str
) -> None:
    ended, other = plain(queue, claim=worker.claim), plain(queue)
    await world.store.plain.submit((ended, other))
    await world.store.plain.end((done(Held(ended.id, 1)),))

    assert await world.store.plain.cancel((cancel(ended), cancel(other, IDS.uuid7()))) == ()
    assert len(await world.store.plain.cancel((cancel(other),))) == 1
    assert await world.store.plain.cancel((cancel(other),)) == ()

    row = await world.store.plain.get(ORG, ended.id)
    assert row is not None
    assert (row.closing, row.cancelled) == (Closing.RESULT, None)


async def test_a_task_that_waits_for_its_next_attempt_is_cancelled(
    world: World, worker: Worker, queue: str
) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))
    again = done(Held(task.id, 1), closing=Closing.RETRIED, body=None, delay_ms=60_000)
    await world.store.plain.end((again,))

    cancelled = await world.store.plain.cancel((cancel(task),))

    assert cancelled == (Cancelled(task_id=task.id, held=None),)
    assert await world.attempts(task.id) == [(1, Closing.RETRIED)]
    again_submitted = await world.store.plain.submit((task._replace(claim=None),))
    assert again_submitted == PlainAdded(known=frozenset({task.id}))


async def test_a_task_keeps_what_it_was_made_with(world: World, worker: Worker, queue: str) -> None:
    task = plain(queue, claim=worker.claim)
    await world.store.plain.submit((task,))
    await world.store.plain.end((done(Held(task.id, 1)),))

    assert await world.store.plain.payloads((task.id,)) == {(ORG, task.id): task.payload}
    assert await world.store.plain.payloads((IDS.uuid7(),)) == {}


async def test_what_tasks_were_made_with_is_read_of_many_at_once(world: World, queue: str) -> None:
    tasks = (plain(queue), plain(queue, input_=b"[2]"))
    await world.store.plain.submit(tasks)

    made = await world.store.plain.payloads((tasks[0].id, tasks[1].id, IDS.uuid7()))

    assert made == {(ORG, task.id): task.payload for task in tasks}


async def test_an_attempt_that_closed_tells_when_it_was_claimed_and_closed(
    world: World, worker: Worker, queue: str
) -> None:
    task, open_one = plain(queue), plain(queue)
    await world.store.plain.submit((task, open_one))
    first, second = await take(world, worker, queue)
    await world.store.plain.cancel((PlainCancel(org_id=ORG, task_id=task.id, reason=""),))

    times = await world.store.plain.times((first.held, second.held, Held(IDS.uuid7(), 1)))

    assert set(times) == {Held(task.id, 1)}
    claimed_ms, closed_ms = times[first.held]
    assert 0 < claimed_ms <= closed_ms
