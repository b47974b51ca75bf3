"""A call that a lost attempt started is never made again: what became of it is asked."""

import asyncio

import msgspec
import pytest

from mainspring_schema.agents import EffectClass, ToolDefinition
from mainspring_schema.frames import FromWorker, Task, ToWorker
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolResult
from mainspring_worker.adapters.builtin_tools.function import FunctionTool
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from mainspring_worker.usecases import act as act_module
from tests.unit.worker.making import held, task, tool_payload
from tests.unit.worker.test_act import RESULT
from tests.unit.worker.workbench import Body, TestTool, bench, echo, tool


def telling(outcome: ToolOutcome) -> Body:
    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments, context
        return outcome

    return body


def payment(prober: Body | None) -> TestTool:
    return tool(echo, name="pay", effect_class="verifiable", prober=prober)


def lost_call(effect_class: EffectClass = "verifiable") -> Task:
    given = task(held(fence=2), tool_payload("pay", effect_class=effect_class))
    return msgspec.structs.replace(given, started=True)


async def told(*tools: TestTool, effect_class: EffectClass = "verifiable") -> ToolResult:
    async with bench(tools=tools) as b:
        engine = await b.engine.attached()
        engine.give(lost_call(effect_class))
        frame = await engine.until(lambda f: f.results or f.starts)
        assert frame.starts == ()
        return RESULT.decode(frame.results[0].body)


@pytest.mark.parametrize(
    "outcome",
    [
        ToolOutcome(result={"paid": 7}),
        ToolOutcome(status="error", error="it was never paid"),
    ],
)
async def test_what_the_probe_knows_is_the_result(outcome: ToolOutcome) -> None:
    one = payment(telling(outcome))

    result = await told(one)

    assert one.calls == 0
    assert (result.status, result.result, result.error) == (
        outcome.status, outcome.result, outcome.error
    )  # fmt: skip


@pytest.mark.parametrize("status", ["unknown", "timeout"])
async def test_a_probe_that_cannot_tell_leaves_the_outcome_unknown(status: str) -> None:
    outcome = msgspec.convert({"status": status}, ToolOutcome)

    result = await told(payment(telling(outcome)))

    assert result.status == "unknown"
    assert "not known" in str(result.error)


async def test_a_probe_that_raises_leaves_the_outcome_unknown() -> None:
    async def prober(arguments: Json, context: ToolContext) -> ToolOutcome:
        secret = "secret detail"
        raise RuntimeError(secret)

    result = await told(payment(prober))

    assert result.status == "unknown"
    assert "secret" not in str(result.error)


async def test_a_probe_that_takes_too_long_leaves_the_outcome_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(act_module, "TOOL_PROBE_TIMEOUT_S", 0.05)

    async def prober(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments
        await context.clock.sleep(3600)
        return ToolOutcome()

    assert (await told(payment(prober))).status == "unknown"


async def test_a_lost_call_without_a_probe_is_not_made_again() -> None:
    one = payment(None)

    assert (await told(one)).status == "unknown"
    assert one.calls == 0


async def test_a_lost_call_of_a_tool_that_is_gone_is_unknown_and_no_mistake_of_the_model() -> None:
    assert (await told()).status == "unknown"


async def test_a_probe_gets_the_key_of_the_call_it_looks_for() -> None:
    keys: list[str] = []

    async def prober(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments
        keys.append(context.idempotency_key)
        return ToolOutcome(result=1)

    await told(payment(prober))

    assert keys == ["key"]


async def test_cancel_while_a_probe_looks_leaves_the_outcome_unknown() -> None:
    asked = asyncio.Event()
    home = asyncio.get_running_loop()

    async def prober(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments
        home.call_soon_threadsafe(asked.set)
        await context.clock.sleep(3600)
        return ToolOutcome()

    async with bench(tools=[payment(prober)]) as b:
        engine = await b.engine.attached()
        engine.give(lost_call())
        await asked.wait()

        engine.say(ToWorker(cancelled=(held(fence=2),)))

        assert RESULT.decode((await engine.result()).body).status == "unknown"


async def test_drain_hands_a_lost_call_back_for_another_worker_to_ask() -> None:
    asked = asyncio.Event()
    home = asyncio.get_running_loop()

    async def prober(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments
        home.call_soon_threadsafe(asked.set)
        await context.clock.sleep(3600)
        return ToolOutcome()

    async with bench(tools=[payment(prober)]) as b:
        engine = await b.engine.attached()
        engine.give(lost_call())
        await asked.wait()

        draining = asyncio.create_task(b.worker.drain())
        frame: FromWorker = await engine.until(lambda f: f.returned or f.results)

        assert (frame.returned, frame.results) == ((held(fence=2),), ())
        await draining


def test_definition_and_code_agree_on_whether_there_is_a_probe() -> None:
    definition = ToolDefinition(name="pay", effect_class="verifiable", probed=True)

    with pytest.raises(ValueError, match="pay"):
        FunctionTool(definition, "money", echo)

    assert FunctionTool(definition, "money", echo, prober=echo).definition.probed
