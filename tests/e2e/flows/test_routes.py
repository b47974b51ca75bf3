"""What holds for every route of a kind, whichever the document names."""

from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx
import msgspec
import pytest

from tests.e2e.flows.wire import Json, Wire, unique

pytestmark = pytest.mark.stack
HELLO: Json = {"message": {"role": "user", "content": [{"type": "text", "text": "Hello"}]}}
TOOL: Json = {"type": "client_side", "name": "look_up", "description": "Looks up"}

NOTE = "/note.md"


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """One of each thing that has an id of its own, in one organization."""

    agent_id: str
    session_id: str
    workspace_id: str
    harness_id: str
    call_id: str
    circuit_key: str
    """Of a model that nobody has; circuits belong to no organization."""


@pytest.fixture
async def ground(wire: Wire) -> Ground:
    return await made_ground(wire)


@pytest.fixture
async def alone(wire: Wire, base_url: str) -> AsyncIterator[Wire]:
    """In an organization where nobody else works."""
    organization = await wire.make("/orgs", {"name": unique("alone")})
    async with Wire(f"{base_url}/v1", **{"X-Org-Id": str(organization["id"])}) as alone:
        yield alone


async def made_ground(wire: Wire) -> Ground:
    agent = await wire.make("/agents", {"name": unique("ground"), "system_prompt": "Help."})
    file: Json = {"path": NOTE, "content": "# Note"}
    session = await wire.make(
        "/sessions", {"agent_id": agent["id"], "tools": [TOOL], "initial_files": [file]}
    )
    await wire.say(str(session["id"]), "Look up this")
    waiting = await wire.until(str(session["id"]), "tool.call_requested")
    circuit = f"circuit:{unique('nobody')}"
    await wire.ask("POST", f"/durable/circuit-breakers/{circuit}/open", {})
    (call,) = cast("list[Json]", waiting[-1].data["tool_calls"])
    return Ground(
        agent_id=str(agent["id"]),
        session_id=str(session["id"]),
        workspace_id=str(session["workspace_id"]),
        harness_id=str(session["harness_id"]),
        call_id=str(call["id"]),
        circuit_key=circuit,
    )


async def routes(wire: Wire) -> list[tuple[str, str]]:
    document = await wire.ask("GET", "/../../api-doc/openapi.json")
    paths = cast("dict[str, Json]", document.json()["paths"])
    return [
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/v1")
    ]


NOBODYS = {
    "version_id": "agentver_" + "0" * 32,
    "other_id": "agentver_" + "0" * 32,
    "check_id": "check_" + "0" * 32,
    "name": "TOKEN",
    "channel_id": "apichan_" + "0" * 32,
    "key_id": "apikey_" + "0" * 32,
    "server_id": "mcp_" + "0" * 32,
    "session_task_id": "task_" + "0" * 32,
    "message_id": "message_" + "0" * 32,
}
"""Below things that have an owner: the owner is asked for first."""


def filled(path: str, ground: Ground) -> str:
    values = {name: str(getattr(ground, name)) for name in ground.__struct_fields__}
    values |= {"path": f"{unique('file')}.txt", "key": ground.circuit_key} | NOBODYS
    return path.format(**values)


# ── Idempotency-Key ─────────────────────────────────────────────────────────────────────────────

Body = Callable[[Ground], Json]
BODIES: dict[str, Body] = {
    "/agents": lambda _: {"name": unique("once"), "system_prompt": "Help."},
    "/agents/preview": lambda _: {"system_prompt": "Help."},
    "/harnesses": lambda _: {"name": unique("once"), "display_name": "Once"},
    "/sessions": lambda ground: {"agent_id": ground.agent_id, "title": unique("once")},
    "/sessions/{session_id}/cancel": lambda _: {},
    "/sessions/{session_id}/tool-results": lambda ground: {
        "tool_results": [{"tool_call_id": ground.call_id, "result": {"found": True}}]
    },
    "/sessions/{session_id}/messages": lambda _: HELLO,
    "/workspaces": lambda _: {"name": unique("once")},
    "/workspaces/{workspace_id}/fs/_/stat": lambda _: {"path": NOTE},
    "/workspaces/{workspace_id}/fs/{path}": lambda _: {"content": unique("once")},
    "/sessions/{session_id}/fs/_/stat": lambda _: {"path": NOTE},
    "/sessions/{session_id}/fs/{path}": lambda _: {"content": unique("once")},
    "/orgs": lambda _: {"name": unique("once")},
    "/durable/circuit-breakers/{key}/open": lambda _: {"reason": unique("once")},
    "/durable/circuit-breakers/{key}/close": lambda _: {"reason": unique("once")},
}


