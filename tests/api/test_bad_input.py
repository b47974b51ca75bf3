from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from mainspring_api.adapters.http.app import application
from mainspring_kernel.ids import Prefix, position_id, to_wire
from mainspring_schema.commands import own_key
from tests.api.backend import Backend
from tests.api.conftest import inside, wired
from tests.api.test_resources import V1, made_session, message

TEXT = {"content": [{"type": "text", "text": "x"}]}
Json = dict[str, object]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """One application for all: what is refused leaves nothing behind."""
    async with inside(application(wired(Backend()))) as client:
        yield client


async def refused(client: httpx.AsyncClient, content: bytes, **headers: str) -> tuple[int, str]:
    answer = await client.post(f"{V1}/agents", content=content, headers=JSON | headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert answer.json()["error"]["code"] == answer.json()["code"]
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "malformed_body"),
        (b"", 422, "validation_failed"),
        (b"[]", 422, "validation_failed"),
        (b'{"name": "\xff", "system_prompt": ""}', 400, "malformed_body"),
        (b'{"name": "a", "system_prompt": "\\u0000"}', 400, "malformed_body"),
        (b'{"name": "a", "system_prompt": "\x00"}', 400, "malformed_body"),
        (b'{"name": "a", "system_prompt": "\\ud800"}', 400, "malformed_body"),
        (b'{"name": "Not A Name", "system_prompt": ""}', 422, "validation_failed"),
        (b'{"name": 3, "system_prompt": ""}', 422, "validation_failed"),
        (b'{"name": "a"}', 422, "validation_failed"),
        (b'{"name":"a","system_prompt":"","max_iterations":0}', 422, "validation_failed"),
        (b'{"name":"a","system_prompt":"","default_model_id":"x"}', 400, "invalid_id"),
        (b'{"name":"a","system_prompt":"","harness_id":"agent_1"}', 400, "invalid_id"),
        (b'{"name":"a","system_prompt":"","harness_name":"nowhere"}', 404, "not_found"),
        (b'{"name":"a","system_prompt":"","id":"agent_xyz"}', 400, "invalid_id"),
        (
            b'{"name":"a","system_prompt":"","hints":' + b'{"a":' * 70 + b"1" + b"}" * 71,
            400,
            "malformed_body",
        ),
        (b'{"a":' * 100_000, 400, "malformed_body"),
        (
            b'{"name":"a","system_prompt":"","initial_files":[{"path":"../x","content":""}]}',
            422,
            "validation_failed",
        ),
        (
            b'{"name":"a","system_prompt":"","initial_files":'
            b'[{"path":"x","content":"?","encoding":"base64"}]}',
            422,
            "validation_failed",
        ),
        (
            b'{"name":"a","system_prompt":"","tools":[{"name":"t","parameters":{"type":"array"}}]}',
            422,
            "invalid_tool_schema",
        ),
        (
            b'{"name":"a","system_prompt":"","tools":[{"name":"t"},{"name":"t"}]}',
            422,
            "validation_failed",
        ),
    ],
)
async def test_a_bad_body_is_named(
    client: httpx.AsyncClient, content: bytes, status: int, code: str
) -> None:
    assert await refused(client, content) == (status, code)


async def test_a_body_over_the_bound_is_refused(client: httpx.AsyncClient) -> None:
    content = b'{"name":"a","system_prompt":"' + b"x" * (1 << 20) + b'"}'

    assert await refused(client, content) == (413, "payload_too_large")


async def test_another_media_type_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await client.post(f"{V1}/agents", content=b"{}", headers=headers)

    assert answer.status_code == 415


@pytest.mark.parametrize("key", ["", "x" * 256, own_key("ended:x")])
async def test_a_bad_key_is_refused(client: httpx.AsyncClient, key: str) -> None:
    status, code = await refused(
        client, b'{"name":"a","system_prompt":""}', **{"Idempotency-Key": key}
    )

    assert (status, code) == (400, "invalid_parameter")


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("durable/workflows", "type, workflow_type, key, status, before, limit"),
        ("durable/workflows/workflow_" + "1" * 32, "none"),
        ("durable/health", "none"),
    ],
)
async def test_an_unknown_parameter_of_a_durable_route_is_refused(
    client: httpx.AsyncClient, path: str, known: str
) -> None:
    answer = await client.get(f"{V1}/{path}?wat=1")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert f"no parameter 'wat' here: there are {known}" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["agents", "durable/dlq"])
async def test_an_unknown_parameter_of_the_older_routes_is_ignored(
    client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.get(f"{V1}/{path}?wat=1")).status_code == 200


