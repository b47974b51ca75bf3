"""Every POST of the document under an Idempotency-Key: one answer, one effect, no other body."""

import itertools
from collections.abc import AsyncIterator, Callable
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http import openapi
from mainspring_api.adapters.http.app import all_routes, application
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.http.wire.conversation import StreamQuery
from mainspring_api.domain.session_tasks import SessionTask
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, to_wire
from mainspring_schema import operations as ops
from mainspring_schema.plain import CancelPlainTask, RequeuePlainTask
from tests.api.backend import Backend
from tests.api.conftest import inside, wired
from tests.api.deliveries_backend import waiting
from tests.api.operators import LETTER, TASK, WORKER, FakeOperator
from tests.api.test_resources import V1, made_agent, made_session, message
from tests.api.test_schedules import SAY
from tests.api.watcher import uuid_of

Json = dict[str, object]
numbers = itertools.count()


class Document(msgspec.Struct):
    paths: dict[str, dict[str, object]]


DOCUMENT = msgspec.convert(openapi.document(all_routes(), StreamQuery), Document)
ROUTES = sorted((method.upper(), path) for path, one in DOCUMENT.paths.items() for method in one)
READS = {
    f"{V1}/agents/preview",
    f"{V1}/agents/analyze",
    f"{V1}/capabilities/guardrails/dry-run",
    f"{V1}/workspaces/{{workspace_id}}/fs/_/stat",
    f"{V1}/memories/{{memory_id}}/fs/_/stat",
    f"{V1}/sessions/{{session_id}}/fs/_/stat",
    f"{V1}/workspaces/{{workspace_id}}/fs/_/grep",
    f"{V1}/memories/{{memory_id}}/fs/_/grep",
    f"{V1}/sessions/{{session_id}}/fs/_/grep",
    f"{V1}/channels/{{channel_id}}/runtime-auth",
    f"{V1}/durable/ended",
}
"""They change nothing, so there is nothing to do once."""
SAID: Json = {"config": {}, "stage": "output", "text": "Hello."}
POSTS = [path for method, path in ROUTES if method == "POST" and path not in READS]
ORDERS = (
    ops.DrainWorker, ops.ResumeWorker, ops.ResolveLetter, ops.ResolveLetters, CancelPlainTask,
    RequeuePlainTask,
)  # fmt: skip
ORG = to_wire(Prefix.ORG, DEFAULT_ORG_ID)
KINDS = (
    ("memory", "memories"),
    ("provider", "providers"),
    ("budget", "budgets"),
    ("server", "mcp-servers"),
)
FIRST, SECOND = (to_wire(Prefix.MESSAGE, UUID(int=number)) for number in (1, 2))
DELEGATING = {"delegates_approvals": True}
ENDLESS = {
    f"{V1}/channels/{{channel_id}}/sessions/{{session_id}}/sse",
    f"{V1}/sessions/{{session_id}}/sse",
    f"{V1}/durable/sse",
    f"{V1}/durable/workflows/{{workflow_id}}/sse",
}


def named(text: str) -> Json:
    return {"name": text, "system_prompt": text}


def decision(text: str) -> Json:
    return {"decisions": [{"tool_call_id": "call_2", "decision": "reject", "reason": text}]}


def said(text: str) -> Json:
    return {"answers": [{"id": "q", "other_text": text}]}


def transfer(text: str) -> Json:
    return {"src_path": "/there.txt", "dst_path": f"/{text}.txt"}


