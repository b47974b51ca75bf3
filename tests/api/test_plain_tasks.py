"""Plain tasks over REST: submitted alone and in batches, stopped, done again, and their results."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from mainspring_api.adapters.endings import BusEndings
from mainspring_api.adapters.http.app import application
from mainspring_api.usecases.plain import ended
from mainspring_kernel.clock import ManualClock, SystemClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, RandomIds, from_wire, to_wire
from mainspring_kernel.plain_limits import PLAIN_TASKS_PER_CALL_MAX
from mainspring_messaging import MemoryBus
from mainspring_schema.codec import pack
from mainspring_schema.plain import CancelPlainTask, GetPlainTask, RequeuePlainTask, SubmitTask
from mainspring_schema.subjects import WAKE_ENDED
from mainspring_schema.wake import TasksEnded
from tests.api.backend import Backend
from tests.api.conftest import inside, wired
from tests.api.operators import TASK, FakeOperator
from tests.api.plain_backend import ToldEndings
from tests.api.test_resources import V1

URL = f"{V1}/durable/tasks"
IDS = RandomIds(SystemClock())


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def client(backend: Backend, operator: FakeOperator) -> AsyncIterator[httpx.AsyncClient]:
    async with inside(application(wired(backend, operator))) as client:
        yield client


def id_of(answer: httpx.Response) -> UUID:
    return from_wire(Prefix.TASK, str(answer.json()["id"]))


async def test_a_task_is_submitted_with_its_input_as_it_came(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    body = {"type": "add", "input": [1, {"b": 2.50}], "queue": "sums", "priority": 3, "build": "b7"}

    answer = await client.post(URL, json=body)

    assert answer.status_code == 201
    task, _ = backend.tasks[id_of(answer)]
    assert (task.type, task.queue, task.priority) == ("add", "sums", 3)
    assert task.build == "b7"
    assert task.input.replace(b" ", b"") == b'[1,{"b":2.5}]'


async def test_a_task_is_submitted_under_its_keys_and_its_circuit(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    body = {"type": "add", "keys": ["customer:7", "a@b.c"], "circuit": "stripe"}
    body |= {"start_within_seconds": 1.5}

    answer = await client.post(URL, json=body)

    task, _ = backend.tasks[id_of(answer)]
    assert (task.keys, task.circuit) == (("customer:7", "a@b.c"), "stripe")
    assert task.start_within_ms == 1500


@pytest.mark.parametrize(
    "body",
    [
        {"keys": ["a"] * 5},
        {"keys": ["*"]},
        {"keys": [""]},
        {"circuit": "two words"},
        {"start_within_seconds": 0},
    ],
)
async def test_what_could_be_no_key_is_refused(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    answer = await client.post(URL, json={"type": "add", **body})

    assert answer.status_code == 422


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


async def test_a_result_is_waited_for_by_one_look_and_the_news_of_its_end(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    answer = await client.post(URL, json={"type": "add"})
    path = f"{URL}/{answer.json()['id']}/result"

    now = await client.get(path)
    waiting = asyncio.create_task(client.get(path, params={"wait_s": 30}))
    for _ in range(2):  # it looks once, and then waits for the news
        await backend.looks.get()
    backend.end_task(id_of(answer), b'{"sum":3}')
    then = await waiting

    assert (now.json()["status"], now.json()["result"]) == ("waiting", None)
    assert (then.json()["status"], then.json()["result"]) == ("completed", {"sum": 3})
    assert backend.looks.qsize() == 1


async def test_a_result_whose_news_is_lost_is_looked_at_when_it_is_found_missing() -> None:
    clock, backend = ManualClock(), Backend()
    endings = ToldEndings()
    wanted = GetPlainTask(org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7())
    order = SubmitTask(org_id=DEFAULT_ORG_ID, task_id=wanted.task_id, type="add")
    await backend.submit_task(order)
    waiting = asyncio.create_task(ended(backend, endings, clock, wanted, wait_s=30))
    await clock.until_sleeping()
    backend.end_task(wanted.task_id, b"3")

    endings.overlooked(wanted.task_id)

    assert (await waiting).status == "completed"


async def test_a_wait_ends_with_the_task_as_it_is() -> None:
    clock, backend = ManualClock(), Backend()
    wanted = GetPlainTask(org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7())
    order = SubmitTask(org_id=DEFAULT_ORG_ID, task_id=wanted.task_id, type="add")
    await backend.submit_task(order)
    waiting = asyncio.create_task(ended(backend, ToldEndings(), clock, wanted, wait_s=1))
    await clock.until_sleeping()

    clock.advance(1)

    assert (await waiting).status == "waiting"


async def test_a_server_that_leaves_answers_with_the_task_as_it_is() -> None:
    clock, backend, endings = ManualClock(), Backend(), BusEndings()
    wanted = GetPlainTask(org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7())
    order = SubmitTask(org_id=DEFAULT_ORG_ID, task_id=wanted.task_id, type="add")
    await backend.submit_task(order)
    waiting = asyncio.create_task(ended(backend, endings, clock, wanted, wait_s=30))
    await clock.until_sleeping()

    endings.drain()

    assert (await waiting).status == "waiting"


async def test_ends_on_the_bus_wake_those_who_wait_for_them() -> None:
    bus, endings = MemoryBus(), BusEndings()
    await endings.start(bus)
    mine, other = IDS.uuid7(), IDS.uuid7()

    with endings.of(mine) as told, endings.of(other) as untold, endings.of(mine) as twin:
        bus.publish(WAKE_ENDED, b"\xc1")
        bus.publish(WAKE_ENDED, pack(TasksEnded(IDS.uuid7().bytes + mine.bytes)))
        await told.wait()
        await twin.wait()
        assert not untold.is_set()
    with endings.of(mine) as later:
        assert not later.is_set()


async def test_a_task_is_cancelled_with_a_reason(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    path = f"{URL}/{to_wire(Prefix.TASK, TASK)}/cancel"

    answer = await client.post(path, json={"reason": "no need"})
    unknown = await client.post(f"{URL}/{to_wire(Prefix.TASK, IDS.uuid7())}/cancel", json={})

    assert answer.json()["status"] == "cancelled"
    assert answer.json()["error"]["message"] == "no need"
    assert operator.asked[0] == CancelPlainTask(
        org_id=DEFAULT_ORG_ID, task_id=TASK, reason="no need"
    )
    assert unknown.status_code == 404


async def test_a_task_is_done_again_under_an_id_of_its_own(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    path, new_id = f"{URL}/{to_wire(Prefix.TASK, TASK)}/requeue", IDS.uuid7()

    named = await client.post(path, json={"id": to_wire(Prefix.TASK, new_id)})
    unnamed = await client.post(path, json={})

    assert named.status_code == unnamed.status_code == 201
    assert id_of(named) == new_id
    assert operator.asked[0] == RequeuePlainTask(org_id=DEFAULT_ORG_ID, task_id=TASK, new_id=new_id)
    assert id_of(unnamed) not in (new_id, TASK)


async def test_a_requeue_that_was_refused_is_no_success_and_its_key_is_free(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    path, headers = f"{URL}/{to_wire(Prefix.TASK, TASK)}/requeue", {"Idempotency-Key": "k-9"}
    body = {"id": to_wire(Prefix.TASK, TASK)}

    answers = [await client.post(path, json=body, headers=headers) for _ in range(2)]

    assert [one.status_code for one in answers] == [409, 409]
    assert answers[0].json()["code"] == "task_id_mismatch"
    assert len(operator.asked) == 2


async def test_a_task_of_nobody_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{URL}/{to_wire(Prefix.TASK, IDS.uuid7())}/result")

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["", "/batch"])
async def test_a_task_takes_the_trace_of_its_request(
    client: httpx.AsyncClient, backend: Backend, path: str
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"type": "add"}

    await client.post(
        f"{URL}{path}", json={"tasks": [body]} if path else body, headers={"traceparent": trace}
    )

    ((task, _),) = backend.tasks.values()
    assert task.traceparent == trace


async def test_which_of_many_have_ended_is_asked_at_once(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    open_task, open_workflow, gone = IDS.uuid7(), IDS.uuid7(), IDS.uuid7()
    operator.open = {open_task, open_workflow}
    ids = [
        to_wire(Prefix.TASK, open_task),
        to_wire(Prefix.WORKFLOW, open_workflow),
        to_wire(Prefix.WORKFLOW, gone),
    ]

    answer = await client.post(f"{V1}/durable/ended", params={"wait_s": 30}, json={"ids": ids})

    assert (answer.status_code, answer.json()) == (200, {"data": [ids[2]]})


@pytest.mark.parametrize(
    ("ids", "status", "code"),
    [
        ([], 422, "validation_failed"),
        (["session_" + "0" * 32], 400, "invalid_id"),
        ([to_wire(Prefix.TASK, IDS.uuid7())] * 1001, 422, "validation_failed"),
    ],
    ids=["none", "of something else", "too many"],
)
async def test_what_cannot_be_waited_for_is_refused(
    client: httpx.AsyncClient, ids: list[str], status: int, code: str
) -> None:
    answer = await client.post(f"{V1}/durable/ended", json={"ids": ids})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
