"""Queries: the code answers by a handler of its own, over what is recorded, and does not move."""

import sys

import pytest

from mainspring import (
    NotInWorkflow,
    on_query,
    sleep,
    start_over,
    wait_for_signal,
    workflow,
)
from mainspring.queries import answer
from mainspring_schema.tasks import QueryResult
from mainspring_schema.workflows import StepRecord, Wait
from tests.unit.sdk.fake import CALLS, FakeEngine, double


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@workflow
async def patient(x: int) -> int:
    stage = "begins"

    @on_query(name="stage")
    def where() -> str:
        return stage

    @on_query
    def times(factor: int) -> int:
        return x * factor

    x = await double(x)
    stage = "sleeps"
    await sleep(3600)
    stage = "waits"
    await wait_for_signal("approve")
    return x


async def asked(engine: FakeEngine, name: str, arguments: bytes = b"[]") -> QueryResult:
    return await answer(patient, dict(engine.records), name, arguments)


def came(wait: Wait) -> StepRecord:
    return StepRecord(step=wait.step, name=wait.name, kind=wait.kind, input_hash=wait.input_hash)


async def test_a_waiting_workflow_answers_from_where_it_stands() -> None:
    engine = FakeEngine(4)
    await engine.run(patient)
    recorded = dict(engine.records)
    calls = list(CALLS)

    stage = await asked(engine, "stage")
    times = await asked(engine, "times", b'{"factor":10}')

    assert (stage.result, times.result) == (b'"sleeps"', b"80")
    assert engine.records == recorded, "nothing is recorded"
    assert calls == CALLS, "and no step is called"


async def test_one_whose_first_step_is_at_work_answers_too() -> None:
    assert (await asked(FakeEngine(4), "stage")).result == b'"begins"'
    assert CALLS == []


async def test_one_that_has_ended_answers_with_its_last_state() -> None:
    engine = FakeEngine(4)
    for _ in range(2):
        for wait in (await engine.run(patient)).waits:
            engine.keep((came(wait),))
    assert (await engine.run(patient)).outcome == "completed"

    assert (await asked(engine, "stage")).result == b'"waits"'


async def test_code_that_does_not_fit_its_record_does_not_answer() -> None:
    engine = FakeEngine(4)
    engine.keep((StepRecord(step="1", name="halve"),))

    result = await asked(engine, "stage")

    assert result.flaw is not None
    assert result.flaw.code == "version_conflict"
    assert "step halve is recorded, step double found" in result.flaw.message


@pytest.mark.parametrize(
    ("name", "arguments", "code", "told"),
    [
        ("price", b"[]", "unknown_query", "stage, times"),
        ("times", b"[]", "handler_failed", "missing a required argument"),
        ("times", b'["x"]', "handler_failed", "ValidationError"),
    ],
)
async def test_what_cannot_be_answered_is_told(
    name: str, arguments: bytes, code: str, told: str
) -> None:
    engine = FakeEngine(4)
    await engine.run(patient)

    result = await asked(engine, name, arguments)

    assert result.flaw is not None
    assert result.flaw.code == code
    assert told in result.flaw.message


async def test_a_handler_that_exits_ends_its_own_call_alone() -> None:
    @workflow
    async def leaving() -> None:
        @on_query(name="stage")
        def leave() -> str:
            sys.exit(3)

    result = await answer(leaving, dict(FakeEngine().records), "stage", b"[]")

    assert result.flaw is not None
    assert result.flaw.code == "handler_failed"
    assert "sys.exit(3)" in result.flaw.message


async def test_an_input_that_the_code_does_not_take_is_told() -> None:
    result = await asked(FakeEngine("four"), "stage")

    assert result.flaw is not None
    assert result.flaw.code == "invalid_input"


async def test_code_that_starts_over_answers_before_it_does() -> None:
    @workflow
    async def again(x: int) -> None:
        on_query(lambda: x, name="x")
        await start_over(x + 1)

    result = await answer(again, dict(FakeEngine(3).records), "x", b"[]")

    assert result.result == b"3"


async def test_a_query_is_answered_by_a_plain_function_of_a_workflow() -> None:
    async def slow() -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        on_query(slow)
    with pytest.raises(NotInWorkflow):
        on_query(lambda: 1, name="one")


async def test_a_handler_is_no_place_in_the_code() -> None:
    engine = FakeEngine(4)

    await engine.run(patient)

    assert engine.names() == {"1": "double"}