Body = Callable[[str], Json]
BODIES: dict[str, Body] = {
    f"{V1}/agents": named,
    f"{V1}/agents/import": lambda text: named(f"imported-{text}"),
    f"{V1}/agents/{{agent_id}}/channels": lambda text: {"name": text},
    f"{V1}/channels/{{channel_id}}/sessions": lambda text: {"title": text},
    f"{V1}/channels/{{channel_id}}/sessions/{{session_id}}/messages": message,
    f"{V1}/harnesses": named,
    f"{V1}/workspaces": named,
    f"{V1}/memories": lambda text: {"name": text, "source": {"url": "https://git.test/x"}},
    f"{V1}/memories/{{memory_id}}/fs/{{path}}": lambda text: {"content": text},
    f"{V1}/providers": lambda text: {"name": text, "provider_type": "openai", "api_key": text},
    f"{V1}/mcp-servers": lambda text: {"name": text, "url": "https://docs.test/mcp"},
    f"{V1}/models": lambda text: {"provider_id": "{provider_id}", "model_id": text},
    f"{V1}/user/connections/{{provider}}": lambda text: {"api_key": text},
    f"{V1}/orgs": named,
    f"{V1}/sessions": lambda text: {"title": text},
    f"{V1}/agents/{{agent_id}}/copy": lambda text: {"reason": text},
    f"{V1}/agents/{{agent_id}}/delete": lambda text: {"reason": text},
    f"{V1}/harnesses/{{harness_id}}/delete": lambda text: {"reason": text},
    f"{V1}/agents/{{agent_id}}/versions": lambda text: {"summary": text},
    f"{V1}/agents/{{agent_id}}/versions/default": lambda text: {
        "version_id": "{version_id}", "title": text,
    },
    f"{V1}/agents/{{agent_id}}/versions/{{version_id}}/fork": lambda text: {
        "name": f"fork-{text}",
    },
    f"{V1}/agents/{{agent_id}}/versions/{{version_id}}/rollback": lambda text: {"summary": text},
    f"{V1}/sessions/{{session_id}}/messages": message,
    f"{V1}/sessions/{{session_id}}/tool-results": lambda text: {
        "tool_results": [{"tool_call_id": "call_1", "result": text}]
    },
    f"{V1}/sessions/{{session_id}}/tool-approvals": decision,
    f"{V1}/sessions/{{session_id}}/question-answers": said,
    f"{V1}/channels/{{channel_id}}/sessions/{{session_id}}/tool-approvals": decision,
    f"{V1}/channels/{{channel_id}}/sessions/{{session_id}}/question-answers": said,
    f"{V1}/sessions/{{session_id}}/fork": lambda text: {"title": text},
    f"{V1}/sessions/{{session_id}}/inbox/order": lambda text: {
        "message_ids": [SECOND, FIRST] if text == "one" else [SECOND],
    },
    f"{V1}/budgets": lambda text: {
        "subject_type": "organization", "subject_id": ORG, "currency": "calls",
        "limit": 5, "metadata": {"for": text},
    },
    f"{V1}/budgets/{{budget_id}}/top-up": lambda text: {"amount": 1, "description": text},
    f"{V1}/workspaces/{{workspace_id}}/fs/_/move": transfer,
    f"{V1}/workspaces/{{workspace_id}}/fs/_/copy": transfer,
    f"{V1}/sessions/{{session_id}}/fs/_/move": transfer,
    f"{V1}/sessions/{{session_id}}/fs/_/copy": transfer,
    f"{V1}/sessions/{{session_id}}/fs/{{path}}": lambda text: {"content": text},
    f"{V1}/workspaces/{{workspace_id}}/fs/{{path}}": lambda text: {"content": text},
    f"{V1}/durable/schedules": lambda text: {
        "name": text, "interval_seconds": 86_400, "target": SAY,
    },
    f"{V1}/durable/tasks": lambda text: {"type": "render", "input": [text]},
    f"{V1}/durable/tasks/batch": lambda text: {"tasks": [{"type": "render", "input": [text]}]},
    f"{V1}/durable/tasks/{{task_id}}/requeue": lambda text: {
        "id": to_wire(Prefix.TASK, uuid5(NAMESPACE_URL, text)),
    },
    f"{V1}/durable/workflows": lambda text: {"type": "order", "input": [text]},
    f"{V1}/durable/workflows/{{workflow_id}}/signal": lambda text: {"name": text},
    f"{V1}/durable/workflows/{{workflow_id}}/fork": lambda text: {"step": text},
}  # fmt: skip


def body_of(path: str, text: str) -> Json:
    """Routes that are not named above need none, and may have a reason."""
    return BODIES[path](text) if path in BODIES else {"reason": text}