@pytest.mark.parametrize(
    "content", [b'{"title": "\\ud800"}', b'{"title": "\\ud800", "tags": ["a"]}']
)
async def test_half_of_a_surrogate_pair_is_named(client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await client.post(f"{V1}/sessions", content=content, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")
    assert "surrogate" in answer.json()["detail"]


async def test_a_path_that_is_no_utf_8_is_refused_and_the_sign_of_it_may_be_written(
    client: httpx.AsyncClient,
) -> None:
    session = await made_session(client)
    at = f"{V1}/sessions/{session['id']}/fs"

    refused = [await client.post(f"{at}/{name}", json={"content": "x"}) for name in ("%FF", "a%C3")]
    written = await client.post(f"{at}/%EF%BF%BD", json={"content": "x"})

    assert [(one.status_code, one.json()["code"]) for one in refused] == [
        (400, "invalid_parameter")
    ] * 2
    assert (written.status_code, written.json()["path"]) == (201, "/\ufffd")


async def test_unknown_members_are_ignored(client: httpx.AsyncClient) -> None:
    body = {"name": "a", "system_prompt": "", "org_id": "org_1", "nonsense": {"x": 1}}

    assert (await client.post(f"{V1}/agents", json=body)).status_code == 201


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("since_id=event_" + "0" * 32 + "&after_sequence=1", "conflicting_cursors"),
        ("since_id=nonsense", "invalid_id"),
        ("since_id=event_" + "0" * 32, "invalid_id"),
        ("types=no.such.type", "unknown_event_type"),
        ("exclude=no.such.type", "unknown_event_type"),
        ("after_sequence=-1", "invalid_parameter"),
        ("after_sequence=x", "invalid_parameter"),
        ("after_sequence=1&after_sequence=2", "invalid_parameter"),
        ("types=%ff", "invalid_parameter"),
        ("types=%00", "invalid_parameter"),
    ],
)
@pytest.mark.parametrize("route", ["events", "sse"])
async def test_a_bad_query_is_named(
    client: httpx.AsyncClient, route: str, query: str, code: str
) -> None:
    session = await made_session(client)

    answer = await client.get(f"{V1}/sessions/{session['id']}/{route}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "from_ts=yesterday",
        "turn_id=turn_1",
        "exec_id=exec_1",
        "trace_id=x",
        "window=-1",
        "order_desc=maybe",
    ],
)
async def test_a_bad_filter_is_400(client: httpx.AsyncClient, query: str) -> None:
    session = await made_session(client)

    answer = await client.get(f"{V1}/sessions/{session['id']}/events?{query}")

    assert answer.status_code == 400


async def test_a_time_whose_plus_was_read_as_a_blank_is_told_so(client: httpx.AsyncClient) -> None:
    at = f"{V1}/sessions/{(await made_session(client))['id']}/events"
    asked = [f"{at}?from_ts=2026-11-30T08:00:00{zone}" for zone in ("+01:00", "%2B01:00")]
    raw, right = [await client.get(url) for url in asked]

    assert (raw.status_code, "%2B" in raw.text, right.status_code) == (400, True, 200)


async def test_a_cursor_of_another_session_is_refused(client: httpx.AsyncClient) -> None:
    one, other = await made_session(client), await made_session(client)
    events = (await client.get(f"{V1}/sessions/{one['id']}/events")).json()["data"]

    answers = [
        await client.get(f"{V1}/sessions/{other['id']}/{route}?since_id={events[0]['id']}")
        for route in ("events", "sse")
    ]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert {answer.json()["code"] for answer in answers} == {"cursor_mismatch"}


@pytest.mark.parametrize("route", ["events", "sse"])
@pytest.mark.parametrize(
    ("epoch", "ahead"),
    [(1, 1), (2, 0)],
    ids=["past the end", "of a later store"],
)
async def test_a_cursor_that_nobody_can_have_seen_is_refused(
    client: httpx.AsyncClient, route: str, epoch: int, ahead: int
) -> None:
    session = await made_session(client)
    id_ = UUID(str(session["id"]).removeprefix("session_"))
    seq = await last_sequence(client, session) + ahead
    event_id = to_wire(Prefix.EVENT, position_id(epoch, seq, 0, id_))

    answer = await client.get(f"{V1}/sessions/{session['id']}/{route}?since_id={event_id}")

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")


@pytest.mark.parametrize("route", ["events", "sse"])
async def test_a_sequence_past_the_end_is_refused(client: httpx.AsyncClient, route: str) -> None:
    session = await made_session(client)
    seq = await last_sequence(client, session) + 1

    answer = await client.get(f"{V1}/sessions/{session['id']}/{route}?after_sequence={seq}")

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")


async def test_after_the_newest_event_there_is_nothing_yet(client: httpx.AsyncClient) -> None:
    session = await made_session(client)
    path = f"{V1}/sessions/{session['id']}/events"
    newest = (await client.get(path)).json()["data"][-1]

    answers = [
        await client.get(f"{path}?{cursor}")
        for cursor in (f"since_id={newest['id']}", f"after_sequence={newest['sequence']}")
    ]

    assert [(one.status_code, one.json()) for one in answers] == [(200, {"data": []})] * 2


