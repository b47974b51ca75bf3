"""Answers by schema: tried again a bounded number of times, and told to those who watched."""

from collections.abc import AsyncGenerator, Sequence

import msgspec

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.conversation import AssistantMessage, UserMessage
from mainspring_schema.agents import CapabilityRef, ToolDefinition
from mainspring_schema.events import Usage
from mainspring_schema.frames import Config
from mainspring_schema.messages import Json
from mainspring_schema.tasks import Failure, ReasonResult
from mainspring_worker.ports.model import (
    Done,
    ModelFailure,
    ModelItem,
    ModelRequest,
    RawToolCall,
    TextDelta,
)
from tests.unit.worker.making import (
    agent,
    config_of,
    held,
    history,
    reason_payload,
    task,
)
from tests.unit.worker.test_compaction import granted
from tests.unit.worker.test_reason import RESULT
from tests.unit.worker.workbench import Script, bench

SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
OWN = ToolDefinition(name="echo", parameters={"type": "object"}, effect_class="pure")
COST = Usage(input_tokens=10, output_tokens=1)
Told = list[tuple[str, Json]]


def config(*more: CapabilityRef, **asked: object) -> Config:
    ref = CapabilityRef(ref="structured_output", config={"schema": SCHEMA, **asked})
    who = msgspec.structs.replace(agent(), capabilities=(ref, *more), tools=(OWN,))
    return config_of(who)


def says(*answers: str | Done | Failure) -> Script:
    """One answer per call, in their order."""
    left = list(answers)

    async def script(_request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        answer = left.pop(0)
        if isinstance(answer, Failure):
            raise ModelFailure(answer, COST)
        done = answer if isinstance(answer, Done) else Done(text=answer, usage=COST)
        yield TextDelta(done.text)
        yield done

    return script


async def answered(
    conf: Config, script: Script
) -> tuple[Told, ReasonResult, Sequence[ModelRequest]]:
    async with bench(script=script, registry=builtin_registry()) as b:
        engine = await b.engine.attached()
        engine.give(task(held(), reason_payload(), config=conf, tail=history()))
        told, body = await granted(engine)
        return told, RESULT.decode(body), b.model.requests


async def test_an_answer_that_fits_is_left_as_it_is() -> None:
    told, result, requests = await answered(config(), says('{"n": 1}'))

    assert (told, result.text, result.usage) == ([], '{"n": 1}', COST)
    assert requests[0].output_schema == SCHEMA
    assert '"required":["n"]' in requests[0].system


async def test_one_that_does_not_is_told_to_the_model_which_tries_again() -> None:
    told, result, requests = await answered(config(), says('{"n": "x"}', "Sorry.", '{"n": 2}'))

    assert (result.failure, result.text) == (None, '{"n": 2}')
    assert result.usage == Usage(input_tokens=30, output_tokens=3)
    first, second, third = (request.messages for request in requests)
    refused, complaint = second[len(first) :]
    assert isinstance(refused, AssistantMessage)
    assert isinstance(complaint, UserMessage)
    assert refused.text == '{"n": "x"}'
    assert 'n: "x" is not of type "integer"' in complaint.text
    assert len(third) == len(second)
    assert [(type_, data["replacement"]) for type_, data in told] == [
        ("output.message.replaced", '{"n": 2}')
    ]


async def test_the_marks_of_a_block_are_taken_off_without_another_call() -> None:
    told, result, requests = await answered(config(), says('```json\n{"n": 1}\n```'))

    assert (result.text, len(requests)) == ('{"n": 1}', 1)
    assert [data["replacement"] for _, data in told] == ['{"n": 1}']


async def test_the_tries_are_bounded_and_end_with_a_code_of_their_own() -> None:
    told, result, requests = await answered(config(repairs_max=1), says("hush", "hush", "never"))

    assert result.failure is not None
    assert (result.failure.error_class, result.failure.code) == (
        "model_output",
        "structured_output_invalid",
    )
    assert "hush" not in result.failure.message
    assert (told, len(requests)) == ([], 2)
    assert result.usage == Usage(input_tokens=20, output_tokens=2)


async def test_without_tries_the_first_answer_decides() -> None:
    _, result, requests = await answered(config(repairs_max=0), says(""))

    assert result.failure is not None
    assert (result.failure.code, len(requests)) == ("structured_output_invalid", 1)


async def test_an_answer_that_calls_tools_need_not_fit() -> None:
    calling = Done(text="Let me see.", tool_calls=(RawToolCall(name="echo", arguments="{}"),))
    told, result, _ = await answered(config(), says(calling))

    assert (told, result.text, result.failure) == ([], "Let me see.", None)
    assert [call.name for call in result.tool_calls] == ["echo"]


async def test_an_empty_answer_is_asked_again_and_a_second_try_may_call_no_tool() -> None:
    calling = Done(text='{"n": 1}', tool_calls=(RawToolCall(name="echo", arguments="{}"),))
    _, result, requests = await answered(config(), says("", calling, '{"n": 3}'))

    first, second, third = (request.messages for request in requests)
    assert [type(one) for one in second[len(first) :]] == [UserMessage]
    complaint = third[-1]
    assert isinstance(complaint, UserMessage)
    assert "it calls a tool" in complaint.text
    assert (result.text, result.tool_calls) == ('{"n": 3}', ())


async def test_a_try_that_fails_fails_the_step_with_all_that_it_cost() -> None:
    down = Failure(error_class="transient", code="down", message="down")
    told, result, _ = await answered(config(), says("Sorry.", down))

    assert (told, result.failure) == ([], down)
    assert result.usage == Usage(input_tokens=20, output_tokens=2)


async def test_what_a_guardrail_withholds_is_told_by_nobody() -> None:
    rule: Json = {"type": "regex", "pattern": "hush", "replacement": "(-)"}
    guarding = CapabilityRef(ref="guardrails", config={"checks": [rule]})
    told, result, _ = await answered(config(guarding), says("Sorry.", '{"n": 1, "s": "hush"}'))

    assert result.text == "(-)"
    assert [type_ for type_, _ in told] == ["guardrail.triggered", "output.message.replaced"]
    assert "hush" not in str(told)
