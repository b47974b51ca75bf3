"""Signals in a store: each comes once by its id and is taken once, and what it said is kept."""

from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import Changes, EndWait, NewSignal, NewWait, TakeSignal
from mainspring_engine.domain.limits import SIGNAL_READ_BYTES_MAX
from mainspring_engine.domain.rows import Outcome, SignalRow
from mainspring_schema.codec import pack
from mainspring_schema.frames import Verdict
from tests.contract.engine_store.engine_worlds import IDS, World
from tests.contract.engine_store.test_engine_store_workflows import WAIT, Program


async def test_a_signal_comes_once_and_is_taken_once(world: World) -> None:
    program = await Program(world).started()
    first, second = IDS.uuid7(), IDS.uuid7()

    def signal(source: UUID) -> Changes:
        new = NewSignal(source=source, kind="signal:approve", body=b"1", taken=False)
        return program.changes(workflows=(program.row(),), signals=(new,))

    assert (await program.commit(signal(first))).verdict is Verdict.COMMITTED
    assert (await program.commit(signal(second))).verdict is Verdict.COMMITTED
    assert (await program.commit(signal(first))).verdict is Verdict.DUPLICATE

    take = TakeSignal(source=first, kind="signal:approve")
    await program.commit(program.changes(workflows=(program.row(),), taken_signals=(take,)))
    (waiting,) = (await world.store.workflows.waiting((program.id,))).values()
    assert waiting.signals == (SignalRow(source=second, kind="signal:approve", body=b"1"),)


async def test_a_signal_that_was_taken_is_taken_by_nobody_again(world: World) -> None:
    program, other = [await Program(world).started() for _ in range(2)]
    source = IDS.uuid7()
    for one in (program, other):
        new = NewSignal(source=source, kind="signal:approve", body=b"1", taken=one is program)
        await one.commit(one.changes(workflows=(one.row(),), signals=(new,)))
    take = TakeSignal(source=source, kind="signal:approve")

    def taking(one: Program) -> Changes:
        return one.changes(workflows=(one.row(),), taken_signals=(take,))

    replies = await world.store.commit((taking(program), taking(other)))

    assert [reply.verdict for reply in replies] == [Verdict.INVALID, Verdict.COMMITTED]


async def test_a_wait_that_ends_ends_no_other(world: World) -> None:
    """Not of its own workflow, nor of another one at the same place."""
    programs = [await Program(world).started() for _ in range(2)]
    places = ("2", "3")
    waits = [msgspec.structs.replace(WAIT, step=place) for place in places]
    for program in programs:
        new = tuple(
            NewWait(workflow_id=program.id, step=wait.step, timer_id=None, body=pack(wait))
            for wait in waits
        )
        await program.commit(program.changes(workflows=(program.row(),), waits=new))

    ends = [
        program.changes(
            workflows=(program.row(),),
            ended_waits=(EndWait(workflow_id=program.id, step=place),),
        )
        for program, place in zip(programs, places, strict=True)
    ]
    replies = await world.store.commit(tuple(ends))

    assert [reply.verdict for reply in replies] == [Verdict.COMMITTED] * 2
    found = await world.store.workflows.waiting(tuple(program.id for program in programs))
    left = [[row.wait.step for row in found[program.id].waits] for program in programs]
    assert left == [["3"], ["2"]]


async def test_a_signal_is_taken_apart_from_others_of_its_source_and_name(world: World) -> None:
    programs = [await Program(world).started() for _ in range(2)]
    source, other = IDS.uuid7(), IDS.uuid7()
    given = ((source, "signal:a"), (source, "signal:b"), (other, "signal:a"))
    for program in programs:
        new = tuple(NewSignal(source=one, kind=kind, body=b"1", taken=False) for one, kind in given)
        await program.commit(program.changes(workflows=(program.row(),), signals=new))

    take = TakeSignal(source=source, kind="signal:a")
    reply = await programs[0].commit(
        programs[0].changes(workflows=(programs[0].row(),), taken_signals=(take,))
    )

    assert reply.verdict is Verdict.COMMITTED
    found = await world.store.workflows.waiting(tuple(program.id for program in programs))
    left = [{(row.source, row.kind) for row in found[one.id].signals} for one in programs]
    assert left == [set(given[1:]), set(given)]


async def test_an_id_that_one_workflow_knows_is_new_to_another_of_the_same_flight(
    world: World,
) -> None:
    programs = [await Program(world).started() for _ in range(2)]
    new = NewSignal(source=IDS.uuid7(), kind="signal:approve", body=b"1", taken=False)

    def heard(program: Program) -> Changes:
        return program.changes(workflows=(program.row(),), signals=(new,))

    await programs[0].commit(heard(programs[0]))

    replies = await world.store.commit(tuple(map(heard, programs)))

    assert [reply.verdict for reply in replies] == [Verdict.DUPLICATE, Verdict.COMMITTED]


async def test_an_id_under_another_name_is_another_signal(world: World) -> None:
    program, source = await Program(world).started(), IDS.uuid7()

    def signal(name: str) -> Changes:
        new = NewSignal(source=source, kind=f"signal:{name}", body=b"1", taken=False)
        return program.changes(workflows=(program.row(),), signals=(new,))

    verdicts = [(await program.commit(signal(name))).verdict for name in ("a", "b", "b")]

    assert verdicts == [Verdict.COMMITTED, Verdict.COMMITTED, Verdict.DUPLICATE]


async def test_what_a_signal_said_is_kept_once_it_is_taken_and_its_workflow_ended(
    world: World,
) -> None:
    program = await Program(world).started()
    source = IDS.uuid7()
    new = NewSignal(source=source, kind="signal:approve", body=b"17", taken=True)
    await program.commit(program.changes(workflows=(program.row(Outcome.FAILED),), signals=(new,)))

    said = world.store.workflows.signal_body

    assert await said(program.id, source, kind="signal:approve") == b"17"
    assert await said(program.id, source, kind="signal:hurry") is None
    assert await said(program.id, IDS.uuid7(), kind="signal:approve") is None
    assert await said(IDS.uuid7(), source, kind="signal:approve") is None


async def test_what_a_long_signal_says_is_read_by_itself_alone(world: World) -> None:
    program = await Program(world).started()
    short, long, taken = (IDS.uuid7() for _ in range(3))
    body = b'"%s"' % (b"a" * SIGNAL_READ_BYTES_MAX)
    kind = "signal:approve"
    fits = body[:SIGNAL_READ_BYTES_MAX]
    for source, said in ((short, fits), (long, body), (taken, b"3")):
        new = NewSignal(source=source, kind=kind, body=said, taken=source == taken)
        await program.commit(program.changes(workflows=(program.row(),), signals=(new,)))

    rows = world.store.workflows
    (waiting,) = (await rows.waiting((program.id,))).values()

    assert waiting.signals == (
        SignalRow(source=short, kind=kind, body=fits),
        SignalRow(source=long, kind=kind, body=None, unread_bytes=len(body)),
    )
    assert [row.size for row in waiting.signals] == [len(fits), len(body)]
    wanted = ((long, kind), (taken, kind), (short, "signal:hurry"), (IDS.uuid7(), kind))
    assert await rows.said(program.id, wanted) == {(long, kind): body, (taken, kind): b"3"}
    assert await rows.said(IDS.uuid7(), wanted) == {}
