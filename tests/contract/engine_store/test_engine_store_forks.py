"""A workflow that begins with what another one recorded: the copy is the new one's own."""

import msgspec
import pytest

from mainspring_engine.domain.changes import Changes, CopySteps
from mainspring_engine.ports.workflows import ForkExtent
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX
from mainspring_schema.frames import Verdict
from tests.contract.engine_store.engine_worlds import IDS, Worker, World
from tests.contract.engine_store.test_engine_store_workflows import Program

PLACES = ("1", "2", "2/1", "2/2", "3", "10")
LATER = ("a1~0", "a1~1", "a1~2", "b10~0", "b10~1", "b10~2", "b10~2/1")
"""Of generations, each with its input."""


@pytest.fixture
async def source(world: World, worker: Worker) -> Program:
    program = await Program(world).started(worker)
    steps = tuple(program.step(place, body=place.encode()) for place in PLACES + LATER)
    reply = await program.commit(program.changes(emits=(program.emit(1),), steps=steps))
    assert reply.verdict is Verdict.COMMITTED
    return program


def forking(fork: Program, source: Program, bound: str) -> Changes:
    start = fork.starting()
    assert start.start is not None
    copied = CopySteps(source_id=source.id, bound=bound)
    return msgspec.structs.replace(start, start=msgspec.structs.replace(start.start, copied=copied))


async def forked(source: Program, bound: str) -> list[str]:
    fork = Program(source.world, source.org_id)
    reply = await fork.commit(forking(fork, source, bound))
    assert reply.verdict is Verdict.COMMITTED, reply
    return sorted(body.decode() for body in await fork.recorded())


@pytest.mark.parametrize(
    ("bound", "kept"),
    [
        ("1", set[str]()),
        ("2/2", {"1", "2", "2/1"}),
        ("10", {"1", "2", "2/1", "2/2", "3"}),
        ("", set(PLACES)),
        ("a1~2", {"a1~1"}),
        ("a1~", {"a1~1", "a1~2"}),
        ("b10~2", {"b10~1"}),
    ],
)
async def test_a_fork_has_the_records_that_stand_before_a_step(
    source: Program, bound: str, kept: set[str]
) -> None:
    assert await forked(source, bound) == sorted({"body", *kept})


async def test_what_its_source_records_later_is_not_the_forks(source: Program) -> None:
    fork = Program(source.world, source.org_id)
    await fork.commit(forking(fork, source, "3"))

    await source.commit(source.changes(emits=(source.emit(2),), steps=(source.step("2/3"),)))

    assert len(await fork.recorded()) == 5
    assert len(await source.recorded()) == 8 + len(LATER)


async def test_a_fork_copies_nothing_of_another_organization(source: Program) -> None:
    fork = Program(source.world)

    await fork.commit(forking(fork, source, ""))

    assert await fork.recorded() == [b"body"]


@pytest.mark.parametrize("bound", ["a2~", "a2~3"])
async def test_a_fork_of_a_generation_without_its_input_is_refused(
    source: Program, bound: str
) -> None:
    """Its records are being removed: of those that are left it would be no whole copy."""
    await source.commit(source.changes(emits=(source.emit(2),), steps=(source.step("a2~1"),)))
    fork = Program(source.world, source.org_id)

    reply = await fork.commit(forking(fork, source, bound))

    assert reply.verdict is Verdict.INVALID
    assert await fork.recorded() == []
    assert await fork.world.store.load((fork.id,)) == {}
    assert await fork.world.store.open_tasks((fork.id,)) == {}
    assert (await Program(fork.world, fork.org_id, key=fork.key).started()).rev == 1


async def test_a_fork_that_is_judged_copies_as_well(source: Program) -> None:
    fork = Program(source.world, source.org_id)
    late = Program(source.world, source.org_id)
    unfit = late.changes(late_ms=2 * CLOCK_DRIFT_MS_MAX)

    replies = await source.world.store.commit((forking(fork, source, "2"), unfit))

    assert replies[0].verdict is Verdict.COMMITTED
    assert sorted(await fork.recorded()) == [b"1", b"body"]


async def test_a_fork_whose_key_is_known_copies_nothing(source: Program) -> None:
    first = Program(source.world, source.org_id, key="again")
    second = Program(source.world, source.org_id, key="again")
    await first.commit(forking(first, source, "2"))

    reply = await second.commit(forking(second, source, "2"))

    assert reply.verdict is Verdict.DUPLICATE
    assert reply.started is not None
    assert reply.started.workflow_id == first.id
    assert await second.recorded() == []


async def test_how_much_a_fork_would_copy_is_asked_before(source: Program) -> None:
    async def extent(bound: str, limit: int = 100) -> ForkExtent:
        read = source.world.store.workflows.fork_extent
        return await read(source.id, bound=bound, limit=limit)

    assert await extent("10") == ForkExtent(steps=5, recorded=True)
    assert await extent("2/3") == ForkExtent(steps=4, recorded=False)
    assert await extent("") == ForkExtent(steps=6, recorded=False)
    assert await extent("", limit=2) == ForkExtent(steps=2, recorded=False)
    assert await extent("a1~2") == ForkExtent(steps=1, recorded=True)
    assert await extent("a1~") == ForkExtent(steps=2, recorded=False)
    nobody = await source.world.store.workflows.fork_extent(IDS.uuid7(), bound="1", limit=9)
    assert nobody == ForkExtent(steps=0, recorded=False)
