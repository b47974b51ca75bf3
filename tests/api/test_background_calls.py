"""A background call is a child of its session that makes one call and thinks nothing."""

import json
from uuid import UUID

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_kernel import errors
from mainspring_kernel.ids import Prefix, from_wire
from mainspring_schema.agents import decode_runtime_agent
from mainspring_schema.lineage import BY_PARENT
from mainspring_schema.session_tasks import CancelTask, MessageTask, StartCall
from tests.api.backend import Backend
from tests.api.test_resources import V1, made_agent, made_session
from tests.api.test_session_tasks import LOST, ORDER, Engine, Parent

Json = dict[str, object]
CALL = StartCall(name="build", tool="bash", arguments={"commands": "make"}, limit_s=900, width=2)


@pytest.fixture
def backend() -> Engine:
    return Engine()


@pytest.fixture
async def parent(client: httpx.AsyncClient, services: Services, backend: Backend) -> Parent:
    tool: Json = {"type": "client_side", "name": "ask_desk", "description": "x", "parameters": {}}
    agent = await made_agent(
        client, capabilities=[{"ref": "bashkit_shell"}, {"ref": "structured_output"}]
    )
    refs = [{"ref": "guardrails"}, {"ref": "background_execution"}, {"ref": "subagents"}]
    session = await made_session(client, agent_id=agent["id"], capabilities=refs, tools=[tool])
    return Parent(services, backend, from_wire(Prefix.SESSION, str(session["id"])))


async def test_the_same_call_starts_one_task_in_however_many_attempts(
    parent: Parent, backend: Backend
) -> None:
    first = await parent.order(CALL, key="call")
    again = await parent.order(CALL, key="call")

    assert (first.id, first.child_session_id) == (again.id, again.child_session_id)
    assert (first.kind, first.state) == ("background_tool", "running")
    assert len({submit.idempotency_key for submit in backend.submits}) == 1


async def test_its_child_has_the_tools_and_rules_of_its_parent_and_no_model(
    parent: Parent, backend: Backend
) -> None:
    await parent.order(CALL)

    submit = backend.submits[-1]
    runtime = decode_runtime_agent(submit.config or b"")
    assert [ref.ref for ref in runtime.capabilities] == ["bashkit_shell", "guardrails"]
    assert (runtime.model.driver, runtime.system_prompt, runtime.tools) == ("relay", "", ())
    assert (runtime.allowed_tools, runtime.call_limit_s) == (("bash",), 900)
    assert [from_wire(Prefix.SESSION, one) for one in runtime.ancestors] == [parent.id]
    (part,) = submit.message.content
    assert json.loads(msgspec.to_builtins(part)["text"]) == {
        "tool": "bash",
        "arguments": {"commands": "make"},
    }


async def test_its_end_wakes_the_session_unless_it_was_told_not_to(
    parent: Parent, backend: Backend
) -> None:
    task = await parent.order(CALL)
    loud = backend.submits[-1].spawned_by
    await parent.order(msgspec.structs.replace(CALL, wakes=False))
    quiet = backend.submits[-1].spawned_by

    assert loud is not None
    assert quiet is not None
    assert (loud.wakes, quiet.wakes) == (f"{task.id} (build)", None)


async def test_tasks_of_both_kinds_share_one_bound(parent: Parent) -> None:
    await parent.order(ORDER)
    await parent.order(CALL)

    with pytest.raises(errors.Conflict, match="at most 2 tasks"):
        await parent.order(CALL)


async def test_it_takes_no_messages(parent: Parent) -> None:
    task = await parent.order(CALL)

    with pytest.raises(errors.ValidationFailed, match="no messages"):
        await parent.order(MessageTask(id=task.id, text="Faster."))


async def test_a_cancel_by_its_agent_says_so(parent: Parent, backend: Backend) -> None:
    task = await parent.order(CALL)

    await parent.order(CancelTask(id=task.id))

    child: UUID = from_wire(Prefix.SESSION, task.child_session_id)
    assert [(one.session_id, one.reason) for one in backend.cancels] == [(child, BY_PARENT)]


@pytest.mark.parametrize("by", ["agent", "person", "cancel of the session"])
async def test_a_task_that_nobody_began_can_be_cancelled(
    parent: Parent, client: httpx.AsyncClient, backend: Engine, services: Services, by: str
) -> None:
    parent.now_ms = services.clock.wall_ms()
    backend.refusal = LOST
    with pytest.raises(errors.Unavailable):
        await parent.order(CALL)
    backend.refusal = None
    (queued,) = await parent.tasks()
    path = f"{V1}/sessions/{Prefix.SESSION.value}_{parent.id.hex}"

    match by:
        case "agent":
            assert (await parent.order(CancelTask(id=queued.id))).state == "canceled"
        case "person":
            answer = await client.post(f"{path}/tasks/{queued.id}/cancel", json={})
            assert answer.json()["state"] == "canceled"
        case _:
            await client.post(f"{path}/cancel", json={})

    (shown,) = await parent.tasks()
    assert (queued.state, shown.state) == ("queued", "canceled")


async def test_a_task_that_begins_although_it_was_cancelled_stands_as_its_log_says(
    parent: Parent, backend: Engine
) -> None:
    backend.refusal = LOST
    with pytest.raises(errors.Unavailable):
        await parent.order(CALL, key="call")
    backend.refusal = None
    (queued,) = await parent.tasks()
    await parent.order(CancelTask(id=queued.id))

    again = await parent.order(CALL, key="call")

    assert (again.id, again.state) == (queued.id, "running")


async def test_people_see_which_tasks_are_background_calls(
    parent: Parent, client: httpx.AsyncClient
) -> None:
    await parent.order(ORDER)
    task = await parent.order(CALL)

    path = f"{V1}/sessions/{Prefix.SESSION.value}_{parent.id.hex}/tasks"
    shown = (await client.get(path, params={"kind": "background_tool"})).json()["data"]

    assert [(one["id"], one["kind"]) for one in shown] == [(task.id, "background_tool")]
