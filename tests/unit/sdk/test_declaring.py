"""What a declared workflow's function comes to."""

from datetime import timedelta

import httpx
import msgspec
import pytest

from mainspring import (
    Client,
    NotInWorkflow,
    Workflow,
    child,
    do,
    do_child,
    do_detached,
    parallel,
    sequence,
    step,
    workflow,
)
from mainspring_kernel.declaration_limits import DECLARATION_PATH_MAX
from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    DeclaredWait,
    ListOf,
    ObjectOf,
    OfInput,
    OfStep,
    Value,
    read,
)


@step
async def one(n: int) -> int:
    return n


@step(queue="gpu")
async def two(n: int, *, name: str = "") -> str:
    return f"{n}{name}"


@workflow(driver="machine")
def order(n: int, name: str = "x") -> dict[str, object]:
    first = do(one, n)
    with parallel():
        left = do(two, first, name=name)
        with sequence():
            do(one, 1)
            right = do(one, 2)
    return {"left": left, "right": [right]}


def declared(of: "Workflow[..., object]") -> Declaration:
    assert of.drawn is not None
    return read(of.drawn.declaration)


def test_steps_wait_for_those_above_and_within_a_parallel_block_for_what_they_use() -> None:
    steps = declared(order).steps

    assert [(one.step, one.after) for one in steps] == [
        ("one", ()), ("two", (1,)), ("one", (1,)), ("one", (3,)),
    ]  # fmt: skip


def test_what_follows_a_parallel_block_waits_for_all_of_it() -> None:
    @workflow(driver="machine")
    def joined(n: int) -> int:
        with parallel():
            do(one, n)
            do(one, n)
        with parallel():
            pass
        return do(one, n)

    assert declared(joined).steps[2].after == (1, 2)


def test_a_reference_between_branches_is_waited_for() -> None:
    @workflow(driver="machine")
    def crossed(n: int) -> int:
        with parallel():
            first = do(one, n)
            do(one, n)
            return do(one, first)

    assert [one.after for one in declared(crossed).steps] == [(), (), (1,)]


@workflow(name="letters")
async def letters(name: str, *, copies: int = 1) -> list[str]:
    return [name] * copies


def test_a_child_is_a_step_with_options_and_arguments_of_its_own() -> None:
    @workflow(driver="machine")
    def parent(name: str) -> list[object]:
        first = do_child(letters, name)
        slowly = child(
            letters, queue="slow", timeout_s=60, keys=["shop"], circuit="press", start_within_s=5
        )
        return [do_child(slowly, first[0], copies=2), do_detached(slowly, name)]

    plain, waited, let_go = declared(parent).steps

    assert plain == DeclaredStep(
        step="letters", arguments=ListOf(items=(OfInput(name="name"),)), queue="default",
        wait=DeclaredWait(kind="child"),
    )  # fmt: skip
    assert (waited.after, waited.queue, waited.keys, waited.circuit, waited.wait) == (
        (1,), "slow", ("shop",), "press",
        DeclaredWait(kind="child", delay_ms=60_000, start_within_ms=5000),
    )  # fmt: skip
    assert waited.arguments == ObjectOf(
        members={"name": OfStep(step=1, path=(0,)), "copies": Value(value=msgspec.Raw(b"2"))}
    )
    assert (let_go.after, let_go.wait) == (
        (2,), DeclaredWait(kind="detached", start_within_ms=5000),
    )  # fmt: skip


def test_children_belong_into_a_declared_workflow() -> None:
    with pytest.raises(NotInWorkflow):
        do_child(letters, "a")


def test_a_declared_step_has_keys_that_name_no_arguments() -> None:
    @step(keys=("customer:{customer}",))
    def bill(customer: str) -> None:
        del customer

    with pytest.raises(TypeError, match="no arguments"):

        @workflow(driver="machine")
        def order(customer: str) -> None:
            do(bill, customer)


def test_a_declaration_has_queues_parameters_and_the_steps_that_a_worker_is_to_offer() -> None:
    found = declared(order)

    assert [one.queue for one in found.steps] == [None, "gpu", None, None]
    assert [(one.name, one.optional, bytes(one.default)) for one in found.parameters] == [
        ("n", False, b"null"), ("name", True, b'"x"'),
    ]  # fmt: skip
    assert order.drawn is not None
    assert order.drawn.steps == (one, two)


def test_the_same_function_is_the_same_declaration() -> None:
    def again(n: int) -> int:
        return do(one, n)

    first, second = workflow(driver="machine")(again), workflow(driver="machine")(again)

    assert first.drawn is not None
    assert second.drawn is not None
    assert first.drawn.declaration == second.drawn.declaration


def test_references_reach_into_values() -> None:
    @workflow(driver="machine")
    def reaching(n: dict[str, list[int]]) -> int:
        return do(one, n["counts"][0])

    (arguments,) = [step.arguments for step in declared(reaching).steps]
    assert arguments == ListOf(items=(OfInput(name="n", path=("counts", 0)),))


