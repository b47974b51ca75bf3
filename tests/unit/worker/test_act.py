"""A tool call: every way it may go wrong is a result the model can read."""

from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.ids import uuid7_ms
from mainspring_kernel.limits import TOOL_RESULT_INLINE_BYTES_MAX
from mainspring_schema.agents import EffectClass
from mainspring_schema.lineage import ChildTurn
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolResult
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from mainspring_worker.usecases import act as act_module
from tests.unit.worker.making import held, task, tool_payload
from tests.unit.worker.workbench import Body, TestTool, bench, tool

RESULT = msgspec.msgpack.Decoder(ToolResult)


async def outcome(
    one: TestTool | None, *, effect_class: EffectClass = "pure", arguments: object = None
) -> ToolResult:
    tools = [] if one is None else [one]
    async with bench(tools=tools) as b:
        engine = await b.engine.attached()
        payload = tool_payload(effect_class=effect_class, arguments=arguments)
        engine.give(task(payload=payload))
        if effect_class in {"at_most_once", "verifiable"}:
            await engine.until(lambda f: f.starts)
            engine.grant_start(held())
        return RESULT.decode((await engine.result()).body)


def returning(result: object) -> Body:
    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments, context
        return ToolOutcome(result=result)

    return body


async def test_unknown_tool_is_an_error_result() -> None:
    told = await outcome(None)

    assert told.status == "error"
    assert told.error is not None
    assert "echo" in told.error


async def test_arguments_that_are_no_object_never_reach_the_tool() -> None:
    one = tool(returning(1))

    told = await outcome(one, arguments="text")

    assert (told.status, one.calls) == ("error", 0)


async def test_arguments_of_a_person_are_checked_before_the_call() -> None:
    one = tool(returning(1))
    schema: Json = {"type": "object", "required": ["text"]}
    one.definition = msgspec.structs.replace(one.definition, parameters=schema)

    async with bench(tools=[one]) as b:
        engine = await b.engine.attached()
        payload = msgspec.structs.replace(tool_payload(arguments={"other": 1}), edited=True)
        engine.give(task(payload=payload))
        told = RESULT.decode((await engine.result()).body)

    assert (told.status, one.calls) == ("error", 0)
    assert "text" in (told.error or "")


async def test_exception_of_a_tool_is_hidden_from_the_model() -> None:
    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        secret = "secret detail"
        raise RuntimeError(secret)

    told = await outcome(tool(body))

    assert told.status == "error"
    assert told.error is not None
    assert "secret" not in told.error


async def test_bound_tool_that_raises_may_have_done_its_work() -> None:
    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        raise ConnectionError

    one = tool(body, effect_class="at_most_once")

    assert (await outcome(one, effect_class="at_most_once")).status == "unknown"


@pytest.mark.parametrize(
    ("effect_class", "status"),
    [("pure", "timeout"), ("idempotent", "timeout"), ("at_most_once", "unknown")],
)
async def test_deadline_ends_a_call_as_its_class_allows(
    effect_class: EffectClass, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act_module, "TOOL_CALL_TIMEOUT_S", 0.05)

    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments
        await context.clock.sleep(3600)
        return ToolOutcome()

    told = await outcome(tool(body, effect_class=effect_class), effect_class=effect_class)

    assert told.status == status


async def test_a_call_in_the_background_has_a_time_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(act_module, "TOOL_CALL_TIMEOUT_S", 0.0)

    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments
        left_s = context.deadline_mono - context.clock.mono()
        return ToolOutcome(result=[3000 < left_s <= 3600, context.background_s])

    async with bench(tools=[tool(body)]) as b:
        engine = await b.engine.attached()
        payload = msgspec.structs.replace(tool_payload(), limit_s=3600)
        engine.give(task(payload=payload))
        told = RESULT.decode((await engine.result()).body)

    assert (told.status, told.result) == ("success", [True, 3600])


async def test_a_call_that_waits_for_a_child_is_given_back_as_it_is() -> None:
    joins = ChildTurn(turn_id=UUID(int=9), wait_ms=60_000)

    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments
        assert context.attempt == 1
        assert context.began_ms == uuid7_ms(held().task_id)
        return ToolOutcome(result="x" * TOOL_RESULT_INLINE_BYTES_MAX, joins=joins)

    told = await outcome(tool(body))

    assert (told.status, told.joins) == ("success", joins)
    assert told.result == "x" * TOOL_RESULT_INLINE_BYTES_MAX


async def test_tool_gets_its_stable_key() -> None:
    one = tool(returning(1), effect_class="idempotent")

    await outcome(one, effect_class="idempotent")

    assert one.contexts[0].idempotency_key == "key"


@pytest.mark.parametrize("effect_class", ["pure", "idempotent"])
async def test_progress_is_an_event_of_the_session(effect_class: EffectClass) -> None:
    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments
        await context.progress("half way to \udcff")  # as the name of a file that is no UTF-8
        return ToolOutcome(result="done")

    async with bench(tools=[tool(body, effect_class=effect_class)]) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload(effect_class=effect_class)))
        emit = (await engine.until(lambda f: f.emits)).emits[0]

        engine.grant_emit(held(), emit.counter)

        told = RESULT.decode((await engine.result()).body)
        assert emit.events[0].type == "tool.progress"
        assert emit.events[0].data == {
            "tool_call_id": "call_1",
            "tool_name": "echo",
            "message": "half way to ?",
        }
        assert told.result == "done"
