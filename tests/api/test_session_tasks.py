"""What an agent spawns: one child per call, narrowed, followed, cancelled with its parent."""

from typing import TypeVar, cast
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.main import message_path
from mainspring_api.usecases import held
from mainspring_api.usecases.keeper import Keeper
from mainspring_kernel import errors
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, from_wire
from mainspring_schema.agents import decode_runtime_agent
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
from tests.api.backend import Backend
from tests.api.test_resources import V1, made_agent, made_session

A = TypeVar("A")
Json = dict[str, object]
ORDER = SpawnAgent(name="look", instructions="Look it up.", depth=1, width=2)


class Parent:
    """A session whose task is held, and what its tools ask."""

    def __init__(self, services: Services, backend: Backend, session_id: UUID) -> None:
        self.id, self._backend, self.calls = session_id, backend, 0
        self._services = services
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
            self._keeper, self._held, order, key=key or f"call {self.calls}", now_ms=1
        )
        return msgspec.msgpack.decode(data, type=SessionTaskView)

    async def ask(self, question: AnyQuestion, answer: type[A]) -> A:
        data = await held.ask(self._keeper, self._held, question)
        return msgspec.msgpack.decode(data, type=answer)

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
    assert [event.type for event in child.events] == ["session.started", "input.message"]


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
    listed = await parent.ask(ListSessionTasks(), SessionTasks)

    assert [one.state for one in stands] == ["succeeded", "failed", "awaiting_input"]
    assert (stands[0].result, stands[1].detail) == ("Found.", "no such model")
    assert {one.id for one in listed.tasks} == {done.id, failed.id, waiting.id}


def _wide() -> SpawnAgent:
    return msgspec.structs.replace(ORDER, width=9)


async def test_only_so_many_are_at_work_together(parent: Parent) -> None:
    first, _ = await parent.order(ORDER), await parent.order(ORDER)

    with pytest.raises(errors.Conflict):
        await parent.order(ORDER)
    parent.ends(first)
    assert (await parent.order(ORDER)).state == "running"


async def test_generations_end(parent: Parent) -> None:
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
