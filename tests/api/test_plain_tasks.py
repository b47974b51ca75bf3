"""Plain tasks over REST: submitted alone and in batches, and their results."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from mainspring_api.adapters.http.app import application
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import Prefix, RandomIds, from_wire, to_wire
from mainspring_kernel.plain_limits import PLAIN_TASKS_PER_CALL_MAX
from tests.api.backend import Backend
from tests.api.conftest import inside, wired
from tests.api.test_resources import V1

URL = f"{V1}/durable/tasks"
IDS = RandomIds(SystemClock())


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def client(backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with inside(application(wired(backend))) as client:
        yield client


def id_of(answer: httpx.Response) -> UUID:
    return from_wire(Prefix.TASK, str(answer.json()["id"]))


async def test_a_task_is_submitted_with_its_input_as_it_came(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    body = {"type": "add", "input": [1, {"b": 2.50}], "queue": "sums", "priority": 3}

    answer = await client.post(URL, json=body)

    assert answer.status_code == 201
    task, _ = backend.tasks[id_of(answer)]
    assert (task.type, task.queue, task.priority) == ("add", "sums", 3)
    assert task.input.replace(b" ", b"") == b'[1,{"b":2.5}]'


async def test_an_id_of_the_client_tells_a_repeat(client: httpx.AsyncClient) -> None:
    body = {"type": "add", "id": to_wire(Prefix.TASK, IDS.uuid7())}

    answers = [await client.post(URL, json=body) for _ in range(2)]
    other = await client.post(URL, json=body | {"input": [2]})

    assert [answer.json()["duplicate"] for answer in answers] == [False, True]
    assert (other.status_code, other.json()["code"]) == (409, "task_id_mismatch")


async def test_an_idempotency_key_submits_once(client: httpx.AsyncClient) -> None:
    body, headers = {"type": "add"}, {"Idempotency-Key": "k-1"}

    one = await client.post(URL, json=body, headers=headers)
    two = await client.post(URL, json=body, headers=headers)

    assert one.json() == two.json()


async def test_a_batch_is_one_call_with_a_receipt_for_each(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    known = {"type": "add", "id": to_wire(Prefix.TASK, IDS.uuid7())}
    await client.post(URL, json=known)

    answer = await client.post(
        f"{URL}/batch", json={"tasks": [{"type": "add"}, known, known | {"input": [5]}]}
    )

    assert backend.task_calls == [1, 3]
    new, repeat, refused = answer.json()["data"]
    assert (new["duplicate"], new["error"]) == (False, None)
    assert (repeat["duplicate"], repeat["error"]) == (True, None)
    assert refused["error"]["code"] == "task_id_mismatch"


@pytest.mark.parametrize("count", [0, PLAIN_TASKS_PER_CALL_MAX + 1])
async def test_a_batch_has_its_bounds(client: httpx.AsyncClient, count: int) -> None:
    answer = await client.post(f"{URL}/batch", json={"tasks": [{"type": "add"}] * count})

    assert answer.status_code == 422


async def test_a_result_is_waited_for(client: httpx.AsyncClient, backend: Backend) -> None:
    answer = await client.post(URL, json={"type": "add"})
    path = f"{URL}/{answer.json()['id']}/result"

    waiting = await client.get(path, params={"wait_s": 0.01})
    backend.end_task(id_of(answer), b'{"sum":3}')
    ended = await client.get(path, params={"wait_s": 30})

    assert (waiting.json()["status"], waiting.json()["result"]) == ("waiting", None)
    assert (ended.json()["status"], ended.json()["result"]) == ("completed", {"sum": 3})


async def test_a_task_of_nobody_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{URL}/{to_wire(Prefix.TASK, IDS.uuid7())}/result")

    assert answer.status_code == 404
