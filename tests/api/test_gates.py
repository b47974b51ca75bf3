"""Circuit breakers as operators see and set them."""

import httpx
import pytest

from mainspring_schema.keys import key_of, wire_key

V1 = "/api/v1/durable/circuit-breakers"
PROVIDER = "provider_" + "1" * 32
KEY = f"{PROVIDER}:gpt-5"


@pytest.mark.parametrize(
    ("key", "wire"),
    [
        ("provider_1/gpt-5", "provider_1:gpt-5"),
        ("provider_1/meta/llama~3:8b", "provider_1:meta~1llama~03:8b"),
        ("llmsim", "llmsim"),
        ("circuit/stripe", "circuit:stripe"),
        ("key/https://x/y", "key:https:~1~1x~1y"),
        ("queue:mail/out", "queue:mail~1out"),
    ],
)
def test_a_key_is_one_segment_of_a_path(key: str, wire: str) -> None:
    assert wire_key(key) == wire
    assert key_of(wire) == key


NO_KEYS = ["circuit:a%00b", "circuit:%ed%a0%80", "circuit:" + "x" * 6_000, "p:a%0ab"]


@pytest.mark.parametrize("key", NO_KEYS)
async def test_what_can_be_no_key_is_refused(client: httpx.AsyncClient, key: str) -> None:
    breaker, limit = f"{V1}/{key}", f"/api/v1/durable/limits/{key}"
    queue = limit.replace("circuit:", "queue:")

    answers = [
        await client.get(breaker),
        await client.post(f"{breaker}/open", json={}),
        await client.post(f"{breaker}/close", json={}),
        await client.delete(breaker),
        await client.get(limit),
        await client.put(limit, json={"at_once": 1}),
        await client.put(queue, json={"at_once": 1}),
        await client.delete(limit),
    ]

    assert {answer.status_code for answer in answers} == {422}


@pytest.mark.parametrize("key", ["circuit:two%20words", "circuit:a*", "key:a*b", "circuit:"])
async def test_what_no_task_could_name_is_not_set_and_may_be_taken_away(
    client: httpx.AsyncClient, key: str
) -> None:
    opened = await client.post(f"{V1}/{key}/open", json={})
    limited = await client.put(f"/api/v1/durable/limits/{key}", json={"at_once": 1})
    deleted = await client.delete(f"{V1}/{key}")

    assert (opened.status_code, limited.status_code, deleted.status_code) == (422, 422, 404)


OF_NOBODY = ["openai:gpt-5", "provider_1:gpt-5", f"{PROVIDER}:", "queues:mail", "mail", "queue:"]


@pytest.mark.parametrize("key", OF_NOBODY)
async def test_what_no_task_is_under_is_not_set_and_the_answer_says_what_is(
    client: httpx.AsyncClient, key: str
) -> None:
    opened = await client.post(f"{V1}/{key}/open", json={})
    limited = await client.put(f"/api/v1/durable/limits/{key}", json={"at_once": 0})

    assert (opened.status_code, limited.status_code) == (422, 422)
    assert "provider_…:model" in opened.json()["detail"]


@pytest.mark.parametrize("key", ["key:customer", "queue:mail"])
async def test_a_key_or_a_queue_has_a_limit_and_no_breaker(
    client: httpx.AsyncClient, key: str
) -> None:
    opened = await client.post(f"{V1}/{key}/open", json={})
    limited = await client.put(f"/api/v1/durable/limits/{key}", json={"at_once": 0})

    assert (opened.status_code, limited.status_code) == (422, 200)


async def test_an_opened_breaker_is_listed_and_read(client: httpx.AsyncClient) -> None:
    opened = await client.post(f"{V1}/{KEY}/open", json={"reason": "maintenance"})
    listed = (await client.get(V1)).json()
    read = await client.get(f"{V1}/{KEY}")

    assert opened.status_code == 200, opened.text
    body = opened.json()
    assert (body["key"], body["state"], body["forced"]) == (KEY, "open", True)
    assert (body["reason"], body["retry_after_seconds"]) == ("maintenance", None)
    assert body["opened_at"]
    assert listed == {"data": [body], "total": 1}
    assert read.json() == body


async def test_a_breaker_is_closed_by_hand_and_given_back(client: httpx.AsyncClient) -> None:
    await client.post(f"{V1}/{KEY}/open", json={})

    closed = (await client.post(f"{V1}/{KEY}/close", json={})).json()
    deleted = (await client.delete(f"{V1}/{KEY}")).json()

    assert (closed["state"], closed["forced"]) == ("closed", True)
    assert (deleted["state"], deleted["forced"]) == ("closed", False)
    assert (await client.get(V1)).json()["total"] == 0


async def test_a_breaker_that_tasks_name_is_set_as_any_other(client: httpx.AsyncClient) -> None:
    opened = (await client.post(f"{V1}/circuit:stripe/open", json={})).json()

    assert (opened["key"], opened["state"]) == ("circuit:stripe", "open")
    assert (await client.get(f"{V1}/circuit:stripe")).json() == opened


async def test_what_never_was_is_not_found(client: httpx.AsyncClient) -> None:
    answers = [
        await client.get(f"{V1}/{KEY}"),
        await client.post(f"{V1}/{KEY}/close", json={}),
        await client.delete(f"{V1}/{KEY}"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_a_key_sets_a_breaker_once(client: httpx.AsyncClient) -> None:
    key, body = {"Idempotency-Key": "open"}, {"reason": "maintenance"}

    first = await client.post(f"{V1}/{KEY}/open", json=body, headers=key)
    await client.delete(f"{V1}/{KEY}")
    again = await client.post(f"{V1}/{KEY}/open", json=body, headers=key)
    other = await client.post(f"{V1}/{KEY}/open", json={"reason": "fire"}, headers=key)

    assert (again.status_code, again.content) == (200, first.content)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
    assert (await client.get(V1)).json()["total"] == 0
