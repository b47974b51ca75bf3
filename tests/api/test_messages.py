import asyncio

import httpx
import msgspec
import pytest

from mainspring_kernel.errors import ConfigurationUnknown
from mainspring_schema.commands import Receipt, Submit
from tests.api.backend import Backend
from tests.api.test_resources import V1, made_agent, made_session, message


async def test_a_message_is_answered_with_itself(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)

    answer = await client.post(f"{V1}/sessions/{session['id']}/messages", json=message("hi"))
    listed = (await client.get(f"{V1}/sessions/{session['id']}/messages")).json()

    assert answer.status_code == 201
    assert answer.json()["role"] == "user"
    assert answer.json()["content"] == [{"type": "text", "text": "hi"}]
    assert listed["data"] == [answer.json()]


async def test_the_configuration_travels_once(client: httpx.AsyncClient, backend: Backend) -> None:
    agent = await made_agent(client)
    sessions = [await made_session(client, agent_id=agent["id"]) for _ in range(2)]

    for session in sessions:
        await client.post(f"{V1}/sessions/{session['id']}/messages", json=message("hi"))
    await client.patch(f"{V1}/sessions/{sessions[0]['id']}", json={"system_prompt": "New."})
    await client.post(f"{V1}/sessions/{sessions[0]['id']}/messages", json=message("again"))

    first, second, third = backend.submits
    assert first.config is not None
    assert (second.config_hash, second.config) == (first.config_hash, None)
    assert third.config_hash != first.config_hash
    assert third.config is not None


