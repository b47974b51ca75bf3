"""Requeues of dead letters: at their pace, each by itself, and once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import msgspec
import pytest

from mainspring_engine.domain.answers import TakeUp
from mainspring_engine.domain.intents import Intent
from mainspring_engine.domain.limits import REQUEUE_BUSY_S
from mainspring_engine.domain.turn.state import Phase, TurnState
from mainspring_engine.main import Engine
from mainspring_engine.ports.inspection import Inspection
from mainspring_engine.ports.letters import Letters, Requeue, Resolve, Settled
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.lane import Lanes, Ticket
from mainspring_engine.usecases.letters import DeadLetters
from mainspring_engine.usecases.plain_tasks import PlainTasks
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import Conflict
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.operations import LetterFilter, LetterView, ResolveLetters
from mainspring_schema.plain import RequeuePlainTask
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import Flaw
from tests.integration.engine.scripted_worker import ScriptedWorker
from tests.unit.engine.test_plain_tasks import many, order
from tests.unit.engine.whole import IDS

READABLE = msgspec.msgpack.encode(
    TurnState(
        phase=Phase.REASON,
        iteration=1,
        input_message_id=IDS.uuid7(),
        message_id=IDS.uuid7(),
        reason_task=None,
    )
)


def bulk(limit: int = 10, rate_per_s: float = 1.0) -> ResolveLetters:
    return ResolveLetters(
        org_id=DEFAULT_ORG_ID,
        action="requeue",
        wanted=LetterFilter(),
        limit=limit,
        rate_per_s=rate_per_s,
        rehearsal=False,
    )


def requeue(state: bytes) -> Requeue:
    return Requeue(
        task_id=IDS.uuid7(),
        org_id=DEFAULT_ORG_ID,
        session_id=IDS.uuid7(),
        workflow_id=IDS.uuid7(),
        dead_workflow_id=IDS.uuid7(),
        state=state,
        config_hash=b"",
        controls=None,
        taken_up=False,
    )


class Shelf:
    """Letters that are due, and when somebody looked."""

    def __init__(self, clock: ManualClock, *due: Requeue) -> None:
        self.clock = clock
        self.waiting = list(due)
        self.looks: list[float] = []
        self.paced: list[float] = []
        self.settled: list[Settled] = []
        self.looked = asyncio.Event()

    async def page(self, *_: object, **__: object) -> tuple[LetterView, ...]:
        letter = LetterView(
            task_id=IDS.uuid7(),
            workflow_id=IDS.uuid7(),
            session_id=IDS.uuid7(),
            step="task:add",
            kind="task",
            reason="exhausted",
            detail="",
            died_ms=1,
            status="open",
            requeued_as=None,
            refusal=None,
            due_ms=None,
            resolved_ms=None,
        )
        return tuple(msgspec.structs.replace(letter, task_id=IDS.uuid7()) for _ in range(5))

    async def resolve(self, orders: tuple[Resolve, ...]) -> tuple[bool, ...]:
        return (True,) * len(orders)

    async def due(self, task_ids: object, limit: int) -> tuple[Requeue, ...]:
        assert task_ids is None
        assert limit > 0
        self.looks.append(self.clock.mono())
        self.looked.set()
        return tuple(self.waiting)

    async def keep_pace(self) -> None:
        self.paced.append(self.clock.mono())

    async def settle(self, settled: tuple[Settled, ...]) -> None:
        self.settled += settled


class Begun:
    """Lanes that begin every turn."""

    def put(self, intent: Intent, ticket: Ticket) -> None:
        del intent
        ticket.done(TakeUp.BEGUN)


@asynccontextmanager
async def at_work(shelf: Shelf) -> AsyncGenerator[DeadLetters]:
    letters = DeadLetters(
        store=cast("Store", object()),
        letters=cast("Letters", cast("object", shelf)),
        inspection=cast("Inspection", object()),
        lanes=cast("Lanes", cast("object", Begun())),
        plain=cast("PlainTasks", object()),
        clock=shelf.clock,
        ids=IDS,
    )
    work = asyncio.create_task(letters.work())
    await shelf.looked.wait()
    try:
        yield letters
    finally:
        work.cancel()
        await asyncio.wait({work})


async def test_an_order_is_looked_at_often_from_its_first_moment() -> None:
    clock = ManualClock()
    shelf = Shelf(clock)

    async with at_work(shelf) as letters:
        await clock.until_sleeping()
        shelf.looked.clear()
        await letters.resolve_many(bulk(rate_per_s=2.0))  # the last is due after two seconds
        await shelf.looked.wait()
        for _ in range(3):
            shelf.looked.clear()
            await clock.until_sleeping()
            clock.advance(REQUEUE_BUSY_S)
            await shelf.looked.wait()

    began = shelf.looks[0]
    assert [at - began for at in shelf.looks] == [0.0, 0.0, 0.5, 1.0, 1.5]
    assert shelf.paced == [began]


async def test_an_order_that_nobody_looked_after_keeps_its_rate() -> None:
    clock = ManualClock()
    shelf = Shelf(clock)

    async with at_work(shelf) as letters:
        await clock.until_sleeping()
        shelf.looked.clear()
        await letters.resolve_many(bulk(rate_per_s=0.1))
        await shelf.looked.wait()
        shelf.looked.clear()
        await clock.until_sleeping()
        clock.advance(60.0)  # stopped, say, or without a store
        await shelf.looked.wait()

    assert [at - shelf.looks[0] for at in shelf.paced] == [0.0, 60.0]


async def test_a_letter_that_cannot_be_read_here_holds_up_no_other() -> None:
    clock = ManualClock()
    unreadable = requeue(b"\xc1 of a newer version")
    shelf = Shelf(clock, requeue(READABLE), unreadable, requeue(READABLE))

    async with at_work(shelf):
        await clock.until_sleeping()

    settled = {one.task_id for one in shelf.settled}
    assert settled == {one.task_id for one in shelf.waiting} - {unreadable.task_id}


async def test_a_letter_that_an_order_has_taken_is_not_done_again_by_hand(
    engine: Engine, worker: ScriptedWorker
) -> None:
    tasks = [order(), order()]
    for task in tasks:
        await engine.plain_tasks.submit(many(task))
        flaw = Flaw(code="step_failed", message="no")
        worker.bring(await worker.next_task(), PlainResult(flaw=flaw))
        await worker.acknowledged()
    await engine.operator.operate(bulk())  # the older one is due in a second

    with pytest.raises(Conflict, match="requeued before: it is requeueing"):
        await engine.plain_tasks.requeue(
            RequeuePlainTask(org_id=DEFAULT_ORG_ID, task_id=tasks[0].task_id, new_id=IDS.uuid7())
        )
