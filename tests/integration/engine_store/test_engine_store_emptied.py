"""Tables that were analysed while they were empty, and then filled: rows are found by their keys.

Until the next analyse the planner expects one row of such a table, and reading a whole index looks
as cheap as a look-up. What the statements read is told by the tables' own counts.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, cast

import msgspec
import pytest

from mainspring_engine.domain.changes import (
    Changes,
    EndWait,
    NewSignal,
    NewTask,
    NewWait,
    TakeSignal,
)
from mainspring_engine.domain.plain import NewPlain
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Effect
from mainspring_engine.ports.plain import PlainCancel
from mainspring_schema.budgets import Subject
from mainspring_schema.frames import Held, Verdict
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.engine_store import test_engine_budgets as budgets
from tests.contract.engine_store.engine_worlds import (
    IDS,
    PostgresWorld,
    Session,
    Worker,
    close,
    query,
    result,
)
from tests.contract.engine_store.test_engine_plain_tasks import ORG, done, plain
from tests.contract.engine_store.test_engine_progress import report
from tests.contract.engine_store.test_engine_store_workflows import Program

ROWS: Final = 6_000
READS_MAX: Final = 1_000
"""Of a flight of ten, which looks up each of its rows a few times; a scan reads all the others."""

FILL: Final = f"""
insert into engine.task (
    id, workflow_id, session_id, org_id, route, kind, effect, state, run_at, step, input_hash,
    fence, lease_until, incarnation, stamped_at, claimed_at
)
select
    uuidv7(), uuidv7(), uuidv7(), '00000000-0000-0000-0000-000000000001', 100000, 1 + n % 4, 1,
    1 + n % 3, now(), 'step', '\\x00', 1,
    case when n % 3 = 1 then now() + interval '1 hour' end,
    case when n % 3 = 1 then uuidv7() end, now(), now()
from generate_series(1, {ROWS}) as n;
insert into engine.wait (workflow_id, step, org_id, body)
select uuidv7(), 'step', uuidv7(), '' from generate_series(1, {ROWS});
insert into engine.signal (session_id, source_turn, kind, org_id, consumed_by)
select uuidv7(), uuidv7(), 'child:ended', uuidv7(), uuidv7() from generate_series(1, {ROWS});
"""
TABLES: Final = ("engine.task", "engine.wait", "engine.signal")
READS: Final = query("""
select
    (select sum(seq_tup_read) from pg_stat_user_tables where relname = any($1))
    + (select sum(idx_tup_read) from pg_stat_user_indexes where relname = any($1))
""")

Flight: TypeAlias = Callable[[], Awaitable[object]]


@pytest.fixture(scope="module", autouse=True)
def _emptied(module_database: OwnDatabase) -> None:
    for table in TABLES:
        module_database.sql(f"alter table {table} set (autovacuum_enabled = off)")
    module_database.sql(FILL)
    for table in TABLES:
        module_database.sql(f"delete from {table}")
        # Its pages stay, as they do where one late row is among them.
        module_database.sql(f"vacuum (analyze, truncate off) {table}")
    module_database.sql(FILL)


async def reads(world: PostgresWorld) -> int:
    """Rows and entries of indexes that were read so far."""
    await world.flush_statistics()
    names = [table.partition(".")[2] for table in TABLES]
    return int(cast("int", await world.owner.fetchval_as(object, READS, names)))


async def committed(writer: Session | Program, changes: Changes) -> None:
    reply = await writer.commit(changes)
    assert reply.verdict is Verdict.COMMITTED, reply


async def leased(world: PostgresWorld) -> tuple[Session, Worker, list[NewTask]]:
    """A turn of which a worker has ten tasks; every other one has an effect."""
    session, worker = await Session.opened(world), await Worker.attached(world)
    tasks = [
        session.task(
            str(n), claim=worker.claim, effect=Effect.AT_MOST_ONCE if n % 2 else Effect.PURE
        )
        for n in range(10)
    ]
    await session.start_turn(*tasks)
    return session, worker, tasks


async def plain_leased(world: PostgresWorld) -> tuple[Worker, list[NewPlain]]:
    """Ten plain tasks that a worker has."""
    worker, queue = await Worker.attached(world), IDS.uuid4().hex
    tasks = [plain(queue, claim=worker.claim) for _ in range(10)]
    await world.store.plain.submit(tuple(tasks))
    return worker, tasks


async def turn(world: PostgresWorld) -> Flight:
    """A turn's tasks, of which some have effects, close with their results."""
    session, _, tasks = await leased(world)
    held = [Held(task.id, 1) for task in tasks]
    changes = session.changes(
        closes=tuple(close(one) for one in held),
        results=tuple(
            result(session, one, task.step) for one, task in zip(held, tasks, strict=True)
        ),
    )
    return lambda: committed(session, changes)


