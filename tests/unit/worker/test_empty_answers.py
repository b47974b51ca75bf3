"""A model that answers nothing is asked again, and then fails the step with a code."""

from collections.abc import AsyncGenerator

from mainspring_schema.events import Usage
from mainspring_schema.tasks import ReasonResult
from mainspring_worker.ports.model import Done, ModelItem, ModelRequest, RawToolCall
from tests.unit.worker.making import config, held, history, reason_payload, task
from tests.unit.worker.test_compaction import granted
from tests.unit.worker.test_reason import RESULT
from tests.unit.worker.workbench import bench

COST = Usage(input_tokens=10, output_tokens=1)


async def answered(*answers: Done) -> tuple[ReasonResult, list[ModelRequest]]:
    left = list(answers)

    async def script(_request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        yield left.pop(0)

    async with bench(script=script) as b:
        engine = await b.engine.attached()
        engine.give(task(held(), reason_payload(), config=config(), tail=history()))
        _, body = await granted(engine)
        return RESULT.decode(body), b.model.requests


def empty(text: str = "") -> Done:
    return Done(text=text, usage=COST)


async def test_the_model_is_told_and_its_next_answer_counts() -> None:
    result, requests = await answered(empty(" \n"), Done(text="Here.", usage=COST))

    first, second = (request.messages for request in requests)
    assert (result.failure, result.text, result.helper_calls) == (None, "Here.", 1)
    assert result.usage == COST.plus(COST)
    assert len(second) == len(first) + 1


async def test_its_next_answer_may_call_a_tool() -> None:
    calling = Done(tool_calls=(RawToolCall(name="echo", arguments="{}"),))

    result, _ = await answered(empty(), empty(), calling)

    assert result.failure is None
    assert [call.name for call in result.tool_calls] == ["echo"]


async def test_the_third_empty_answer_fails_the_step() -> None:
    result, requests = await answered(empty(), empty(), empty())

    assert result.failure is not None
    assert (result.failure.error_class, result.failure.code) == (
        "model_output",
        "invalid_model_output",
    )
    assert (len(requests), result.usage.input_tokens) == (3, 30)


async def test_a_call_alone_is_an_answer() -> None:
    calling = Done(tool_calls=(RawToolCall(name="echo", arguments="{}"),))

    _, requests = await answered(calling)

    assert len(requests) == 1
