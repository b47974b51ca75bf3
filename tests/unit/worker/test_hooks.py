"""Hooks at work: messages, calls, results and answers that code of the user looks at."""

from typing import TypeVar, cast

import msgspec
import pytest

from mainspring_harness.builtin import builtin_registry
from mainspring_schema.agents import CapabilityRef, ToolDefinition
from mainspring_schema.asking import Order, Question
from mainspring_schema.frames import Config, Held
from mainspring_schema.holdings import OpenedSecret, OpenSecret
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ReasonResult, ToolResult
from mainspring_worker.adapters.memory import MemoryHooks
from mainspring_worker.ports.hooks import HookFailed
from mainspring_worker.ports.model import Done, RawToolCall
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
from tests.unit.worker.test_guard import Told, says, types
from tests.unit.worker.test_reason import RESULT
from tests.unit.worker.workbench import bench, tool

A = TypeVar("A")
PARAMETERS: Json = {"type": "object", "properties": {"a": {"type": "string"}}}
OWN = ToolDefinition(name="echo", parameters=PARAMETERS, effect_class="pure")
CALLS = Done(tool_calls=(RawToolCall(name="echo", arguments='{"a": "b"}'),))
BLOCK = b'{"decision": "block", "reason": "not today"}'


def config(*hooks: Json, checks: tuple[Json, ...] = ()) -> Config:
    asked = [{"type": "webhook", "url": "https://hooks.test/", **hook} for hook in hooks]
    refs = (
        CapabilityRef(ref="user_hooks", config={"hooks": asked}),
        CapabilityRef(ref="guardrails", config={"checks": list(checks)}),
    )
    who = msgspec.structs.replace(agent(), capabilities=refs, tools=(OWN,))
    return config_of(who)


def hook(point: str, **more: object) -> Json:
    return {"point": point, "id": "h", **more}


def answering(answer: bytes | HookFailed) -> MemoryHooks:
    made = MemoryHooks()
    made.answers["h"] = answer
    return made


async def answered(conf: Config, done: Done, asked: MemoryHooks) -> tuple[Told, ReasonResult, int]:
    async with bench(script=says(done), registry=builtin_registry(), hooks=asked) as b:
        engine = await b.engine.attached()
        engine.give(task(held(), reason_payload(), config=conf, tail=history()))
        told, body = await granted(engine)
        return told, RESULT.decode(body), len(b.model.requests)


async def acted(conf: Config, value: object, asked: MemoryHooks) -> tuple[Told, ToolResult]:
    payload = msgspec.structs.replace(payload_of(), guarded=True)
    tools = [tool(returning(value))]
    async with bench(tools=tools, registry=builtin_registry(), hooks=asked) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=payload, config=conf))
        told, body = await granted(engine)
        return told, TOLD.decode(body)


async def test_a_blocked_message_fails_the_turn_before_the_model_is_asked() -> None:
    asked = answering(BLOCK)
    told, result, calls = await answered(config(hook("user_prompt_submit")), Done(), asked)

    assert result.failure is not None
    assert (result.failure.code, calls) == ("hook_blocked", 0)
    assert result.failure.message == "blocked by a hook (h): not today"
    assert types(told) == ["hook.blocked"]
    ((_, subject),) = asked.asked
    assert subject["event"] == "user_prompt_submit"
    assert subject["text"]


async def test_a_call_is_refused_and_the_model_reads_why() -> None:
    told, result, _ = await answered(config(hook("pre_tool_use")), CALLS, answering(BLOCK))

    assert result.tool_calls[0].problem == "blocked by a hook (h): not today"
    assert types(told) == ["hook.blocked"]


async def test_a_call_is_made_with_other_arguments_where_they_fit() -> None:
    conf = config(hook("pre_tool_use"))
    told, changed, _ = await answered(
        conf, CALLS, answering(b'{"decision": "mutate", "value": {"a": "c"}}')
    )
    _, unfit, _ = await answered(
        conf, CALLS, answering(b'{"decision": "mutate", "value": {"a": 1}}')
    )

    assert (changed.tool_calls[0].arguments, changed.tool_calls[0].problem) == ({"a": "c"}, None)
    assert types(told) == ["hook.changed"]
    assert "do not fit" in (unfit.tool_calls[0].problem or "")


async def test_only_the_tools_that_a_hook_names_are_its_business() -> None:
    asked = answering(BLOCK)
    _, result, _ = await answered(config(hook("pre_tool_use", tools=["write_*"])), CALLS, asked)

    assert (result.tool_calls[0].problem, asked.asked) == (None, [])


async def test_hooks_are_asked_in_turn_each_about_what_the_one_before_left() -> None:
    asked = answering(b'{"decision": "mutate", "value": "two"}')
    asked.answers["last"] = b""
    conf = config(hook("turn_end"), {"point": "turn_end", "id": "last"})
    told, result, _ = await answered(conf, Done(text="one"), asked)

    assert [(id_, subject["text"]) for id_, subject in asked.asked] == [
        ("h", "one"),
        ("last", "two"),
    ]
    assert result.text == "two"
    assert types(told) == ["hook.changed", "output.message.replaced"]
    assert told[1][1]["replacement"] == "two"