async def last_sequence(client: httpx.AsyncClient, session: dict[str, object]) -> int:
    events = (await client.get(f"{V1}/sessions/{session['id']}/events")).json()["data"]
    return events[-1]["sequence"]


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/nowhere", "/api/v1/agents/x/y"])
async def test_an_unknown_route_is_a_problem_too(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_an_unknown_method_says_which_there_are(client: httpx.AsyncClient) -> None:
    answer = await client.put(f"{V1}/agents")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "POST", "OPTIONS"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "workflows", {"type": "order"}),
        ("POST", f"workflows/workflow_{'0' * 32}/signal", {"name": "go"}),
        ("POST", f"workflows/workflow_{'0' * 32}/cancel", {}),
        ("POST", "dead-letters/requeue", {}),
        ("POST", "dead-letters/discard", {}),
        ("PUT", "limits/queue:x", {"at_once": 1}),
        ("PUT", f"weights/org_{'0' * 32}", {"weight": 1}),
    ],
)
async def test_routes_of_our_own_refuse_unknown_members(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, object]
) -> None:
    answer = await client.request(method, f"{V1}/durable/{path}", json=body | {"nonsense": 1})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "nonsense" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"message": {"content": []}},
        {"message": {"role": "agent", "content": [{"type": "text", "text": "x"}]}},
        {"message": {"content": [{"type": "tool_call", "id": "1", "name": "x"}]}},
        {"message": {"content": [{"type": "tool_result", "tool_call_id": "1"}]}},
        {"message": {"content": [{"text": "x"}]}},
        {"message": {"content": [{"type": "image"}]}},
        {"message": {"content": [{"type": "image", "url": "javascript:x"}]}},
        {"message": {"content": [{"type": "image", "base64": "@@@"}]}},
        {"message": {"content": [{"type": "image", "url": "https://x", "base64": ""}]}},
        {"message": {"content": [{"type": "image", "base64": ""}]}},
        {"message": {"content": [{"type": "image", "base64": "aGk=", "media_type": "a/b"}]}},
        {"message": {"content": [{"type": "image", "url": "https://x", "media_type": "IMAGE/x"}]}},
        {"message": TEXT, "controls": {"reasoning": {"effort": "insane"}}},
        {"message": TEXT, "controls": {"verbosity": "endless"}},
        {"message": TEXT, "controls": {"model_id": 3}},
        {},
    ],
)
async def test_a_bad_message_is_422(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    session = await made_session(client)

    answer = await client.post(f"{V1}/sessions/{session['id']}/messages", json=body)

    assert answer.status_code == 422


@pytest.mark.parametrize("id_", ["nonsense", "session_xyz", "agent_" + "0" * 32])
async def test_a_malformed_id_is_400(client: httpx.AsyncClient, id_: str) -> None:
    answers = [
        await client.get(f"{V1}/sessions/{id_}"),
        await client.get(f"{V1}/sessions/{id_}/events"),
        await client.get(f"{V1}/sessions/{id_}/sse"),
        await client.post(f"{V1}/sessions/{id_}/messages", json=message("x")),
    ]

    assert [answer.status_code for answer in answers] == [400] * 4


async def test_an_unknown_session_is_404_everywhere(client: httpx.AsyncClient) -> None:
    path = f"{V1}/sessions/session_{'0' * 31}1"
    answers = [
        await client.get(path),
        await client.get(f"{path}/events"),
        await client.get(f"{path}/events/summary"),
        await client.get(f"{path}/messages"),
        await client.get(f"{path}/sse"),
        await client.get(f"{path}/preview"),
        await client.get(f"{path}/fs"),
        await client.post(f"{path}/messages", json=message("x")),
        await client.post(f"{path}/cancel", json={}),
        await client.delete(path),
    ]

    assert [answer.status_code for answer in answers] == [404] * 10


BAD_CONFIGS: list[tuple[Json, str, str]] = [
    ({"ref": "ask_user", "config": {"timeout_seconds": "soon"}}, "invalid_capability_config", "_"),
    ({"ref": "ask_user", "config": {"no_such": 1}}, "invalid_capability_config", "no_such"),
    ({"ref": "noop", "config": {"a": 1}}, "invalid_capability_config", "takes no configuration"),
    ({"ref": "guardrails", "config": {"checks": [{"type": "regex"}]}}, "invalid_capability_config",
     "guardrails"),
    ({"ref": "no_such"}, "unknown_capability", "no_such"),
]  # fmt: skip


@pytest.mark.parametrize(("capability", "code", "named"), BAD_CONFIGS)
@pytest.mark.parametrize("tier", ["harnesses", "agents", "sessions"])
async def test_what_no_capability_takes_is_refused_by_every_tier(
    client: httpx.AsyncClient, tier: str, capability: Json, code: str, named: str
) -> None:
    body = {"name": "bad-config", "system_prompt": "x", "capabilities": [capability]}
    if tier == "sessions":
        del body["name"]
    before = (await client.get(f"{V1}/{tier}")).json()

    answer = await client.post(f"{V1}/{tier}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert named in answer.json()["detail"]
    assert (await client.get(f"{V1}/{tier}")).json() == before
