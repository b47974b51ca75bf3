"""Children as their parent's tools see them: spawned once, waited for, cancelled with the call."""

import asyncio
from typing import TypeVar, cast
from uuid import UUID

import pytest
from msgspec import structs

from mainspring_harness.builtin import builtin_registry, subagents
from mainspring_kernel.clock import SystemClock
from mainspring_schema.agents import CapabilityRef, ModelChoice, RuntimeAgent
from mainspring_schema.asking import Order, Question
from mainspring_schema.lineage import ChildTurn
from mainspring_schema.messages import Json
from mainspring_schema.session_tasks import (
    CancelTask,
    GetSessionTask,
    ListSessionTasks,
    MessageTask,
    SessionTasks,
    SessionTaskState,
    SessionTaskView,
    SpawnAgent,
)
from mainspring_worker.adapters.builtin_tools import tasks
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

A = TypeVar("A")
CLOCK = SystemClock()
SPAWN = tasks.spawn_agent(builtin_registry())
CHILD_TURN = UUID(int=9)
TASK = SessionTaskView(
    id="task_1",
    name="look",
    instructions="Look.",
    child_session_id="session_1",
    state="running",
    created_ms=1,
    updated_ms=1,
)


class Session:
    """What api says of one child: `states` in turn, the last one for good."""

    def __init__(self, *states: SessionTaskState) -> None:
        self.states = list(states)
        self.orders: list[object] = []
        self.asked = asyncio.Event()
        self.turn_id: UUID | None = CHILD_TURN

    def _view(self) -> SessionTaskView:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        detail = "no such model" if state == "failed" else None
        result = "Found." if state == "succeeded" else None
        return structs.replace(
            TASK, state=state, detail=detail, result=result, turn_id=self.turn_id
        )

    async def ask(self, question: Question[A]) -> A:
        self.asked.set()
        asked: object = question
        if isinstance(asked, ListSessionTasks):
            return cast("A", SessionTasks(tasks=(self._view(),)))
        assert isinstance(asked, GetSessionTask)
        return cast("A", self._view())

    async def change(self, order: Order[A], *, part: str = "") -> A:
        self.orders.append(order)
        assert bool(part) is (part == "cancel")
        return cast("A", self._view())

    async def recall(self, *, part: str = "") -> bytes | None:
        del part
        return None


def context(session: Session, config: Json | None = None) -> ToolContext:
    async def progress(message: str) -> None:
        del message

    model = ModelChoice(model_id="m", model="m", provider_id="p", driver="llmsim", provider="p")
    ref = CapabilityRef(ref=subagents.ID, config=config)
    return ToolContext(
        org_id=UUID(int=1),
        session_id=UUID(int=2),
        turn_id=UUID(int=3),
        call_id="call_1",
        idempotency_key="key",
        deadline_mono=CLOCK.mono() + 60,
        clock=CLOCK,
        progress=progress,
        resources=session,
        began_ms=CLOCK.wall_ms(),
        agent=RuntimeAgent(harness_id="h", model=model, max_iterations=1, capabilities=(ref,)),
    )


async def spawned(session: Session, config: Json | None = None, **more: object) -> ToolOutcome:
    arguments: Json = {"name": "look", "instructions": "Look.", **more}
    return await SPAWN(arguments, context(session, config))


async def test_a_foreground_call_is_given_back_until_there_is_news_of_its_child() -> None:
    session = Session("running")

    outcome = await spawned(session, tools=["list_tasks"])

    assert outcome.joins == ChildTurn(turn_id=CHILD_TURN, wait_ms=tasks.JOIN_LOOK_MS)
    assert session.orders == [
        SpawnAgent(
            name="look",
            instructions="Look.",
            tools=("list_tasks",),
            depth=1,
            width=5,
            turn_id=UUID(int=3),
        )
    ]
    assert not session.asked.is_set()


async def test_no_child_is_spawned_for_a_tool_that_there_is_not() -> None:
    session = Session("running")

    outcome = await spawned(session, tools=["list_tasks", "list_taks"])

    assert (outcome.status, outcome.error) == ("error", "there is no tool 'list_taks'")
    assert session.orders == []


async def test_a_later_attempt_finds_its_child_though_a_tool_is_gone() -> None:
    arguments: Json = {"name": "look", "instructions": "Look.", "tools": ["gone"]}
    here = structs.replace(context(Session("succeeded")), attempt=2)

    outcome = await SPAWN(arguments, here)

    assert outcome.status == "success"