async def judged_turn(world: PostgresWorld) -> Flight:
    """The same where the flight is judged item by item: one of its tasks is tried again."""
    session, _, tasks = await leased(world)
    closes = [close(Held(task.id, 1)) for task in tasks]
    closes[0] = msgspec.structs.replace(closes[0], delay_ms=1_000, counts_failure=True)
    changes = session.changes(closes=tuple(closes))
    return lambda: committed(session, changes)


async def checkpoint(world: PostgresWorld) -> Flight:
    """A workflow records a step, begins and ends a wait, and takes a signal."""
    worker = await Worker.attached(world)
    program = await Program(world).started(worker)
    waiting = NewWait(workflow_id=program.id, step="2", timer_id=None, body=b"wait")
    source = IDS.uuid7()
    signal = NewSignal(source=source, kind="signal", body=b"x", taken=False)
    begun = program.changes(
        emits=(program.emit(1),), steps=(program.step("1"),), waits=(waiting,), signals=(signal,),
    )  # fmt: skip
    await committed(program, begun)
    taken = TakeSignal(source=source, kind="signal")
    changes = program.changes(
        emits=(program.emit(2),), steps=(program.step("2"),), taken_signals=(taken,),
        ended_waits=(EndWait(workflow_id=program.id, step="2"),),
    )  # fmt: skip
    return lambda: committed(program, changes)


async def claim(world: PostgresWorld) -> Flight:
    """Twenty tasks of a queue are taken."""
    worker, queue = await Worker.attached(world), IDS.uuid4().hex
    await world.store.plain.submit(tuple(plain(queue) for _ in range(20)))
    route = Route(queue=queue, capability="task:add")
    return lambda: worker.take(20, route)


async def reattach(world: PostgresWorld) -> Flight:
    """A worker comes again and holds one of its ten tasks no longer."""
    worker, tasks = await plain_leased(world)
    worker.attach_number = 2
    attach_row = worker.attach_row(*(Held(task.id, 1) for task in tasks[1:]))
    return lambda: world.store.attach((attach_row,))


async def plain_end(world: PostgresWorld) -> Flight:
    """Ten plain tasks end."""
    _, tasks = await plain_leased(world)
    return lambda: world.store.plain.end(tuple(done(Held(task.id, 1)) for task in tasks))


async def plain_cancel(world: PostgresWorld) -> Flight:
    """Ten plain tasks are cancelled."""
    tasks = [plain(IDS.uuid4().hex) for _ in range(10)]
    await world.store.plain.submit(tuple(tasks))
    cancels = tuple(PlainCancel(org_id=ORG, task_id=task.id, reason="no") for task in tasks)
    return lambda: world.store.plain.cancel(cancels)


async def beat(world: PostgresWorld) -> Flight:
    """A worker renews ten leases."""
    _, worker, tasks = await leased(world)
    renewals = tuple(worker.renewal(Held(task.id, 1)) for task in tasks)
    return lambda: world.store.renew(renewals)


async def hold(world: PostgresWorld) -> Flight:
    """A second model call holds its part of a budget of which another one has some."""
    session, worker = await Session.opened(world), await Worker.attached(world)
    budget = await budgets.made(session, 100)
    for _ in range(2):
        _, changes = budgets.begun(session, worker, budget, 10)
        await committed(session, changes)
    _, third = budgets.begun(session, worker, budget, 10)
    return lambda: committed(session, third)


async def others_holds(world: PostgresWorld) -> Flight:
    """What ten model calls hold of a budget is read, before another one begins."""
    session, worker = await Session.opened(world), await Worker.attached(world)
    budget = await budgets.made(session, 100)
    for _ in range(10):
        _, changes = budgets.begun(session, worker, budget, 10)
        await committed(session, changes)
    organization = Subject(type="organization", id=session.org_id)
    return lambda: world.store.budgets.over(session.org_id, (organization,))


async def listing(world: PostgresWorld) -> Flight:
    """The plain tasks that ended, among ten of which one has."""
    _, tasks = await plain_leased(world)
    await world.store.plain.end((done(Held(tasks[0].id, 1)),))
    return lambda: world.backstage.inspection.closed(ORG, None, 10)


async def forgetting(world: PostgresWorld) -> Flight:
    """Progress of ten tasks is looked through for that of tasks which are over."""
    _, worker, tasks = await leased(world)
    await world.store.progress.keep(tuple(report(worker, Held(task.id, 1), b"1") for task in tasks))
    return lambda: world.store.progress.forget(100)


@pytest.mark.parametrize(
    "flight",
    [
        turn, judged_turn, checkpoint, claim, reattach, plain_end, plain_cancel, beat, hold,
        others_holds, listing, forgetting,
    ],
)  # fmt: skip
async def test_a_statement_reads_its_own_rows_alone(
    world: PostgresWorld, flight: Callable[[PostgresWorld], Awaitable[Flight]]
) -> None:
    fly = await flight(world)
    before = await reads(world)

    await fly()

    assert await reads(world) - before < READS_MAX