async def test_a_blocked_answer_is_not_said() -> None:
    told, result, _ = await answered(config(hook("turn_end")), Done(text="one"), answering(BLOCK))

    assert result.text == "(This was withheld by a hook.)"
    assert types(told) == ["hook.blocked", "output.message.replaced"]


@pytest.mark.parametrize("value", [b"5", b'""', b"null"])
async def test_an_answer_is_not_changed_to_what_is_no_text(value: bytes) -> None:
    asked = answering(b'{"decision": "mutate", "value": %b}' % value)

    told, result, _ = await answered(config(hook("turn_end")), Done(text="one"), asked)

    assert result.text == "(This was withheld by a hook.)"
    assert types(told) == ["hook.failed", "hook.blocked", "output.message.replaced"]


async def test_a_result_is_withheld_or_another_one_is_read() -> None:
    conf = config(hook("post_tool_use"))
    _, blocked = await acted(conf, "one", answering(BLOCK))
    asked = answering(b'{"decision": "mutate", "value": "two"}')
    _, changed = await acted(conf, "one", asked)

    assert blocked.status == "error"
    assert "withheld by a hook" in (blocked.error or "")
    assert (changed.status, changed.result) == ("success", "two")
    assert asked.asked[0][1]["result"] == "one"


async def test_a_result_is_not_changed_by_an_answer_without_a_value() -> None:
    blank = b'{"decision": "mutate"}'
    _, blocked = await acted(config(hook("post_tool_use")), "one", answering(blank))
    _, kept = await acted(config(hook("post_tool_use", on_error="warn")), "one", answering(blank))
    null = answering(b'{"decision": "mutate", "value": null}')
    _, changed = await acted(config(hook("post_tool_use")), "one", null)

    assert (blocked.status, kept.result) == ("error", "one")
    assert (changed.status, changed.result) == ("success", None)


async def test_calls_whose_results_a_hook_reads_are_marked() -> None:
    _, result, _ = await answered(config(hook("post_tool_use")), CALLS, MemoryHooks())

    assert result.tool_calls[0].guarded


@pytest.mark.parametrize("broken", [HookFailed("down"), b"nonsense", b'{"decision": "perhaps"}'])
async def test_where_a_hook_fails_the_configuration_decides(broken: bytes | HookFailed) -> None:
    outcomes: dict[str, tuple[str, list[str]]] = {}
    for on_error in ("block", "allow", "warn"):
        conf = config(hook("turn_end", on_error=on_error))
        told, result, _ = await answered(conf, Done(text="one"), answering(broken))
        outcomes[on_error] = (result.text, types(told))

    withheld = "(This was withheld by a hook.)"
    seen = ["hook.failed", "hook.blocked", "output.message.replaced"]
    assert outcomes == {
        "block": (withheld, seen),
        "allow": ("one", []),
        "warn": ("one", ["hook.failed"]),
    }


async def test_a_hook_never_sees_what_a_guardrail_withholds_nor_slips_it_in() -> None:
    check: Json = {"type": "regex", "pattern": "hush", "replacement": "(-)"}
    conf = config(hook("turn_end"), checks=(check,))
    asked = MemoryHooks()
    await answered(conf, Done(text="It is hush."), asked)
    slipping = answering(b'{"decision": "mutate", "value": "hush"}')
    _, result, _ = await answered(conf, Done(text="fine"), slipping)

    assert asked.asked[0][1]["text"] == "(-)"
    assert result.text == "(-)"


async def test_every_attempt_asks_under_the_same_id() -> None:
    first, second = MemoryHooks(), MemoryHooks()
    conf = config(hook("pre_tool_use"))
    for asked in (first, second):
        await answered(conf, CALLS, asked)

    assert first.asked[0][1]["id"] == second.asked[0][1]["id"]


# ── signed ──────────────────────────────────────────────────────────────────────────────────────


class Sealed:
    """Resources of a session with one secret."""

    async def ask(self, held: Held, question: Question[A]) -> A:
        del held
        asked: object = question
        assert isinstance(asked, OpenSecret)
        value = "key" if asked.name == "HOOKS" else None
        return cast("A", OpenedSecret(value=value))

    async def change(self, held: Held, order: Order[A], *, key: str) -> A:
        raise NotImplementedError


async def asked_with(secret: str) -> tuple[MemoryHooks, Told, ReasonResult]:
    asked = MemoryHooks()
    conf = config(hook("user_prompt_submit", secret=secret))
    async with bench(
        script=says(Done(text="Hello.")),
        registry=builtin_registry(),
        hooks=asked,
        resources=Sealed(),
    ) as b:
        engine = await b.engine.attached()
        engine.give(task(held(), reason_payload(), config=conf, tail=history()))
        told, body = await granted(engine)
        return asked, told, RESULT.decode(body)


async def test_a_hook_is_signed_with_the_secret_that_it_names() -> None:
    asked, told, result = await asked_with("HOOKS")

    assert (asked.secrets, result.failure) == (["key"], None)
    assert types(told) == []


async def test_a_hook_whose_secret_is_not_there_is_not_asked() -> None:
    asked, told, result = await asked_with("NONE")

    assert (asked.asked, types(told)) == ([], ["hook.failed", "hook.blocked"])
    assert result.failure is not None
    assert "has no secret 'NONE'" in result.failure.message
