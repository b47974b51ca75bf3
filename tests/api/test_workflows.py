"""Workflows over REST: start, read, wait for the result, signal, cancel."""

import asyncio
import functools
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.app import application
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from tests.api.backend import Backend
from tests.api.conftest import inside, wired
from tests.api.test_resources import V1

URL = f"{V1}/durable/workflows"
UNKNOWN = f"{URL}/{to_wire(Prefix.WORKFLOW, uuid4())}"


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def client(backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with inside(application(wired(backend))) as client:
        yield client


async def started(client: httpx.AsyncClient, **body: object) -> str:
    answer = await client.post(URL, json={"type": "order", "input": [1]} | body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_start_answers_the_workflow(client: httpx.AsyncClient) -> None:
    answer = await client.post(URL, json={"type": "order", "input": [1], "key": "A-17"})

    assert answer.status_code == 201
    body = answer.json()
    assert (body["type"], body["key"], body["status"]) == ("order", "A-17", "running")
    assert (await client.get(f"{URL}/{body['id']}")).json() == body


async def test_a_start_may_name_the_build_that_works_on_it(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    await started(client, build="1.2.0+g45ab")
    await started(client)

    assert [command.build for command in backend.starts] == ["1.2.0+g45ab", ""]


async def test_a_start_may_put_its_goes_under_keys_and_a_circuit(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    await started(client, keys=["customer:7"], circuit="stripe")

    (command,) = backend.starts
    assert (command.keys, command.circuit) == (("customer:7",), "stripe")


async def test_a_start_may_bound_the_time_until_it_is_taken_and_until_it_ends(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    await started(client, start_within_seconds=2, close_within_seconds=86_400 * 365)

    (command,) = backend.starts
    assert (command.start_within_ms, command.close_within_ms) == (2000, 31_536_000_000)
    refused = await client.post(URL, json={"type": "order", "close_within_seconds": 0})
    assert refused.status_code == 422
    assert "close_within_seconds" in refused.text


async def test_a_key_starts_once_and_another_input_is_refused(client: httpx.AsyncClient) -> None:
    first = await started(client, key="A-17")

    assert await started(client, key="A-17") == first
    refused = await client.post(URL, json={"type": "order", "input": [2], "key": "A-17"})
    assert (refused.status_code, refused.json()["code"]) == (409, "workflow_key_mismatch")


async def test_an_idempotency_key_is_a_key(client: httpx.AsyncClient) -> None:
    body, headers = {"type": "order"}, {"Idempotency-Key": "k-1"}

    one = await client.post(URL, json=body, headers=headers)
    two = await client.post(URL, json=body, headers=headers)

    assert one.json()["id"] == two.json()["id"]
    assert one.json()["key"] == "k-1"


async def test_who_repeats_a_start_that_is_waited_for_waits_for_the_same_workflow(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    headers = {"Idempotency-Key": "k-1"}
    start = functools.partial(client.post, URL, json={"type": "order"}, headers=headers)
    first = asyncio.create_task(start(params={"wait_s": 30}))
    await backend.endings.followed.wait()

    meanwhile = await start()
    workflow_id = from_wire(Prefix.WORKFLOW, meanwhile.json()["id"])
    backend.end_workflow(workflow_id, b'{"paid":true}')
    later = await start(params={"wait_s": 30})

    assert (meanwhile.status_code, meanwhile.json()["status"]) == (201, "running")
    assert (await first).json() == later.json()
    assert (later.status_code, later.json()["result"]) == (201, {"paid": True})


@pytest.mark.parametrize("publish", [True, False], ids=["told", "lost"])
async def test_a_result_is_waited_for(
    client: httpx.AsyncClient, backend: Backend, *, publish: bool
) -> None:
    id_ = await started(client)
    waiting = asyncio.create_task(client.get(f"{URL}/{id_}/result", params={"wait_s": 30}))
    await backend.endings.followed.wait()

    workflow_id = from_wire(Prefix.WORKFLOW, id_)
    backend.end_workflow(workflow_id, b'{"paid":true}', publish=publish)
    if not publish:
        backend.endings.overlooked(workflow_id)

    body = (await waiting).json()
    assert (body["status"], body["result"]) == ("completed", {"paid": True})


async def test_a_wait_for_a_result_ends(client: httpx.AsyncClient) -> None:
    id_ = await started(client)

    answer = await client.get(f"{URL}/{id_}/result", params={"wait_s": 0.01})

    assert (answer.status_code, answer.json()["status"]) == (200, "running")


async def test_its_history_is_read(client: httpx.AsyncClient) -> None:
    id_ = await started(client)

    answer = await client.get(f"{URL}/{id_}/events")

    assert [event["type"] for event in answer.json()["data"]] == ["workflow.started"]


async def test_its_state_is_what_it_reported_last(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    id_ = await started(client)
    assert (await client.get(f"{URL}/{id_}/state")).json()["state"] is None
    for n in (1, 2):
        backend.append(
            from_wire(Prefix.WORKFLOW, id_), "workflow.reported", {"result": {"done": n}}
        )

    assert (await client.get(f"{URL}/{id_}/state")).json()["state"] == {"done": 2}


@pytest.mark.parametrize("number", ["1e999", "9" * 5_000])
async def test_its_state_may_have_numbers_that_nobody_here_could_read(
    client: httpx.AsyncClient, backend: Backend, number: str
) -> None:
    id_ = await started(client)
    backend.append(
        from_wire(Prefix.WORKFLOW, id_),
        "workflow.reported",
        {"result": msgspec.Raw(number.encode())},
    )

    answer = await client.get(f"{URL}/{id_}/state")

    assert answer.status_code == 200
    assert f'"state":{number},' in answer.text


async def test_its_code_answers_queries(client: httpx.AsyncClient, backend: Backend) -> None:
    id_ = await started(client)
    backend.answers["stage"] = b'{"at":"ship"}'

    answer = await client.get(f"{URL}/{id_}/queries/stage", params={"args": '["full"]'})
    refused = await client.get(f"{URL}/{id_}/queries/price")
    unknown = await client.get(f"{UNKNOWN}/queries/stage")

    assert answer.json() == {"result": {"at": "ship"}}
    assert [(q.name, q.arguments) for q in backend.queries] == [
        ("stage", b'["full"]'),
        ("price", b"[]"),
    ]
    assert (refused.status_code, refused.json()["code"]) == (409, "query_failed")
    assert unknown.status_code == 404


async def test_without_a_worker_a_query_is_refused_at_once(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    id_ = await started(client)
    backend.workers = False

    answer = await client.get(f"{URL}/{id_}/queries/stage")

    assert (answer.status_code, answer.json()["code"]) == (503, "no_worker")
    assert "retry-after" in answer.headers


async def test_signals_come_once_by_their_id(client: httpx.AsyncClient) -> None:
    id_ = await started(client)
    body = {"name": "approve", "payload": {"by": "tom"}, "id": to_wire(Prefix.SIGNAL, uuid4())}

    one = await client.post(f"{URL}/{id_}/signal", json=body)
    two = await client.post(f"{URL}/{id_}/signal", json=body)
    await client.post(f"{URL}/{id_}/cancel", json={})
    three = await client.post(f"{URL}/{id_}/signal", json=body)

    told = [answer.json()["duplicate"] for answer in (one, two, three)]
    assert told == [False, True, True]


async def test_an_ended_workflow_takes_no_signal(client: httpx.AsyncClient) -> None:
    id_ = await started(client)
    assert (await client.post(f"{URL}/{id_}/cancel", json={})).json() == {"status": "cancelled"}

    late = await client.post(f"{URL}/{id_}/signal", json={"name": "approve"})

    assert (late.status_code, late.json()["code"]) == (409, "workflow_ended")
    assert (await client.post(f"{URL}/{id_}/cancel", json={})).json() == {"status": "no_op"}


async def test_a_fork_may_name_the_build_that_works_on_it(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    source = await started(client)

    for body in ({"build": "1.2.0+g45ab"}, {}):
        answer = await client.post(f"{URL}/{source}/fork", json=body)
        assert answer.status_code == 201

    assert [command.build for command in backend.starts[-2:]] == ["1.2.0+g45ab", ""]


async def test_a_fork_may_bring_what_it_runs_on(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    source = await started(client)

    answer = await client.post(f"{URL}/{source}/fork", json={"declaration": {"steps": []}})

    assert answer.status_code == 201
    assert backend.starts[-1].declaration == b'{"steps":[]}'


async def test_a_fork_is_a_new_workflow_and_begins_once_by_its_key(
    client: httpx.AsyncClient,
) -> None:
    id_ = await started(client, queue="slow")
    body = {"step": "2", "key": "anew"}

    one = await client.post(f"{URL}/{id_}/fork", json=body)
    two = await client.post(f"{URL}/{id_}/fork", json=body)
    other = await client.post(f"{URL}/{id_}/fork", json=body | {"step": "3"})

    assert (one.status_code, one.json()["forked_from"]) == (201, id_)
    assert (one.json()["type"], one.json()["queue"]) == ("order", "slow")
    assert two.json()["id"] == one.json()["id"] != id_
    assert (other.status_code, other.json()["code"]) == (409, "workflow_key_mismatch")
    unknown = await client.post(f"{UNKNOWN}/fork", json={})
    assert unknown.status_code == 404


async def test_more_than_a_page_is_a_page(client: httpx.AsyncClient) -> None:
    await client.post(f"{V1}/durable/workflows", json={"type": "order"})

    answer = await client.get(f"{V1}/durable/workflows", params={"limit": 10**26})

    assert (answer.status_code, len(answer.json()["data"])) == (200, 1)


@pytest.mark.parametrize("word", ["type", "workflow_type"])
async def test_workflows_are_found_by_key_and_type(client: httpx.AsyncClient, word: str) -> None:
    id_ = await started(client, key="A-17")
    await started(client, key="A-18")

    async def found(**query: str) -> list[str]:
        return [one["id"] for one in (await client.get(URL, params=query)).json()["data"]]

    assert await found(key="A-17") == [id_]
    assert await found(key="A-17", **{word: "order"}) == [id_]
    assert await found(key="A-17", **{word: "bill"}) == []
    assert await found(key="A-1") == []


async def test_a_list_leaves_out_what_it_does_not_read(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    id_ = await started(client)
    backend.end_workflow(from_wire(Prefix.WORKFLOW, id_), b"{}")

    (row,) = (await client.get(URL)).json()["data"]

    whole = (await client.get(f"{URL}/{id_}")).json()
    assert whole["result"] == {}
    assert set(whole) - set(row) == {"result", "waits", "explanation"}
    assert row == {name: whole[name] for name in row}


async def test_workflows_are_listed(client: httpx.AsyncClient) -> None:
    ids = {await started(client), await started(client)}

    body = (await client.get(URL)).json()

    assert {one["id"] for one in body["data"]} == ids
    assert (body["has_more"], body["next"]) == (False, None)


async def test_a_page_says_where_the_next_one_begins(client: httpx.AsyncClient) -> None:
    older, newer = await started(client), await started(client)

    first = (await client.get(URL, params={"limit": 1})).json()
    second = (await client.get(URL, params={"limit": 1, "before": first["next"]})).json()

    assert [one["id"] for one in first["data"] + second["data"]] == [newer, older]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "validation_failed"),
        ({"type": "with blank"}, 422, "validation_failed"),
        ({"type": "order", "key": ""}, 422, "validation_failed"),
        ({"type": "order", "key": "ä"}, 422, "validation_failed"),
        ({"type": "order", "more": 1}, 422, "validation_failed"),
        ({"type": 3}, 422, "validation_failed"),
    ],
)
async def test_a_bad_start_is_refused(
    client: httpx.AsyncClient, body: object, status: int, code: str
) -> None:
    answer = await client.post(URL, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("path", ["", "/result", "/events"])
async def test_unknown_workflows_are_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"{UNKNOWN}{path}")).status_code == 404
    assert (await client.get(f"{URL}/session_1{path}")).status_code == 400
