"""Ends whose news was lost are found by one question for all who wait."""

import asyncio
from contextlib import ExitStack
from typing import TypeVar, cast
from uuid import UUID

import pytest

from mainspring_api.adapters.endings import BusEndings
from mainspring_api.domain.limits import RESULT_RECHECK_S
from mainspring_api.usecases import overlooked
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.ids import SeededIds
from mainspring_schema.asking import Order, Question
from mainspring_schema.open_work import OPEN_IDS_PER_QUESTION_MAX, FindOpen, OpenWork
from mainspring_schema.wake import WorkflowEnded

A = TypeVar("A")
IDS = SeededIds(ManualClock(), seed=1)


class Engine:
    """Knows what is open; `inspect` is the part of the port that is used."""

    def __init__(self) -> None:
        self.open: set[UUID] = set()
        self.asked: list[tuple[UUID, ...]] = []
        self.is_away = False

    async def inspect(self, question: Question[A]) -> A:
        assert isinstance(question, FindOpen)
        self.asked.append(question.ids)
        if self.is_away:
            raise Unavailable
        open_ = tuple(id_ for id_ in question.ids if id_ in self.open)
        return cast("A", OpenWork(ids=open_))

    async def operate(self, order: Order[A]) -> A:
        raise NotImplementedError


@pytest.fixture
def engine() -> Engine:
    return Engine()


async def test_who_waits_for_what_is_not_open_is_told_to_look(engine: Engine) -> None:
    endings, told = BusEndings(), list[WorkflowEnded | None]()
    gone, open_, ended, running = (IDS.uuid7() for _ in range(4))
    engine.open = {open_, running}

    with (
        endings.of(gone) as of_gone,
        endings.of(open_) as of_open,
        endings.of_workflow(ended, told.append),
        endings.of_workflow(running, lambda _: pytest.fail("it has not ended")),
    ):
        await overlooked.look(endings, engine)

        assert (of_gone.is_set(), of_open.is_set(), told) == (True, False, [None])
    assert {frozenset(ids) for ids in engine.asked} == {frozenset((gone, open_, ended, running))}


async def test_nothing_is_asked_while_nobody_waits(engine: Engine) -> None:
    endings = BusEndings()
    with endings.of(IDS.uuid7()), endings.of_workflow(IDS.uuid7(), lambda _: None):
        pass

    await overlooked.look(endings, engine)

    assert engine.asked == []


async def test_many_are_asked_about_in_questions_of_a_bound(engine: Engine) -> None:
    endings = BusEndings()
    with ExitStack() as waits:
        for _ in range(OPEN_IDS_PER_QUESTION_MAX + 1):
            waits.enter_context(endings.of(IDS.uuid7()))
        await overlooked.look(endings, engine)

    assert [len(ids) for ids in engine.asked] == [OPEN_IDS_PER_QUESTION_MAX, 1]


async def test_an_engine_that_is_away_is_asked_again(engine: Engine) -> None:
    clock, endings = ManualClock(), BusEndings()
    looking = asyncio.create_task(overlooked.run(endings, engine, clock))
    engine.is_away = True
    with endings.of(IDS.uuid7()) as told:
        await clock.until_sleeping(1)
        clock.advance(RESULT_RECHECK_S)
        await clock.until_sleeping(1)
        engine.is_away = False
        clock.advance(RESULT_RECHECK_S)
        await told.wait()
    looking.cancel()

    assert len(engine.asked) == 2