TRANSFER: Json = {"src_path": "/a.txt", "dst_path": "/b.txt"}
ALLOWED: Json = {"decisions": [{"tool_call_id": "call_1_0", "decision": "allow"}]}
ANSWERED: Json = {"answers": [{"id": "colour", "selected": "red"}]}
OF_API_ALONE: dict[str, Json] = {
    "/sessions/{session_id}/tool-approvals": ALLOWED,
    "/sessions/{session_id}/question-answers": ANSWERED,
    "/channels/{channel_id}/sessions/{session_id}/tool-approvals": ALLOWED,
    "/channels/{channel_id}/sessions/{session_id}/question-answers": ANSWERED,
    "/agents/{agent_id}/channels": {},
    "/agents/{agent_id}/channels/{channel_id}/keys": {},
    "/channels/{channel_id}/sessions": {},
    "/channels/{channel_id}/runtime-auth": {},
    "/channels/{channel_id}/sessions/{session_id}/messages": HELLO,
    "/channels/{channel_id}/sessions/{session_id}/cancel": {},
    "/sessions/{session_id}/resume": {},
    "/sessions/{session_id}/fork": {},
    "/sessions/{session_id}/inbox/order": {"message_ids": ["message_" + "0" * 32]},
    "/budgets": {
        "subject_type": "session",
        "subject_id": "session_" + "0" * 32,
        "currency": "tokens",
        "limit": 1,
    },
    "/budgets/{budget_id}/top-up": {"amount": 1},
    "/capabilities/guardrails/dry-run": {"text": "x"},
    "/memories": {"name": "m"},
    "/memories/{memory_id}/fs/_/grep": {"pattern": "x"},
    "/workspaces/{workspace_id}/fs/_/grep": {"pattern": "x"},
    "/workspaces/{workspace_id}/fs/_/move": TRANSFER,
    "/workspaces/{workspace_id}/fs/_/copy": TRANSFER,
    "/sessions/{session_id}/fs/_/grep": {"pattern": "x"},
    "/sessions/{session_id}/fs/_/move": TRANSFER,
    "/sessions/{session_id}/fs/_/copy": TRANSFER,
    "/memories/{memory_id}/sync": {},
    "/memories/{memory_id}/fs/_/stat": {"path": NOTE},
    "/memories/{memory_id}/fs/{path}": {"content": "x"},
    "/providers": {"name": "p", "provider_type": "openai"},
    "/providers/{provider_id}/sync-models": {},
    "/sessions/{session_id}/tasks/{session_task_id}/cancel": {},
    "/mcp-servers": {"name": "m", "url": "https://m.test"},
    "/models": {"provider_id": "provider_" + "0" * 32, "model_id": "m"},
    "/user/connections/{provider}": {"api_key": "k"},
    "/agents/analyze": {"system_prompt": "Help."},
    "/agents/import": {"name": "imported", "system_prompt": "Help."},
    "/agents/{agent_id}/copy": {},
    "/agents/{agent_id}/delete": {},
    "/agents/{agent_id}/health-checks": {},
    "/agents/{agent_id}/versions": {},
    "/agents/{agent_id}/versions/default": {"version_id": NOBODYS["version_id"]},
    "/agents/{agent_id}/versions/{version_id}/fork": {"name": "a-fork"},
    "/agents/{agent_id}/versions/{version_id}/rollback": {},
    "/harnesses/{harness_id}/copy": {},
    "/harnesses/{harness_id}/delete": {},
    "/sessions/{session_id}/migration": {},
}
"""One transaction of api and its key: a stack of processes shows nothing more of them."""


async def test_every_post_route_is_tried_below_or_over_the_application_alone(wire: Wire) -> None:
    """`tests/api/test_request_keys.py` tries all; what is durable needs what no stack has."""
    posts = {path for method, path in await routes(wire) if method == "POST"}

    elsewhere = {path for path in posts if path.startswith("/durable/")} | OF_API_ALONE.keys()
    assert posts - elsewhere == BODIES.keys() - elsewhere


READS = {
    "/agents/preview",
    "/workspaces/{workspace_id}/fs/_/stat",
    "/sessions/{session_id}/fs/_/stat",
}
"""They change nothing, so there is nothing to do once."""


