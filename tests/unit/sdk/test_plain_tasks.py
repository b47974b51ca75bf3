"""Plain tasks: how a client submits them, and how a worker does them."""

import asyncio
from collections.abc import Callable

import httpx
import msgspec
import pytest

from mainspring import ApiError, Client, GiveUp, Retry, TaskFailed, step
from mainspring.plain import attempt_plain
from mainspring.values import Shape
from mainspring_kernel.draws import SystemDraws
from mainspring_schema.tasks import PlainResult

Body = dict[str, list[dict[str, object]]]


@step(queue="sums", retry=Retry(attempts=2, first_s=1.0))
async def add(left: int, right: int = 0) -> int:
    if left < 0:
        message = "negative"
        raise ValueError(message)
    return left + right


@step
def refuse() -> None:
    raise GiveUp("closed", "come back tomorrow")


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://x", transport=httpx.MockTransport(answer))


def taken(request: httpx.Request) -> httpx.Response:
    sent = msgspec.json.decode(request.content, type=Body)["tasks"]
    return httpx.Response(200, json={"data": [{"id": task["id"]} for task in sent]})


# ── the client ──────────────────────────────────────────────────────────────────────────────────


async def test_many_travel_in_one_call_under_ids_of_their_own() -> None:
    sent: list[Body] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(msgspec.json.decode(request.content, type=Body))
        return taken(request)

    async with client_of(answer) as client:
        handles = await client.submit_many([add.bind(1, 2), add.bind(right=3, left=4)])

    (body,) = sent
    assert [(task["type"], task["queue"]) for task in body["tasks"]] == [("add", "sums")] * 2
    assert [task["input"] for task in body["tasks"]] == [[1, 2], {"left": 4, "right": 3}]
    assert [task["id"] for task in body["tasks"]] == [handle.id for handle in handles]
    assert len({handle.id for handle in handles}) == 2


@step(queue="bills", keys=("customer:{customer_id}", "stripe"), circuit="stripe", start_within_s=60)
async def bill(customer_id: int, cents: int = 0) -> None:
    del customer_id, cents


async def test_a_step_names_its_keys_by_its_arguments_and_a_submit_adds_to_them() -> None:
    sent: list[Body] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(msgspec.json.decode(request.content, type=Body))
        return taken(request)

    async with client_of(answer) as client:
        calls = [
            bill.bind(7),
            client.submitting(
                bill, keys=("eu", "stripe"), priority=3, build="b7", start_within_s=5
            ).bind(8, cents=5),
        ]
        await client.submit_many(calls)
        await client.submitting(add, circuit="sums").submit(1)

    plain, chosen, other = (task for body in sent for task in body["tasks"])
    assert (plain["keys"], plain["circuit"]) == (["customer:7", "stripe"], "stripe")
    assert (chosen["keys"], chosen["circuit"]) == (["customer:8", "stripe", "eu"], "stripe")
    assert (chosen["priority"], chosen["build"]) == (3, "b7")
    assert other["circuit"] == "sums"
    assert (plain["start_within_seconds"], chosen["start_within_seconds"]) == (60, 5)
    assert "keys" not in other


def test_a_key_that_names_no_parameter_is_refused_where_it_is_written() -> None:
    def ship(order: int) -> None:
        del order

    with pytest.raises(TypeError, match="customer"):
        step(keys=("customer:{customer}",))(ship)
    step(keys=("order:{order.id}",))(ship)


async def test_what_is_submitted_while_a_call_is_in_the_air_rides_the_next() -> None:
    sizes: list[int] = []
    gate, called = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        called.set()
        sizes.append(len(msgspec.json.decode(request.content, type=Body)["tasks"]))
        await gate.wait()
        return taken(request)

    async with Client("http://x", transport=httpx.MockTransport(answer)) as client:
        first = asyncio.create_task(client.submit(add, 0))
        await called.wait()
        others = [asyncio.create_task(client.submit(add, n)) for n in range(5)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *others)

    assert sizes == [1, 5]


async def test_an_answer_that_leaves_a_task_out_is_told_to_all_that_ride() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, json={"data": [{"id": "task_1"}]})

    async with client_of(answer) as client, asyncio.timeout(10):
        with pytest.raises(ValueError, match="zip"):
            await client.submit_many([add.bind(1), add.bind(2)])


@pytest.mark.parametrize(("args", "fits"), [((), False), ((1,), True), ((1, 2), True)])
def test_arguments_by_position_are_counted(args: tuple[int, ...], *, fits: bool) -> None:
    shape = add.shape
    if fits:
        assert shape.bind(args, {}) == list(args)
    else:
        with pytest.raises(TypeError, match="left"):
            shape.bind(args, {})
    with pytest.raises(TypeError, match="too many"):
        shape.bind((1, 2, 3), {})


