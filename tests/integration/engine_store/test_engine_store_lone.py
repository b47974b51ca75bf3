"""A flight of one item: one statement, and the rows that one of several would leave."""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec
import pytest

from mainspring_engine.domain.changes import Changes, StepResult
from mainspring_engine.domain.rows import Effect, Outcome
from mainspring_engine.ports.store import Committed
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import (
    IDS,
    PostgresWorld,
    Worker,
    close,
    query,
)
from tests.contract.engine_store.test_engine_store_workflows import Program

ROWS: Final = query("""
with named as (
    select 'workflow' as of, to_jsonb(w) as row from engine.workflow as w where w.id = $1
    union all
    select 'task', to_jsonb(t) from engine.task as t where t.workflow_id = $1
    union all
    select 'payload', to_jsonb(p)
    from engine.payload as p
    where p.task_id in (
        select t.id from engine.task as t where t.workflow_id = $1
        union all
        select a.task_id from engine.attempt as a where a.workflow_id = $1
    )
    union all
    select 'attempt', to_jsonb(a) from engine.attempt as a where a.workflow_id = $1
    union all
    select 'result', to_jsonb(r) from engine.step_result as r where r.workflow_id = $1
    union all
    select 'effect', to_jsonb(e) from engine.effect as e where e.workflow_id = $1
    union all
    select 'start', to_jsonb(s) from engine.start as s where s.workflow_id = $1
    union all
    select 'head', to_jsonb(h) from log.head as h where h.session_id = $1
    union all
    select 'event', to_jsonb(e) from log.event as e where e.session_id = $1
)

select n.of || ': ' || string_agg(
    -- Ids, times and hashes over them differ from one workflow to the next.
    k.key || '=' || case
        when k.value is null then 'null'
        when k.value ~ '^[0-9a-f]{8}-' then 'id'
        when k.value ~ '^[0-9]{4}-' or k.key in ('ts_ms', 'started_ms') then 'time'
        when k.key in ('h', 'hash', 'key') then 'own'
        else k.value
    end,
    ' ' order by k.key
) as row
from named as n
cross join lateral (select gen_random_uuid() as id offset 0) as one
cross join lateral jsonb_each_text(n.row) as k
group by n.of, n.row, one.id
order by 1
""")

Step: TypeAlias = Callable[[Program, Worker], Changes]


def starts(program: Program, worker: Worker) -> Changes:
    return program.starting(worker)


def starts_for_one_who_left(program: Program, worker: Worker) -> Changes:
    return program.starting(Worker(worker.world))


def goes_on(program: Program, worker: Worker) -> Changes:
    """A step ends, and the next one begins."""
    held = Held(program.task, 1)
    program.task = IDS.uuid7()
    return program.changes(
        workflows=(program.row(),),
        closes=(close(held),),
        results=(of(program, held, "s1"),),
        tasks=(msgspec.structs.replace(program.new_task(worker), effect=Effect.AT_MOST_ONCE),),
    )


def ends(program: Program, worker: Worker) -> Changes:
    """The last step, which had an effect and fails, so that it leaves no result."""
    del worker
    return program.changes(
        workflows=(program.row(Outcome.FAILED),),
        closes=(close(Held(program.task, 1), error_code="no"),),
    )


def records(program: Program, worker: Worker) -> Changes:
    del worker
    return program.changes(emits=(program.emit(1),), steps=(program.step("1"),))


def records_with_its_end(program: Program, worker: Worker) -> Changes:
    """The last steps ride with the result that ends their attempt."""
    del worker
    held = Held(program.task, 1)
    return program.changes(
        workflows=(program.row(Outcome.COMPLETED),),
        steps=(program.step("2"),),
        closes=(close(held),),
        results=(of(program, held, "workflow"),),
    )


def of(program: Program, held: Held, step: str) -> StepResult:
    return StepResult(
        workflow_id=program.id, step=step, task_id=held.task_id, fence=held.fence,
        body=b"body", hash=b"r" * 32,
    )  # fmt: skip


async def rows(world: PostgresWorld, program: Program) -> list[str]:
    return [str(row["row"]) for row in await world.owner.fetch(ROWS, program.id)]


async def together(world: PostgresWorld, *items: tuple[Program, Changes]) -> list[Committed]:
    """One flight of all of them, which is one statement."""
    world.database.count.reset()
    replies = await world.store.commit(tuple(changes for _, changes in items))
    assert world.database.count.total == 1, world.database.count.by_name
    for (program, changes), reply in zip(items, replies, strict=True):
        assert reply.verdict is Verdict.COMMITTED, reply
        program.head = changes.after
        program.rev += bool(changes.workflows)
    return list(replies)


@pytest.mark.parametrize(
    "course",
    [
        (starts, goes_on, ends),
        (starts, records, records_with_its_end),
        (starts_for_one_who_left,),
    ],
    ids=["declared", "code", "unclaimed"],
)
async def test_one_item_leaves_the_rows_that_one_of_several_does(
    world: PostgresWorld, course: tuple[Step, ...]
) -> None:
    worker = await Worker.attached(world)
    lone, *others = programs = [Program(world, IDS.uuid7()) for _ in range(3)]
    # Their routes are known, so that a flight is its commit alone.
    await Program(world).started()
    for step in course:
        (alone,) = await together(world, (lone, step(lone, worker)))
        replies = await together(world, *((other, step(other, worker)) for other in others))

        assert all(len(alone.closes) == len(reply.closes) for reply in replies)
        assert all(len(alone.unclaimed) == len(reply.unclaimed) for reply in replies)
        found = [await rows(world, program) for program in programs]
        assert found[0] == found[1] == found[2]
        kinds = {row.partition(":")[0] for row in found[0]}
        assert kinds > {"workflow", "payload", "event", "head"}


REVS: Final = query("""
select
    coalesce(
        (select t.rev from engine.task as t where t.id = $1),
        (select a.close_rev from engine.attempt as a where a.task_id = $1)
    ) as rev,
    (
        select r.rev from engine.step_result as r
        where r.task_id = $1 and r.checkpoint
        order by r.step desc
        limit 1
    ) as recorded
""")


@pytest.mark.parametrize("of_one", [True, False])
async def test_a_recorded_step_bears_the_rev_of_its_own_task(
    world: PostgresWorld, of_one: bool
) -> None:
    """At its time, or that at which the attempt ended; others of the same fence have other revs."""
    worker = await Worker.attached(world)
    programs = [await Program(world).started(worker) for _ in range(3)]
    for count, program in enumerate(programs):
        for counter in range(1, count + 1):
            await program.commit(program.changes(emits=(program.emit(counter),)))

    async def commit(*items: tuple[Program, Changes]) -> None:
        for flight in ([item] for item in items) if of_one else (items,):
            await together(world, *flight)

    async def revs() -> list[tuple[int, int]]:
        rows = [(await world.owner.fetch(REVS, program.task))[0] for program in programs]
        return [(row["rev"], row["recorded"]) for row in rows]

    at_work = [(one, one.changes(emits=(one.emit(9),), steps=(one.step("1"),))) for one in programs]
    await commit(*at_work)
    assert await revs() == [(2, 2), (3, 3), (4, 4)]
    await commit(*((one, records_with_its_end(one, worker)) for one in programs))
    assert await revs() == [(3, 3), (4, 4), (5, 5)]
