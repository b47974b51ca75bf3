"""What calls of a model beside the main one have used comes back with the result of the step."""

from collections.abc import AsyncGenerator

import msgspec

from mainspring_harness.builtin import builtin_registry
from mainspring_schema.events import Usage
from mainspring_schema.messages import Json
from mainspring_schema.tasks import Failure, Judged
from mainspring_worker.ports.model import Done, ModelFailure, ModelItem, ModelRequest
from tests.unit.worker.making import task
from tests.unit.worker.making import tool_payload as payload_of
from tests.unit.worker.test_act import RESULT as TOLD
from tests.unit.worker.test_act import returning
from tests.unit.worker.test_compaction import granted
from tests.unit.worker.test_guard import JUDGE, answered, config
from tests.unit.worker.workbench import Script, bench, tool

MAIN, JUDGES = Usage(input_tokens=100, output_tokens=9), Usage(input_tokens=20, output_tokens=1)
OUTPUT: Json = {**JUDGE, "stages": ["tool_output"]}


def judged_by(*failures: Failure) -> Script:
    """Judges fail as they are told, and allow when they are done with it."""
    left = list(failures)

    async def script(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        if request.metadata.get("purpose") != "guardrail":
            yield Done(text="You friend.", usage=MAIN)
        elif left:
            raise ModelFailure(left.pop(), usage=JUDGES)
        else:
            yield Done(text="ALLOW", usage=JUDGES)

    return script


def counted(judged: Judged | None) -> tuple[int, Usage]:
    assert judged is not None
    return judged.calls, judged.usage


async def test_judges_of_an_answer_are_counted_apart_from_it() -> None:
    _, result = await answered(config(JUDGE, JUDGE), judged_by())

    assert result.usage == MAIN
    assert counted(result.judged) == (2, JUDGES.plus(JUDGES))


async def test_where_nobody_judges_nothing_is_counted() -> None:
    _, result = await answered(config(OUTPUT), judged_by())

    assert (result.judged, result.helper_calls) == (None, 0)


async def test_a_judge_that_failed_counts_with_what_it_used() -> None:
    down = Failure(error_class="transient", code="down", message="down")

    _, result = await answered(config(JUDGE), judged_by(down))

    assert counted(result.judged) == (1, JUDGES)


async def test_judges_of_a_tools_output_come_back_with_its_result() -> None:
    payload = msgspec.structs.replace(payload_of(), guarded=True)
    async with bench(
        script=judged_by(), tools=[tool(returning("fine"))], registry=builtin_registry()
    ) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=payload, config=config(OUTPUT)))
        _, body = await granted(engine)

    assert counted(TOLD.decode(body).judged) == (1, JUDGES)