def test_arguments_that_must_be_named_or_are_any_number_are_bound_as_python_does() -> None:
    def named(*, left: int) -> int:
        return left

    def many(*numbers: int) -> int:
        return sum(numbers)

    assert Shape(many).bind((1, 2, 3), {}) == [1, 2, 3]
    assert Shape(named).bind((), {"left": 1}) == {"left": 1}
    with pytest.raises(TypeError, match="left"):
        Shape(named).bind((), {})


async def test_a_refused_task_is_told_by_its_code() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        (task,) = msgspec.json.decode(request.content, type=Body)["tasks"]
        refused = {"id": task["id"], "error": {"code": "too_many_requests", "message": "later"}}
        return httpx.Response(200, json={"data": [refused]})

    async with client_of(answer) as client:
        with pytest.raises(ApiError) as told:
            await client.submit(add, 1)

    assert told.value.code == "too_many_requests"


@pytest.mark.parametrize("failed", [False, True])
async def test_a_result_is_polled_until_the_task_has_ended(*, failed: bool) -> None:
    views: list[dict[str, object]] = [
        {"status": "running"},
        {"status": "failed", "error": {"code": "step_failed", "message": "no"}}
        if failed
        else {"status": "completed", "result": 3},
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return taken(request)
        return httpx.Response(200, json={"id": "task_1", "type": "add", **views.pop(0)})

    async with client_of(answer) as client:
        handle = await client.submit(add, 1, 2)
        if failed:
            with pytest.raises(TaskFailed, match="step_failed: no"):
                await handle.result()
        else:
            assert await handle.result() == 3

    assert views == []


# ── the worker ──────────────────────────────────────────────────────────────────────────────────


async def attempt(input_: bytes, *, failures: int = 0) -> PlainResult:
    draws = SystemDraws()
    return await attempt_plain(add, input_, failures=failures, draws=draws, processes=None)


async def test_an_attempt_brings_the_result_as_json() -> None:
    assert await attempt(b"[1,2]") == PlainResult(result=b"3")
    assert await attempt(b'{"left":1}') == PlainResult(result=b"1")


async def test_a_failed_attempt_asks_for_another_until_its_policy_ends() -> None:
    first = await attempt(b"[-1]")
    last = await attempt(b"[-1]", failures=1)

    assert first.flaw is not None
    assert (first.flaw.code, first.flaw.message) == ("step_failed", "negative")
    assert first.retry_ms is not None
    assert (last.flaw, last.retry_ms) == (first.flaw, None)
    assert (first.lasting, last.lasting) == (False, False)


async def test_what_can_never_succeed_is_not_tried_again() -> None:
    wrong = await attempt(b'["one"]')
    too_many = await attempt(b"[1, 2, 3]")
    unknown = await attempt(b'{"left": 1, "middle": 2}')
    refused = await attempt_plain(refuse, b"[]", failures=0, draws=SystemDraws(), processes=None)

    assert wrong.flaw is not None
    assert (wrong.flaw.code, wrong.retry_ms) == ("invalid_input", None)
    assert too_many.flaw is not None
    assert (too_many.flaw.code, too_many.retry_ms) == ("invalid_input", None)
    assert unknown.flaw is not None
    assert (unknown.flaw.code, unknown.retry_ms) == ("invalid_input", None)
    assert refused.flaw is not None
    assert (refused.flaw.code, refused.retry_ms) == ("closed", None)
    assert wrong.lasting
    assert refused.lasting


async def test_a_task_is_cancelled_and_done_again_by_its_handle() -> None:
    asked: list[tuple[str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/batch"):
            return taken(request)
        asked.append((request.url.path.rpartition("/")[2], request.content))
        if request.url.path.endswith("/requeue"):
            return httpx.Response(201, json=msgspec.json.decode(request.content))
        task = {"id": "task_1", "type": "add", "status": "cancelled"}
        return httpx.Response(200, json=task | {"error": {"code": "cancelled", "message": "no"}})

    async with client_of(answer) as client:
        handle = await client.submit(add, 1)
        ended = await handle.cancel("no")
        with pytest.raises(TaskFailed, match="no"):
            await handle.result()
        again = await handle.requeue()

    assert (ended.ended, ended.status) == (True, "cancelled")
    assert [word for word, _ in asked] == ["cancel", "result", "requeue"]
    assert asked[0][1] == b'{"reason":"no"}'
    assert again.id != handle.id
    assert msgspec.json.decode(asked[2][1]) == {"id": again.id}
