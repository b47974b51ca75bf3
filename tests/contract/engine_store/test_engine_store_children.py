"""Signals between the sessions of parents and children in a store."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters.postgres import workflows as postgres_workflows
from mainspring_engine.domain.changes import NewSignal, TakeSignal
from mainspring_engine.domain.limits import (
    SIGNAL_LOST_TOLD_MAX,
    SIGNAL_RETRY_MS_MAX,
    SIGNAL_TRIES_MAX,
)
from mainspring_engine.domain.rows import SignalRow
from mainspring_engine.domain.turn import links
from mainspring_engine.domain.workflow import children
from mainspring_engine.ports.workflows import UntakenSignal
from mainspring_schema.frames import Verdict
from tests.contract.engine_store.engine_worlds import IDS, World
from tests.contract.engine_store.test_engine_store_workflows import Program

LONG = 8
"""After so many tries a signal waits for minutes."""


def told(parent: Program, child: Program, kind: str = children.START) -> NewSignal:
    return NewSignal(source=parent.id, kind=kind, body=b"b", taken=False, to=child.id)


async def test_a_signal_lies_in_the_session_it_is_for(world: World) -> None:
    parent = await Program(world).started()
    child = Program(world, parent.org_id)

    reply = await parent.commit(
        parent.changes(workflows=(parent.row(),), signals=(told(parent, child),))
    )

    assert reply.verdict is Verdict.COMMITTED
    waiting = await world.store.workflows.waiting((parent.id, child.id))
    row = SignalRow(source=parent.id, kind=children.START, body=b"b")
    assert {id_: found.signals for id_, found in waiting.items()} == {child.id: (row,)}


async def test_a_child_takes_its_start_with_its_first_commit(world: World) -> None:
    parent = await Program(world).started()
    child = Program(world, parent.org_id)
    await parent.commit(parent.changes(workflows=(parent.row(),), signals=(told(parent, child),)))
    take = TakeSignal(source=parent.id, kind=children.START)
    begun = msgspec.structs.replace(child.starting(), taken_signals=(take,))

    first = await child.commit(begun)
    (again,) = await world.store.commit((begun,))

    assert first.verdict is Verdict.COMMITTED
    assert again.verdict is Verdict.DUPLICATE
    assert again.started is not None
    assert await world.store.workflows.waiting((child.id,)) == {}


async def test_a_link_lies_in_its_own_session_until_it_is_taken_and_nobody_looks_for_it(
    world: World,
) -> None:
    parent = await Program(world).started()
    link = NewSignal(source=UUID(int=9), kind=links.LINK, body=b"b", taken=False)
    await parent.commit(parent.changes(workflows=(parent.row(),), signals=(link,)))
    await world.pass_time(120)

    found = await world.store.workflows.untaken(older_than_ms=60_000, limit=1000)
    waiting = await world.store.workflows.waiting((parent.id,))

    assert [one for one in found if one.org_id == parent.org_id] == []
    assert [row.kind for row in waiting[parent.id].signals] == [links.LINK]
    take = TakeSignal(source=link.source, kind=link.kind)
    await parent.commit(parent.changes(workflows=(parent.row(),), taken_signals=(take,)))
    assert await world.store.workflows.waiting((parent.id,)) == {}


async def test_signals_that_nobody_took_are_found_when_they_are_old(world: World) -> None:
    parent = await Program(world).started()
    child = await Program(world, parent.org_id).started()
    persons = NewSignal(source=parent.id, kind="signal:x", body=b"b", taken=False)
    await parent.commit(
        parent.changes(
            workflows=(parent.row(),), signals=(persons, told(parent, child, children.CANCEL))
        )
    )
    mine = UntakenSignal(
        session_id=child.id, org_id=parent.org_id, source=parent.id, kind=children.CANCEL, tries=1
    )

    assert mine not in await world.store.workflows.untaken(older_than_ms=60_000, limit=100)
    await world.pass_time(120)
    found = await world.store.workflows.untaken(older_than_ms=60_000, limit=1000)
    assert [one for one in found if one.org_id == parent.org_id] == [mine]
    await child.commit(
        child.changes(
            workflows=(child.row(),),
            taken_signals=(TakeSignal(source=parent.id, kind=children.CANCEL),),
        )
    )
    assert mine not in await world.store.workflows.untaken(older_than_ms=60_000, limit=1000)


async def test_signals_of_children_come_before_peoples(world: World) -> None:
    program = await Program(world).started()
    child = await Program(world, program.org_id).started()
    persons = NewSignal(source=program.id, kind="signal:x", body=b"1", taken=False)
    await program.commit(program.changes(workflows=(program.row(),), signals=(persons,)))

    ended = told(child, program, children.ENDED)
    await child.commit(child.changes(workflows=(child.row(),), signals=(ended,)))

    (waiting,) = (await world.store.workflows.waiting((program.id,))).values()
    assert [signal.kind for signal in waiting.signals] == [children.ENDED, "signal:x"]


async def test_signals_of_children_are_read_however_many_people_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_workflows, "WORKFLOW_SIGNALS_MAX", 0)
    monkeypatch.setattr(postgres_workflows, "WORKFLOW_WAITS_MAX", 1)
    program = await Program(world).started()
    child = await Program(world, program.org_id).started()
    persons = tuple(
        NewSignal(source=IDS.uuid7(), kind="signal:x", body=b"1", taken=False) for _ in range(2)
    )
    await program.commit(program.changes(workflows=(program.row(),), signals=persons))

    ended = told(child, program, children.ENDED)
    await child.commit(child.changes(workflows=(child.row(),), signals=(ended,)))

    (waiting,) = (await world.store.workflows.waiting((program.id,))).values()
    assert waiting.signals[0].kind == children.ENDED


async def test_a_signal_is_tried_apart_from_another_kind_of_the_same_source(world: World) -> None:
    parent = await Program(world).started()
    child = Program(world, parent.org_id)

    async def tell(kind: str) -> None:
        signals = (told(parent, child, kind),)
        await parent.commit(parent.changes(workflows=(parent.row(),), signals=signals))

    async def found() -> list[tuple[str, int]]:
        untaken = await world.store.workflows.untaken(older_than_ms=60_000, limit=1000)
        return sorted((one.kind, one.tries) for one in untaken if one.session_id == child.id)

    await tell(children.START)
    await world.pass_time(120)
    await tell(children.CANCEL)

    first = await found()
    await world.pass_time(120)

    assert first == [(children.START, 1)]
    assert await found() == [(children.CANCEL, 1), (children.START, 2)]


async def test_a_signal_that_is_never_taken_comes_later_and_later_and_at_last_no_more(
    world: World,
) -> None:
    parent = await Program(world).started()
    child = Program(world, parent.org_id)
    await parent.commit(parent.changes(workflows=(parent.row(),), signals=(told(parent, child),)))

    async def tries() -> list[int]:
        found = await world.store.workflows.untaken(older_than_ms=1000, limit=1000)
        return [one.tries for one in found if one.session_id == child.id]

    seen: list[list[int]] = []
    for _ in range(SIGNAL_TRIES_MAX + SIGNAL_LOST_TOLD_MAX):
        await world.pass_time(SIGNAL_RETRY_MS_MAX / 1000 + 1)
        seen.append(await tries())
        if len(seen) > LONG:  # its wait is minutes by now
            assert await tries() == []
    await world.pass_time(SIGNAL_RETRY_MS_MAX / 1000 + 1)

    assert seen == [[number + 1] for number in range(SIGNAL_TRIES_MAX + SIGNAL_LOST_TOLD_MAX)]
    assert await tries() == []
