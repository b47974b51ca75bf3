"""What an agent spawns: one child per call, narrowed, followed, cancelled with its parent."""

import asyncio
from typing import TypeVar, cast
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.domain.limits import TASK_BEGIN_S
from mainspring_api.main import message_path
from mainspring_api.usecases import held
from mainspring_api.usecases.keeper import Keeper
from mainspring_kernel import errors
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, from_wire, to_wire
from mainspring_schema.agents import decode_runtime_agent
from mainspring_schema.commands import Receipt, Submit
from mainspring_schema.events import Context, StoredEvent, draft
from mainspring_schema.frames import Held
from mainspring_schema.holdings import AnyOrder, AnyQuestion
from mainspring_schema.limits import SUBAGENT_DEPTH_MAX
from mainspring_schema.session_tasks import (
    CancelTask,
    GetSessionTask,
    ListSessionTasks,
    MessageTask,
    SessionTasks,
    SessionTaskView,
    SpawnAgent,
)
from tests.api.backend import TS, Backend
from tests.api.test_resources import V1, made_agent, made_session

A = TypeVar("A")
Json = dict[str, object]
ORDER = SpawnAgent(name="look", instructions="Look it up.", depth=1, width=2)


class Parent:
    """A session whose task is held, and what its tools ask."""

    def __init__(self, services: Services, backend: Backend, session_id: UUID) -> None:
        self.id, self._backend, self.calls = session_id, backend, 0
        self._services, self.now_ms = services, 1
        self._held = Held(uuid4(), 1)
        backend.held[self._held.task_id, 1] = (session_id, DEFAULT_ORG_ID)
        self._keeper = Keeper(
            store=services.store,
            vault=services.vault,
            schedules=services.schedules,
            path=message_path(services),
            ids=services.ids,
        )

    async def order(self, order: AnyOrder, key: str = "") -> SessionTaskView:
        self.calls += 1
        data = await held.change(
            self._keeper,
            self._held,
            order,
            key=key or f"call {self.calls}",
            now_ms=self.now_ms,
        )
        return msgspec.msgpack.decode(data, type=SessionTaskView)

    async def ask(self, question: AnyQuestion, answer: type[A]) -> A:
        data = await held.ask(self._keeper, self._held, question, now_ms=self.now_ms)
        return msgspec.msgpack.decode(data, type=answer)

    async def tasks(self) -> tuple[SessionTaskView, ...]:
        return (await self.ask(ListSessionTasks(), SessionTasks)).tasks

    def child(self, task: SessionTaskView) -> "Parent":
        id_ = from_wire(Prefix.SESSION, task.child_session_id)
        return Parent(self._services, self._backend, id_)

    def ends(self, task: SessionTaskView, outcome: str = "turn.completed", **data: object) -> None:
        """The child says something, and its turn ends."""
        id_ = from_wire(Prefix.SESSION, task.child_session_id)
        said = {
            "message": {
                "id": "message_1",
                "role": "agent",
                "content": [{"type": "text", "text": "Found."}],
                "created_at": "2026-01-01T00:00:00.000Z",
            }
        }
        self._backend.append(id_, "output.message.completed", said)
        self._backend.append(id_, outcome, data)