async def test_an_engine_that_lost_a_configuration_gets_it_again(
    client: httpx.AsyncClient, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await made_session(client)
    path = f"{V1}/sessions/{session['id']}/messages"
    await client.post(path, json=message("one"))
    submit = backend.submit

    async def forgetful(command: Submit) -> Receipt:
        if command.config is None:
            raise ConfigurationUnknown
        return await submit(command)

    monkeypatch.setattr(backend, "submit", forgetful)
    answer = await client.post(path, json=message("two"))

    assert answer.status_code == 201


async def test_the_model_of_a_message_beats_its_session(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)
    path = f"{V1}/sessions/{session['id']}/messages"
    other = "model_01933b5a000070008000000000000402"

    await client.post(path, json=message("one"))
    await client.post(path, json=message("two") | {"controls": {"model_id": other}})

    assert backend.submits[1].config is not None
    assert b"llmsim-latency" in backend.submits[1].config


async def test_what_a_message_asks_for_reaches_the_engine(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)
    image = {"type": "image", "base64": "aGk=", "media_type": "image/png"}
    controls = {"reasoning": {"effort": "low"}, "locale": "de", "hints": {"a": 1}, "speed": "fast"}
    body = {"message": {"role": "user", "content": [image]}, "controls": controls}

    answer = await client.post(f"{V1}/sessions/{session['id']}/messages", json=body)

    assert answer.status_code == 201
    assert answer.json()["controls"] == controls
    assert msgspec.to_builtins(backend.submits[0].message)["controls"] == controls
    assert answer.json()["content"] == [image]


async def test_concurrent_duplicates_are_one_message(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)
    path = f"{V1}/sessions/{session['id']}/messages"
    key = {"Idempotency-Key": "m1"}

    answers = await asyncio.gather(
        *(client.post(path, json=message("hi"), headers=key) for _ in range(4))
    )
    other = await client.post(path, json=message("ho"), headers=key)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert other.json()["code"] == "idempotency_mismatch"
    assert len(backend.sessions[backend.submits[0].session_id].events) == 2


async def test_events_are_listed_with_their_total(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)
    path = f"{V1}/sessions/{session['id']}"
    await client.post(f"{path}/messages", json=message("hi"))

    everything = await client.get(f"{path}/events")
    inputs = await client.get(f"{path}/events?types=input.message&types=turn.started")
    first = everything.json()["data"][0]
    later = await client.get(f"{path}/events?since_id={first['id']}")

    assert [event["type"] for event in everything.json()["data"]] == [
        "session.started",
        "input.message",
    ]
    assert [event["sequence"] for event in everything.json()["data"]] == [1, 2]
    assert everything.headers["x-total-count"] == "2"
    assert [event["type"] for event in inputs.json()["data"]] == ["input.message"]
    assert [event["sequence"] for event in later.json()["data"]] == [2]


async def test_opaque_reasoning_is_never_shown(client: httpx.AsyncClient, backend: Backend) -> None:
    session = await made_session(client)
    id_ = next(iter(backend.sessions))
    backend.append(
        id_,
        "output.message.completed",
        {"message": {"id": "m", "thinking": "x", "thinking_signature": "SECRET"}},
    )
    backend.append(id_, "reason.item", {"item_id": "i", "encrypted_content": "SECRET"})

    shown = await client.get(f"{V1}/sessions/{session['id']}/events")

    assert "SECRET" not in shown.text
    assert shown.json()["data"][1]["data"]["message"]["thinking"] == "x"


async def test_the_summary_counts(client: httpx.AsyncClient, backend: Backend) -> None:
    session = await made_session(client)
    id_ = next(iter(backend.sessions))
    backend.append(id_, "turn.started", {})
    backend.append(id_, "turn.failed", {})

    summary = (await client.get(f"{V1}/sessions/{session['id']}/events/summary")).json()

    assert (summary["total"], summary["turn_count"], summary["error_count"]) == (3, 1, 1)
    assert {"type": "turn.failed", "count": 1} in summary["by_type"]


async def test_messages_are_exported_in_the_form_that_is_asked_for_or_not_at_all(
    client: httpx.AsyncClient,
) -> None:
    session = await made_session(client)
    await client.post(f"{V1}/sessions/{session['id']}/messages", json=message("hi"))
    at = f"{V1}/sessions/{session['id']}/export"

    plain, named, other = [
        await client.get(at, params=params) for params in ({}, {"format": "jsonl"}, {"format": "x"})
    ]

    assert msgspec.json.decode(plain.content)["content"] == [{"type": "text", "text": "hi"}]
    assert named.content == plain.content
    assert (other.status_code, other.json()["code"]) == (400, "invalid_parameter")


async def test_tool_results_are_taken_once(client: httpx.AsyncClient, backend: Backend) -> None:
    session = await made_session(client)
    path = f"{V1}/sessions/{session['id']}/tool-results"
    body = {"tool_results": [{"tool_call_id": "call_1", "result": {"ok": True}}]}
    backend.waiting_calls[next(iter(backend.sessions))] = "call_1"

    taken = await client.post(path, json=body, headers={"Idempotency-Key": "t"})
    replayed = await client.post(path, json=body, headers={"Idempotency-Key": "t"})
    early = await client.post(path, json=body)

    assert taken.json() == {"accepted": 1, "status": "active"}
    assert replayed.content == taken.content
    assert early.status_code == 409
    assert "not waiting for tool results" in early.json()["error"]["message"]


async def test_tool_results_as_a_message_are_taken_once(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)
    path, key = f"{V1}/sessions/{session['id']}/messages", {"Idempotency-Key": "t"}
    result = {"type": "tool_result", "tool_call_id": "call_1", "result": {"ok": True}}
    body = {"message": {"role": "tool_result", "content": [result]}}
    changed = {"message": {"role": "tool_result", "content": [result | {"result": None}]}}
    backend.waiting_calls[next(iter(backend.sessions))] = "call_1"

    taken = await client.post(path, json=body, headers=key)
    replayed = await client.post(path, json=body, headers=key)
    other = await client.post(path, json=changed, headers=key)
    again = await client.post(path, json=body)

    assert (taken.status_code, replayed.status_code) == (201, 201)
    assert replayed.content == taken.content
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
    assert (again.status_code, again.json()["code"]) == (409, "not_waiting_for_tool_results")


async def test_a_cancel_says_what_it_did(client: httpx.AsyncClient, backend: Backend) -> None:
    session = await made_session(client)
    backend.sessions[next(iter(backend.sessions))].status = "active"
    path = f"{V1}/sessions/{session['id']}/cancel"

    answers = [(await client.post(path, json={})).json() for _ in range(2)]

    assert [answer["status"] for answer in answers] == ["cancelled", "no_op"]
    assert "in the background is stopped" in answers[1]["message"]


async def test_an_engine_that_is_away_means_503(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    session = await made_session(client)
    backend.away = True

    answer = await client.post(f"{V1}/sessions/{session['id']}/messages", json=message("hi"))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"]["code"] == "unavailable"
    assert "backend" not in answer.text, "what is behind the api, and where, is for its log"