@pytest.mark.parametrize("path", sorted(READS))
async def test_a_reading_post_takes_a_key_and_reads_anew(
    wire: Wire, ground: Ground, path: str
) -> None:
    body, key = BODIES[path](ground), unique("key")

    answers = [
        await wire.ask("POST", filled(path, ground), body, Idempotency_Key=key) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


STARTING = {
    "/sessions/{session_id}/cancel",
    "/sessions/{session_id}/messages",
    "/sessions/{session_id}/tool-results",
}
"""What they set going must have come to rest before anybody can tell that nothing more happens."""


@pytest.mark.parametrize("path", sorted(BODIES.keys() - READS))
async def test_a_post_with_a_key_happens_once(alone: Wire, path: str) -> None:
    ground = await made_ground(alone)
    target, key, body = filled(path, ground), unique("key"), BODIES[path](ground)
    circuit = target.rpartition("/")[0] if "{key}" in path else ""
    before = await everything(alone, ground, circuit)

    first = await alone.ask("POST", target, body, Idempotency_Key=key)
    if path in STARTING:
        await alone.to_rest(ground.session_id)
    after = await everything(alone, ground, circuit)
    again = await alone.ask("POST", target, body, Idempotency_Key=key)
    other = await alone.ask("POST", target, {**body, "title": "another"}, Idempotency_Key=key)

    assert first.status_code in (200, 201), first.text
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
    assert before != after == await everything(alone, ground, circuit)


async def everything(wire: Wire, ground: Ground, circuit: str) -> dict[str, object]:
    """What an organization can see of itself, and of what it shares with others."""
    paths = (
        "/agents", "/harnesses", "/sessions", "/workspaces", "/orgs",
        f"/sessions/{ground.session_id}",
        f"/sessions/{ground.session_id}/events?limit=1000",
        f"/sessions/{ground.session_id}/messages",
        f"/sessions/{ground.session_id}/fs?recursive=true",
        f"/workspaces/{ground.workspace_id}/fs?recursive=true",
    )  # fmt: skip
    seen: dict[str, object] = {path: await wire.get(path) for path in paths}
    if circuit:
        seen[circuit] = (await wire.ask("GET", circuit)).text
    return seen


async def test_a_repeated_message_is_one_input(wire: Wire) -> None:
    session, key = await wire.session(), unique("key")
    path = f"/sessions/{session}/messages"

    for _ in range(3):
        await wire.ask("POST", path, HELLO, Idempotency_Key=key)
    await wire.to_rest(session)
    events = await wire.events(session)

    assert [event.type for event in events].count("input.message") == 1


# ── organizations ───────────────────────────────────────────────────────────────────────────────


MAKING = {("PUT", "/agents/{agent_id}")}
"""Takes an id from its client, so it finds nothing and makes one of its own."""


async def test_an_agent_put_under_a_foreign_id_is_another_one(
    wire: Wire, base_url: str, ground: Ground
) -> None:
    organization = await wire.make("/orgs", {"name": unique("other")})
    body: Json = {"name": unique("same-id"), "system_prompt": "Mine."}

    async with Wire(f"{base_url}/v1", **{"X-Org-Id": str(organization["id"])}) as stranger:
        put = await stranger.ask("PUT", f"/agents/{ground.agent_id}", body)

    assert put.status_code in (200, 201), put.text
    assert (await wire.get(f"/agents/{ground.agent_id}"))["system_prompt"] == "Help."


async def test_things_of_another_organization_are_not_found_by_any_route(
    wire: Wire, base_url: str, ground: Ground
) -> None:
    organization = await wire.make("/orgs", {"name": unique("other")})
    own = ("{session_id}", "{agent_id}", "{workspace_id}")
    tried = [
        (method, path)
        for method, path in await routes(wire)
        if any(name in path for name in own) and (method, path) not in MAKING
    ]
    answers: dict[str, int] = {}

    async with Wire(f"{base_url}/v1", **{"X-Org-Id": str(organization["id"])}) as stranger:
        for method, path in tried:
            body = EDIT if path.endswith("{message_id}") else body_of(method)
            if method == "POST":
                body = OF_API_ALONE[path] if path in OF_API_ALONE else BODIES[path](ground)
            answer = await stranger.ask(method, filled(path, ground), body)
            answers[f"{method} {path}"] = answer.status_code

    assert "GET /sessions/{session_id}/sse" in answers
    # A channel does not even tell a stranger that it is not there.
    refused = {route: 401 if " /channels/" in route else 404 for route in answers}
    assert answers == refused
    assert (await wire.get(f"/sessions/{ground.session_id}"))["status"] == "waitingfortoolresults"


EDIT: Json = {"content": [{"type": "text", "text": "x"}]}


def body_of(method: str) -> Json | None:
    return {"content": "x", "secrets": {}} if method in ("PUT", "PATCH") else None


async def test_an_unknown_organization_is_not_found(base_url: str) -> None:
    async with Wire(f"{base_url}/v1", **{"X-Org-Id": "org_" + "0" * 31 + "1"}) as nobody:
        answer: httpx.Response = await nobody.ask("GET", "/agents")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