def test_attributes_are_members() -> None:
    class Item(msgspec.Struct):
        price: int

    @step
    async def item() -> Item:
        return Item(1)

    @workflow(driver="machine")
    def reaching() -> int:
        return do(item).price

    assert declared(reaching).result == OfStep(step=1, path=("price",))


def test_a_parameter_can_be_returned() -> None:
    @workflow(driver="machine")
    def same(n: int) -> int:
        do(one, n)
        return n

    assert declared(same).result == OfInput(name="n")


# ── what cannot be declared ─────────────────────────────────────────────────────────────────────


def _branches(n: int) -> int:
    return do(one, 1) if n else do(one, 2)


def _counts(n: list[int]) -> int:
    return sum(do(one, each) for each in n)


def _prints(n: int) -> str:
    do(one, n)
    return f"{n}"


def _compares(n: int) -> bool:
    return do(one, n) == 1


@pytest.mark.parametrize("function", [_branches, _counts, _prints, _compares])
def test_what_depends_on_a_value_is_refused_in_words(function: object) -> None:
    with pytest.raises(TypeError, match="has no value when the workflow is declared"):
        workflow(driver="machine")(function)  # pyright: ignore[reportArgumentType] -- a function of any kind


def test_a_path_too_long_for_an_engine_is_refused() -> None:
    def deep(n: list[int]) -> int:
        for _ in range(DECLARATION_PATH_MAX + 1):
            n = n[0]  # pyright: ignore[reportAssignmentType] -- a reference, in place of a value
        return do(one, n)  # pyright: ignore[reportArgumentType] -- the same

    with pytest.raises(TypeError, match="a path in it has 33 parts"):
        workflow(driver="machine")(deep)


def test_a_workflow_without_steps_is_refused() -> None:
    def nothing(n: int) -> int:
        return n

    with pytest.raises(TypeError, match="0 steps"):
        workflow(driver="machine")(nothing)


def test_code_is_refused() -> None:
    async def code() -> None:
        return None

    with pytest.raises(TypeError, match="plain function"):
        workflow(driver="machine")(code)


def test_two_steps_of_one_name_are_refused() -> None:
    @step(name="one")
    async def other(n: int) -> int:
        return n

    def both(n: int) -> int:
        return do(other, do(one, n))

    with pytest.raises(TypeError, match="two steps have the name one"):
        workflow(driver="machine")(both)


def test_arguments_that_do_not_fit_are_refused_where_they_are_written() -> None:
    def wrong() -> int:
        return do(one)  # pyright: ignore[reportCallIssue] -- on purpose

    with pytest.raises(TypeError, match="n"):
        workflow(driver="machine")(wrong)


def test_do_belongs_into_a_declared_workflow() -> None:
    with pytest.raises(NotInWorkflow):
        do(one, 1)
    with pytest.raises(NotInWorkflow), parallel():
        pass


async def test_it_has_no_code_to_be_called() -> None:
    with pytest.raises(NotInWorkflow, match="declared"):
        await order(1)


async def test_its_start_brings_it_along() -> None:
    sent: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(msgspec.json.decode(request.content, type=dict[str, object]))
        told = {"id": "workflow_1", "type": "order", "key": "k", "queue": "default"}
        state = {"status": "running", "created_at": "2026-01-01T00:00:00Z", "version": "0a"}
        return httpx.Response(201, json=told | state)

    async with Client("http://x", transport=httpx.MockTransport(answer)) as client:
        starting = client.starting(
            order, key="k", build="b7", start_within_s=5, close_within_s=timedelta(hours=1)
        )
        handle = await starting.start(1, name="y")

    assert sent[0]["build"] == "b7"
    assert (sent[0]["start_within_seconds"], sent[0]["close_within_seconds"]) == (5, 3600)
    assert handle.id == "workflow_1"
    assert order.drawn is not None
    assert sent[0]["declaration"] == msgspec.json.decode(order.drawn.declaration)
    assert sent[0]["input"] == {"n": 1, "name": "y"}


async def test_a_run_is_one_request_that_may_be_repeated() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if len(sent) == 1:
            raise httpx.ReadError("gone")
        told = {"id": "workflow_1", "type": "order", "key": "k", "queue": "default"}
        state = {"status": "completed", "created_at": "2026-01-01T00:00:00Z", "result": {"n": 1}}
        return httpx.Response(201, json=told | state)

    async with Client("http://x", transport=httpx.MockTransport(answer)) as client:
        assert await client.run(order, 1) == {"n": 1}

    first, second = (msgspec.json.decode(request.content) for request in sent)
    assert first["key"] == second["key"] != ""
    assert {request.url.params["wait_s"] for request in sent} == {"30.0"}