async def test_a_later_attempt_finds_the_child_as_it_stands() -> None:
    outcome = await spawned(Session("succeeded"))

    assert (outcome.joins, outcome.result) == (None, {
        "task_id": "task_1", "name": "look", "state": "succeeded", "result": "Found.",
    })  # fmt: skip


async def test_each_attempt_leaves_its_child_alone_for_longer() -> None:
    arguments: Json = {"name": "look", "instructions": "Look."}
    here = structs.replace(context(Session("running")), attempt=4)

    outcome = await SPAWN(arguments, here)

    assert outcome.joins is not None
    assert outcome.joins.wait_ms == 8 * tasks.JOIN_LOOK_MS


async def test_a_child_that_works_for_too_long_goes_on_alone() -> None:
    arguments: Json = {"name": "look", "instructions": "Look."}
    began_ms = CLOCK.wall_ms() - 1000 * tasks.JOIN_S_MAX
    here = structs.replace(context(Session("running")), began_ms=began_ms)

    outcome = await SPAWN(arguments, here)

    assert outcome.joins is None
    assert cast("Json", outcome.result)["state"] == "running"


@pytest.mark.parametrize("known", [True, False])
async def test_a_call_that_cannot_be_given_back_waits_itself(*, known: bool) -> None:
    session = Session("running", "running", "succeeded")
    session.turn_id = CHILD_TURN if known else None
    attempt = tasks.JOINS_MAX + 1 if known else 1
    arguments: Json = {"name": "look", "instructions": "Look."}

    outcome = await SPAWN(arguments, structs.replace(context(session), attempt=attempt))

    assert (outcome.joins, cast("Json", outcome.result)["result"]) == (None, "Found.")


async def test_a_background_child_goes_on_alone() -> None:
    session = Session("running")

    outcome = await spawned(session, mode="background")

    assert cast("Json", outcome.result)["state"] == "running"
    assert not session.asked.is_set()


async def test_a_child_that_failed_is_an_error_with_its_reason() -> None:
    outcome = await spawned(Session("failed"))

    assert (outcome.status, outcome.error) == ("error", "the child failed: no such model")


async def test_a_child_that_waits_for_people_is_not_waited_for() -> None:
    outcome = await spawned(Session("awaiting_input"))

    assert cast("Json", outcome.result)["state"] == "awaiting_input"


async def test_the_last_generation_spawns_nothing() -> None:
    session = Session("running")

    outcome = await spawned(session, {"max_depth": 0})

    assert outcome.status == "error"
    assert session.orders == []


def test_room_narrows_with_each_generation_until_the_tool_is_gone() -> None:
    (capability,) = [
        one.capability
        for one in builtin_registry().resolve((CapabilityRef(ref=subagents.ID),))
        if one.id == subagents.ID
    ]

    assert [tool.name for tool in capability.tools({})] == ["spawn_agent"]
    assert capability.tools(subagents.below(0, 5)) == ()


async def test_tasks_are_followed_told_more_and_cancelled() -> None:
    session = Session("running", "running", "running", "running", "canceled")
    here = context(session)
    named: Json = {"task_id": "task_1"}

    listed = await tasks.list_tasks({}, here)
    got = await tasks.get_task(named, here)
    told = await tasks.message_task({**named, "text": "Hurry."}, here)
    gone = await tasks.cancel_task(named, here)
    waited = await tasks.wait_task({**named, "timeout_seconds": 5}, here)

    states = [cast("Json", one.result)["state"] for one in (got, told, gone, waited)]
    assert states == ["running", "running", "canceled", "canceled"]
    assert len(cast("list[Json]", cast("Json", listed.result)["tasks"])) == 1
    assert session.orders == [
        MessageTask(id="task_1", text="Hurry.", turn_id=UUID(int=3)),
        CancelTask(id="task_1"),
    ]


async def test_whoever_waits_is_given_back_for_as_long_as_it_may_wait() -> None:
    here = context(Session("running"))
    wanted: Json = {"task_id": "task_1", "timeout_seconds": 1}

    waits = await tasks.wait_task(wanted, structs.replace(here, began_ms=CLOCK.wall_ms() + 60_000))
    told = await tasks.wait_task(wanted, structs.replace(here, began_ms=CLOCK.wall_ms() - 1001))

    assert waits.joins == ChildTurn(turn_id=CHILD_TURN, wait_ms=1000)
    assert (told.joins, cast("Json", told.result)["state"]) == (None, "running")
