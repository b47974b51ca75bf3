"""Guardrails at work: what is said, called and read."""

from collections.abc import AsyncGenerator

import msgspec

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.builtin.background_execution import relayed
from mainspring_harness.prompt import blueprint
from mainspring_schema.agents import CapabilityRef, ToolDefinition
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
from mainspring_worker.usecases.guard import checks_of
from tests.unit.worker.making import (
    agent,
    config_of,
    held,
    history,
    reason_payload,
    task,
)
from tests.unit.worker.making import tool_payload as payload_of
from tests.unit.worker.test_act import RESULT as TOLD
from tests.unit.worker.test_act import returning
from tests.unit.worker.test_compaction import granted
from tests.unit.worker.test_reason import RESULT
from tests.unit.worker.workbench import Script, bench, tool

OWN = ToolDefinition(name="echo", parameters={"type": "object"}, effect_class="pure")
SECRET: Json = {"type": "regex", "pattern": "hush", "reason_code": "secret", "replacement": "(-)"}
JUDGE: Json = {"type": "llm_judge", "instructions": "Rudeness.", "stages": ["output"]}


def config(*checks: Json, **more: object) -> Config:
    asked: Json = {"checks": list(checks), **more}
    ref = CapabilityRef(ref="guardrails", config=asked)
    who = msgspec.structs.replace(agent(), capabilities=(ref,), tools=(OWN,))
    return config_of(who)


def says(done: Done, verdict: str | Failure = "ALLOW") -> Script:
    async def script(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        if request.metadata.get("purpose") != "guardrail":
            yield done
        elif isinstance(verdict, Failure):
            raise ModelFailure(verdict)
        else:
            yield Done(text=verdict)

    return script


Told = list[tuple[str, Json]]


async def answered(conf: Config, script: Script) -> tuple[Told, ReasonResult]:
    async with bench(script=script, registry=builtin_registry()) as b:
        engine = await b.engine.attached()
        engine.give(task(held(), reason_payload(), config=conf, tail=history()))
        told, body = await granted(engine)
        return told, RESULT.decode(body)


def types(told: Told) -> list[str]:
    return [type_ for type_, _ in told]


async def test_a_blocked_text_is_replaced_and_people_are_told() -> None:
    told, result = await answered(config(SECRET), says(Done(text="It is hush.")))

    assert result.text == "(-)"
    assert types(told) == ["guardrail.triggered", "output.message.replaced"]
    assert told[1][1]["replacement"] == "(-)"
    assert told[1][1]["reason_code"] == "secret"
    assert "hush" not in str(told)


async def test_what_passes_is_left_as_it_is() -> None:
    told, result = await answered(config(SECRET), says(Done(text="It is fine.")))

    assert (told, result.text) == ([], "It is fine.")


async def test_an_advisory_check_only_writes_down() -> None:
    told, result = await answered(
        config({**SECRET, "mode": "advisory"}), says(Done(text="It is hush."))
    )

    assert (types(told), result.text) == (["guardrail.triggered"], "It is hush.")
    assert told[0][1]["action"] == "log"


async def test_a_blocked_call_is_refused_and_the_others_are_made() -> None:
    calls = tuple(
        RawToolCall(name="echo", arguments=f'{{"a": "{word}"}}') for word in ("hush", "b")
    )
    told, result = await answered(config(SECRET), says(Done(tool_calls=calls)))

    refused, made = result.tool_calls
    assert refused.problem is not None
    assert "blocked by a guardrail (secret)" in refused.problem
    assert (made.problem, made.guarded) == (None, True)
    assert told[0][1]["tool_call_id"] == refused.id


async def test_nobody_is_asked_for_leave_to_make_a_call_that_is_blocked() -> None:
    asking = CapabilityRef(ref="tool_approval", config={"mode": "off", "tools": {"echo": "ask"}})
    plain = msgspec.structs.replace(agent(), tools=(OWN,))
    guarding = CapabilityRef(ref="guardrails", config={"checks": [SECRET]})
    both = msgspec.structs.replace(plain, capabilities=(asking, guarding))
    conf = config_of(both)
    calls = tuple(
        RawToolCall(name="echo", arguments=f'{{"a": "{word}"}}') for word in ("hush", "b")
    )

    _, result = await answered(conf, says(Done(tool_calls=calls)))

    refused, waits = result.tool_calls
    assert (refused.problem is not None, refused.appeal) == (True, None)
    assert (waits.problem, waits.appeal) == (None, "approval")


async def test_a_judge_decides_what_no_pattern_can() -> None:
    _, blocked = await answered(config(JUDGE), says(Done(text="You fool."), "block."))
    told, passed = await answered(config(JUDGE), says(Done(text="You friend.")))

    assert blocked.text.startswith("(This was withheld")
    assert (told, passed.text) == ([], "You friend.")


def test_the_model_of_the_agent_judges_what_a_relay_says_and_calls() -> None:
    """A relay judges nothing, and where nobody judges an open guardrail lets everything pass."""
    checked = CapabilityRef(ref="guardrails", config={"checks": [JUDGE]})
    who = msgspec.structs.replace(agent(), capabilities=(checked,))

    checks = checks_of(blueprint(relayed(who, 60), builtin_registry()))

    assert checks is not None
    assert checks.choice == who.model


async def test_where_a_judge_does_not_answer_the_configuration_decides() -> None:
    down = Failure(error_class="transient", code="down", message="down")
    for verdict in (down, "perhaps"):
        script = says(Done(text="Hm."), verdict)
        told, open_ = await answered(config(JUDGE), script)
        _, closed = await answered(config(JUDGE, fail_closed=True), script)

        assert (types(told), open_.text) == (["guardrail.failed"], "Hm.")
        assert closed.text.startswith("(This was withheld")


async def test_an_answer_that_broke_off_is_kept_only_where_nothing_is_found_in_it() -> None:
    down = Failure(error_class="invalid_request", code="down", message="down")

    async def script(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        yield TextDelta("hush")
        raise ModelFailure(down)

    _, result = await answered(config(SECRET), script)
    assert (result.failure, result.text) == (down, "")


async def test_an_output_is_withheld_from_the_model() -> None:
    payload = msgspec.structs.replace(payload_of(), guarded=True)
    for value, status in (("all hush", "error"), ("fine", "success")):
        async with bench(tools=[tool(returning(value))], registry=builtin_registry()) as b:
            engine = await b.engine.attached()
            engine.give(task(payload=payload, config=config(SECRET)))
            _, body = await granted(engine)
        result = TOLD.decode(body)

        assert result.status == status
        assert "hush" not in str(result)
