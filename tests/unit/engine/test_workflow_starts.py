"""Starts that come together: each is taken or refused by itself."""

import asyncio
from typing import cast

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.intents import WorkflowStarted
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.courses import Courses
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.workflows import Workflows
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import ValidationFailed, WorkflowKeyMismatch
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_schema.workflows import Started, StartWorkflow

IDS = SeededIds(ManualClock(), seed=4)


class OneLane:
    """Takes all that is asked at once, and refuses one key."""

    def __init__(self) -> None:
        self.asked_at_once = 0

    def asked(self, intent: WorkflowStarted) -> asyncio.Future[Answer]:
        self.asked_at_once += 1
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if intent.command.key == "taken":
            answer.set_exception(WorkflowKeyMismatch())
        else:
            answer.set_result(Started(workflow_id=intent.command.workflow_id, started_ms=1))
        return answer


class NoPressure:
    def check(self, org_id: object, queue: str) -> None:
        """Never refuses."""


def start(type_: str = "order", **rest: object) -> StartWorkflow:
    plain = {"org_id": DEFAULT_ORG_ID, "workflow_id": IDS.uuid7(), "type": type_, "input": b"[]"}
    return StartWorkflow(**(plain | rest))  # pyright: ignore[reportArgumentType] -- fields by name


class SlowLane:
    """Answers nobody; `asked_twice` is set with the second one."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Answer]] = []
        self.asked_twice = asyncio.Event()

    def asked(self, intent: WorkflowStarted) -> asyncio.Future[Answer]:
        del intent
        self.futures.append(asyncio.get_running_loop().create_future())
        if len(self.futures) == 2:
            self.asked_twice.set()
        return self.futures[-1]


async def test_who_leaves_before_many_starts_are_answered_leaves_all_of_them() -> None:
    lane, store = SlowLane(), cast("Store", object())
    workflows = Workflows(
        cast("Lanes", cast("object", lane)),
        store,
        cast("Backpressure", cast("object", NoPressure())),
        cast("Queries", object()),
        Courses(store),
    )
    call = asyncio.create_task(workflows.start_many((start(), start())))
    await lane.asked_twice.wait()

    call.cancel()
    await asyncio.wait({call})

    assert all(future.cancelled() for future in lane.futures)


async def test_many_starts_ride_together_and_each_is_answered_for_itself() -> None:
    lane, store = OneLane(), cast("Store", object())
    workflows = Workflows(
        cast("Lanes", cast("object", lane)),
        store,
        cast("Backpressure", cast("object", NoPressure())),
        cast("Queries", object()),
        Courses(store),
    )
    commands = (
        start(), start("no name"), start(key="taken"), start(declaration=b"{}"), start(),
        start(input=b'"A-17"'), start(input=b' {"order": "A-17"}'),
    )  # fmt: skip

    answers = await workflows.start_many(commands)

    assert [type(answer) for answer in answers] == [
        Started, ValidationFailed, WorkflowKeyMismatch, ValidationFailed, Started,
        ValidationFailed, Started,
    ]  # fmt: skip
    assert lane.asked_at_once == 4