class House:
    """One application, and one of each thing there is in it."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        services: Services,
        backend: Backend,
        operator: FakeOperator,
    ) -> None:
        self.client = client
        self._services = services
        self._backend = backend
        self._operator = operator
        self._ids: dict[str, str] = {}

    async def furnish(self) -> None:
        client, durable = self.client, f"{V1}/durable"
        agent = await made_agent(client, name=f"helper-{next(numbers)}")
        session = await self._furnish_channel(str(agent["id"]))
        self._engage(uuid_of(session))
        self._operator.letter = LETTER
        file = {"content": "x"}
        await client.post(f"{V1}/sessions/{session['id']}/fs/there.txt", json=file)
        versions = f"{V1}/agents/{agent['id']}/versions"
        self._ids["version_id"] = await self._id_of(versions)
        for name, plural in KINDS:
            self._ids[f"{name}_id"] = await self._id_of(f"{V1}/{plural}")
        await client.post(f"{V1}/memories/{self._ids['memory_id']}/fs/there.txt", json=file)
        checks = f"{V1}/agents/{agent['id']}/health-checks"
        schedule = await self._id_of(f"{durable}/schedules")
        slot = (await client.post(f"{durable}/schedules/{schedule}/trigger")).json()
        await client.post(f"{durable}/circuit-breakers/circuit:nobody/open", json={})
        self._ids |= {
            "other_id": self._ids["version_id"],
            "check_id": await self._id_of(checks),
            "agent_id": str(agent["id"]),
            "session_id": str(session["id"]),
            "workspace_id": str(session["workspace_id"]),
            "harness_id": await self._id_of(f"{V1}/harnesses"),
            "schedule_id": schedule,
            "execution_id": str(slot["id"]),
            "workflow_id": await self._id_of(f"{durable}/workflows"),
            "session_task_id": await self._spawned(uuid_of(session)),
            "key": "circuit:nobody",
            "message_id": FIRST,
            "task_id": f"task_{TASK.hex}",
            "worker_id": f"worker_{WORKER.hex}",
            "model_id": "model_01933b5a000070008000000000000401",
            "provider": "daytona",
            "org_id": ORG,
            "key_id": "apikey_" + "0" * 32,
            "name": "TOKEN",
            "capability_id": "current_time",
            "id": str(session["id"]),
        }

    async def _spawned(self, session_id: UUID) -> str:
        """A child that is at work."""
        child = uuid_of(await made_session(self.client))
        self._backend.sessions[child].status = "active"
        task = SessionTask(
            org_id=DEFAULT_ORG_ID,
            id=self._services.ids.uuid7(),
            owner_id=session_id,
            key=child.hex,
            name="look",
            instructions="Look.",
            child_id=child,
            message_id=child,
            turn_id=child,
            created_ms=1,
            updated_ms=1,
        )
        async with self._services.store.transaction(DEFAULT_ORG_ID) as tx:
            await tx.put_record(task)
        return to_wire(Prefix.TASK, task.id)

    def _engage(self, session_id: UUID) -> None:
        """A turn of it waits for whatever a turn may wait for, and messages wait for it."""
        self._operator.inbox.kept.clear()
        self._operator.inbox.put(waiting(1, FIRST), waiting(2, SECOND))
        self._backend.waiting_calls[session_id] = "call_1"
        self._backend.ask_leave(session_id, "call_2")
        self._backend.ask_question(session_id, "call_3")
        self._backend.sessions[session_id].status = "active"

    async def _furnish_channel(self, agent_id: str) -> Json:
        """The session of whoever holds the channel's key."""
        made = (await self.client.post(f"{V1}/agents/{agent_id}/channels", json=DELEGATING)).json()
        self._ids["channel_id"] = str(made["id"])
        self.client.headers["Authorization"] = f"Bearer {made['keys'][0]['key']}"
        self.client.headers["End-User"] = "somebody"
        session = await self.client.post(f"{V1}/channels/{made['id']}/sessions", json={})
        return msgspec.convert(session.json(), Json)

    def body(self, path: str, text: str) -> Json:
        body = body_of(path, text)
        known = [name for name, value in body.items() if value == f"{{{name}}}"]
        return body | {name: self._ids[name] for name in known}

    async def _id_of(self, path: str) -> str:
        made = await self.client.post(path, json=body_of(path, f"first-{next(numbers)}"))
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def filled(self, path: str, file: str = "there.txt") -> str:
        return path.format(path=file, **self._ids)

    async def seen(self) -> Json:
        """Whatever can be read, and what was told to those who show nothing here."""
        answers = {
            path: (await self.client.get(self.filled(path))).text
            for method, path in ROUTES
            if method == "GET" and path not in ENDLESS
        }
        orders = [one for one in self._operator.asked if isinstance(one, ORDERS)]
        backend = self._backend
        resumed = len(self._operator.budgets.resumed)
        told = (
            len(orders), resumed, len(backend.signals), len(backend.tasks), len(backend.cancels),
            *backend.waiting_calls,
        )  # fmt: skip
        return {**answers, "commands": told}


@pytest.fixture(scope="module")
async def built() -> AsyncIterator[House]:
    """One application for all, for it takes longer than a test."""
    backend, operator = Backend(), FakeOperator()
    services = wired(backend, operator)
    async with inside(application(services)) as client:
        yield House(client, services, backend, operator)


@pytest.fixture
async def house(built: House) -> House:
    await built.furnish()
    return built


@pytest.mark.parametrize("path", POSTS)
async def test_a_post_with_a_key_happens_once(house: House, path: str) -> None:
    target, key = house.filled(path, file="new.txt"), {"Idempotency-Key": f"key-{next(numbers)}"}
    if path.endswith("/delete"):  # only what is archived
        await house.client.delete(target.removesuffix("/delete"))
    before = await house.seen()

    first = await house.client.post(target, json=house.body(path, "one"), headers=key)
    after = await house.seen()
    again = await house.client.post(target, json=house.body(path, "one"), headers=key)
    other = await house.client.post(target, json=house.body(path, "two"), headers=key)

    assert first.status_code in (200, 201), first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
    assert before != after == await house.seen()


@pytest.mark.parametrize("path", sorted(READS))
async def test_a_reading_post_takes_a_key_and_changes_nothing(house: House, path: str) -> None:
    target, body = (
        house.filled(path),
        {"path": "/there.txt", "system_prompt": "Help.", "pattern": "x"} | SAID,
    )
    if path.endswith("/ended"):
        body = {"ids": ["task_" + "0" * 32]}
    before = await house.seen()

    answers = [
        await house.client.post(target, json=body, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert before == await house.seen()
