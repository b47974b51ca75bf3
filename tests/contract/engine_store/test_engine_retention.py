"""Records that nobody is promised any more are removed; nothing else is, and no copy is torn."""

from uuid import UUID

import pytest

from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow.retention import BEHIND_ALL
from mainspring_engine.ports.retention import Trim
from mainspring_schema.frames import Verdict
from tests.contract.engine_store.engine_worlds import IDS, Worker, World
from tests.contract.engine_store.test_engine_store_workflows import Program

OLDER = ("1", "2/1", "10")
NEWER = ("a1~0", "a1~1", "a2~0", "a2~1")


@pytest.fixture
async def program(world: World, worker: Worker) -> Program:
    """With a place "0" that its start recorded, and those of two later generations."""
    program = await Program(world).started(worker)
    steps = tuple(program.step(place, body=place.encode()) for place in OLDER + NEWER)
    reply = await program.commit(program.changes(emits=(program.emit(1),), steps=steps))
    assert reply.verdict is Verdict.COMMITTED
    return program


async def trimmed(program: Program, bound: str, limit: int = 100) -> int:
    trim = Trim(workflow_id=program.id, bound=bound)
    return await program.world.store.retention.trim((trim,), limit=limit)


async def left(program: Program) -> list[str]:
    return [body.decode() for body in await program.recorded()]


async def test_older_generations_go_and_newer_ones_stay(program: Program) -> None:
    assert await trimmed(program, "a1~") == 1 + len(OLDER)
    assert await left(program) == list(NEWER)

    assert await trimmed(program, "a2~") == 2
    assert await left(program) == ["a2~0", "a2~1"]
    assert await trimmed(program, "a2~") == 0


async def test_all_records_of_one_that_ended_go_and_its_outcome_stays(program: Program) -> None:
    assert await trimmed(program, BEHIND_ALL) == 1 + len(OLDER) + len(NEWER)

    assert await left(program) == []
    row = await program.world.store.workflows.get(program.org_id, program.id)
    assert row is not None


async def test_no_other_workflow_is_touched(world: World, program: Program) -> None:
    other = await Program(world).started()

    await trimmed(program, BEHIND_ALL)

    assert await left(other) == ["body"]


async def test_inputs_go_first_and_no_more_than_the_limit(program: Program) -> None:
    assert await trimmed(program, BEHIND_ALL, limit=3) == 3
    assert set(await left(program)) == {*OLDER, "a1~1", "a2~1"}

    assert await trimmed(program, BEHIND_ALL, limit=2) == 2
    assert len(await left(program)) == 3


async def test_workflows_are_looked_at_in_their_order(world: World) -> None:
    before = IDS.uuid7()
    programs = [await Program(world).started() for _ in range(3)]
    rows = world.store.retention

    first = await rows.examine(after=before, limit=2)
    rest = await rows.examine(after=first[-1].workflow_id, limit=100)

    ids: list[UUID] = [one.workflow_id for one in (*first, *rest)]
    assert [id_ for id_ in ids if id_ in {program.id for program in programs}] == [
        program.id for program in programs
    ]
    assert (first[0].outcome, first[0].state) == (Outcome.RUNNING, b"s")
    assert abs(first[0].now_ms - world.now_ms()) < 60_000