class Engine(Backend):
    """Says which turn takes a message. `refusal` is what it answers instead; where it is `deaf`
    it takes the message all the same, and its answer is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refusal: errors.MainspringError | None = None
        self.deaf = False

    async def submit(self, command: Submit) -> Receipt:
        if self.refusal is not None and not self.deaf:
            raise self.refusal
        receipt = await super().submit(command)
        if not receipt.duplicate:
            self._begin(command, receipt)
        if self.refusal is not None:
            raise self.refusal
        return receipt

    def _begin(self, command: Submit, receipt: Receipt) -> None:
        session = self.sessions[command.session_id]
        context = Context(
            turn_id=to_wire(Prefix.TURN, receipt.turn_id), input_message_id=command.message.id
        )
        payload = draft("turn.started", context, {}).payload
        session.events.append(StoredEvent(session.seq + 1, "turn.started", TS, payload))


@pytest.fixture
def backend() -> Engine:
    return Engine()


@pytest.fixture
async def parent(client: httpx.AsyncClient, services: Services, backend: Backend) -> Parent:
    tool: Json = {"type": "client_side", "name": "ask_desk", "description": "x", "parameters": {}}
    agent = await made_agent(client, capabilities=[{"ref": "test_math"}])
    session = await made_session(
        client,
        agent_id=agent["id"],
        capabilities=[{"ref": "current_time"}, {"ref": "subagents", "config": {"max_width": 3}}],
        tools=[tool],
    )
    return Parent(services, backend, from_wire(Prefix.SESSION, str(session["id"])))


async def test_a_call_spawns_one_child_in_however_many_attempts(
    parent: Parent, backend: Backend
) -> None:
    first = await parent.order(ORDER, key="call")
    again = await parent.order(ORDER, key="call")

    assert (first.id, first.child_session_id) == (again.id, again.child_session_id)
    assert first.state == "running"
    assert len({submit.idempotency_key for submit in backend.submits}) == 1
    child = backend.sessions[from_wire(Prefix.SESSION, first.child_session_id)]
    assert [event.type for event in child.events] == [
        "session.started",
        "input.message",
        "turn.started",
    ]


async def test_a_child_has_its_parents_agent_narrowed(
    parent: Parent, backend: Backend, client: httpx.AsyncClient
) -> None:
    order = msgspec.structs.replace(ORDER, tools=("add", "get_current_time"), depth=0)
    task = await parent.order(order)

    runtime = decode_runtime_agent(backend.submits[-1].config or b"")
    refs = {ref.ref: ref.config for ref in runtime.capabilities}
    shown = (await client.get(f"{V1}/sessions/{task.child_session_id}")).json()
    assert list(refs) == ["test_math", "current_time", "subagents"]
    assert refs["subagents"] == {"max_depth": 0, "max_width": 2}
    assert runtime.tools == ()
    assert runtime.allowed_tools == ("add", "get_current_time")
    assert runtime.ancestors == (shown["parent_session_id"],)
    assert from_wire(Prefix.SESSION, str(shown["parent_session_id"])) == parent.id


async def test_what_was_taken_from_a_parent_its_child_cannot_give(
    parent: Parent, backend: Backend
) -> None:
    narrow = msgspec.structs.replace(ORDER, tools=("add",))
    child = parent.child(await parent.order(narrow))

    await child.order(msgspec.structs.replace(ORDER, tools=("add", "subtract")))
    wide = decode_runtime_agent(backend.submits[-1].config or b"")
    await child.order(ORDER)

    assert wide.allowed_tools == ("add",)
    assert len(wide.ancestors) == 2
    assert backend.submits[-1].config_hash == backend.submits[-2].config_hash


async def test_a_task_stands_as_its_childs_log_says(parent: Parent, backend: Backend) -> None:
    done, failed, waiting = [await parent.order(_wide()) for _ in range(3)]
    parent.ends(done)
    parent.ends(failed, "turn.failed", error="no such model")
    backend.sessions[
        from_wire(Prefix.SESSION, waiting.child_session_id)
    ].status = "waitingfortoolresults"

    stands = [
        await parent.ask(GetSessionTask(id=one.id), SessionTaskView)
        for one in (done, failed, waiting)
    ]
    listed = await parent.tasks()

    assert [one.state for one in stands] == ["succeeded", "failed", "awaiting_input"]
    assert (stands[0].result, stands[1].detail) == ("Found.", "no such model")
    assert {one.id for one in listed} == {done.id, failed.id, waiting.id}


def _wide() -> SpawnAgent:
    return msgspec.structs.replace(ORDER, width=9)


async def test_only_so_many_are_at_work_together(parent: Parent) -> None:
    first, _ = await parent.order(ORDER), await parent.order(ORDER)

    with pytest.raises(errors.Conflict):
        await parent.order(ORDER)
    parent.ends(first)
    assert (await parent.order(ORDER)).state == "running"


async def test_a_child_at_the_deepest_level_spawns_none(parent: Parent) -> None:
    below = parent
    for _ in range(SUBAGENT_DEPTH_MAX):
        below = below.child(await below.order(ORDER))

    with pytest.raises(errors.ValidationFailed):
        await below.order(ORDER)
    with pytest.raises(errors.ValidationFailed):
        await parent.order(msgspec.structs.replace(ORDER, depth=-1))


async def test_a_task_is_told_more_once(parent: Parent, backend: Backend) -> None:
    task = await parent.order(ORDER)
    more = MessageTask(id=task.id, text="And hurry.")

    for _ in range(2):
        await parent.order(more, key="more")

    assert len({submit.message_id for submit in backend.submits}) == 2
    with pytest.raises(errors.NotFound):
        await parent.child(task).order(more)


async def test_cancelling_reaches_all_generations(
    parent: Parent, backend: Backend, client: httpx.AsyncClient
) -> None:
    task = await parent.order(ORDER)
    grandchild = await parent.child(task).order(ORDER)
    ids = {from_wire(Prefix.SESSION, one.child_session_id) for one in (task, grandchild)}

    await parent.order(CancelTask(id=task.id))
    by_parent = {cancel.session_id for cancel in backend.cancels}
    backend.cancels.clear()
    await client.post(f"{V1}/sessions/session_{parent.id.hex}/cancel", json={})
    by_people = {cancel.session_id for cancel in backend.cancels}
    backend.cancels.clear()
    await client.delete(f"{V1}/sessions/session_{parent.id.hex}")

    assert by_parent == ids
    assert by_people == ids | {parent.id}
    assert {cancel.session_id for cancel in backend.cancels} == ids


async def test_people_see_what_was_spawned_and_may_cancel_it(
    parent: Parent, client: httpx.AsyncClient
) -> None:
    task = await parent.order(ORDER)
    at = f"{V1}/sessions/session_{parent.id.hex}/tasks"

    listed = cast("list[Json]", (await client.get(at)).json()["data"])
    none = (await client.get(at, params={"state": "failed"})).json()["data"]
    parent.ends(task)
    one = (await client.get(f"{at}/{task.id}")).json()
    cancelled = await client.post(f"{at}/{task.id}/cancel", json={})
    elsewhere = await client.get(f"{V1}/sessions/{task.child_session_id}/tasks/{task.id}")

    assert [row["display_name"] for row in listed] == ["look"]
    assert none == []
    assert (one["state"], one["summary"], one["kind"]) == ("succeeded", "Found.", "subagent")
    assert one["links"] == {"child_session_id": task.child_session_id}
    assert cancelled.json()["state"] == "succeeded"
    assert elsewhere.status_code == 404


async def test_a_child_is_not_made_again_once_it_was_deleted(
    parent: Parent, client: httpx.AsyncClient
) -> None:
    task = await parent.order(ORDER, key="call")
    await client.delete(f"{V1}/sessions/{task.child_session_id}")

    with pytest.raises(errors.NotFound):
        await parent.order(ORDER, key="call")
    stands = await parent.ask(GetSessionTask(id=task.id), SessionTaskView)
    assert stands.state == "canceled"


FULL = errors.TooManyRequests("too much waits", retry_after_s=1)
LOST = errors.Unavailable("the answer was lost")


async def test_a_spawn_that_was_refused_takes_no_place(
    parent: Parent, backend: Engine, client: httpx.AsyncClient
) -> None:
    backend.refusal = FULL
    for _ in range(ORDER.width):
        with pytest.raises(errors.TooManyRequests):
            await parent.order(ORDER)
    backend.refusal = None

    left = await parent.tasks()
    sessions = (await client.get(f"{V1}/sessions")).json()["data"]
    spawned = [await parent.order(ORDER) for _ in range(ORDER.width)]

    assert left == ()
    assert [from_wire(Prefix.SESSION, one["id"]) for one in sessions] == [parent.id]
    assert [one.state for one in spawned] == ["running"] * ORDER.width


async def test_a_call_that_was_refused_spawns_when_it_comes_again(
    parent: Parent, backend: Engine
) -> None:
    backend.refusal = FULL
    with pytest.raises(errors.TooManyRequests):
        await parent.order(ORDER, key="call")
    backend.refusal = None

    task = await parent.order(ORDER, key="call")

    assert (await parent.tasks()) == (task,)
    assert task.state == "running"


async def test_a_call_that_is_refused_twice_at_once_leaves_nothing(
    parent: Parent, backend: Engine
) -> None:
    backend.refusal = FULL

    refused = await asyncio.gather(
        *(parent.order(ORDER, key="call") for _ in range(2)), return_exceptions=True
    )

    assert refused == [FULL, FULL]
    assert await parent.tasks() == ()


async def test_a_child_stands_as_its_log_says_although_its_turn_was_never_put_down(
    parent: Parent, backend: Engine
) -> None:
    backend.refusal, backend.deaf = LOST, True
    with pytest.raises(errors.Unavailable):
        await parent.order(ORDER)

    (begun,) = await parent.tasks()
    parent.ends(begun)
    (ended,) = await parent.tasks()

    assert (begun.state, ended.state, ended.result) == ("running", "succeeded", "Found.")
    assert begun.turn_id is not None


async def test_an_engine_that_has_the_message_and_is_full_now_costs_no_child(
    parent: Parent, backend: Engine
) -> None:
    backend.refusal, backend.deaf = LOST, True
    with pytest.raises(errors.Unavailable):
        await parent.order(ORDER, key="call")
    backend.refusal, backend.deaf = FULL, False

    task = await parent.order(ORDER, key="call")

    assert task.state == "running"
    assert await parent.tasks() == (task,)


async def test_a_task_that_nobody_began_takes_a_place_for_a_while_alone(
    parent: Parent, backend: Engine
) -> None:
    backend.refusal = LOST
    for _ in range(ORDER.width):
        with pytest.raises(errors.Unavailable):
            await parent.order(ORDER)
    backend.refusal = None

    waiting = await parent.tasks()
    with pytest.raises(errors.Conflict):
        await parent.order(ORDER)
    parent.now_ms += TASK_BEGIN_S * 1000
    over = await parent.tasks()

    assert [one.state for one in waiting] == ["queued"] * ORDER.width
    assert [one.state for one in over] == ["failed"] * ORDER.width
    assert (await parent.order(ORDER)).state == "running"
