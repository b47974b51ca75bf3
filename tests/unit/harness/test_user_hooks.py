"""Which hooks an agent has, and what their answers mean."""

import pytest

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.builtin.user_hooks import REASON_CHARS_MAX, verdict
from mainspring_harness.errors import InvalidCapabilityConfig
from mainspring_harness.hooking import hooks as hooks_of
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.hooks import HOOKS_MAX, Hook
from mainspring_schema.messages import Json

SCRIPT: Json = {"point": "turn_end", "type": "command", "command": "true"}
TOLD: Json = {"point": "session_end", "type": "webhook", "url": "https://told.test/end"}


def resolved(*hooks: Json) -> tuple[Hook, ...]:
    ref = CapabilityRef(ref="user_hooks", config={"hooks": list(hooks)})
    return hooks_of(builtin_registry().resolve([ref]))


def test_hooks_keep_their_order_and_get_a_name_where_they_have_none() -> None:
    assert [hook.id for hook in resolved(SCRIPT, {**SCRIPT, "id": "mine"}, SCRIPT)] == [
        "hook_0",
        "mine",
        "hook_2",
    ]


def test_a_hook_fails_closed_unless_told_otherwise() -> None:
    (hook,) = resolved(SCRIPT)

    assert (hook.on_error, hook.timeout_ms) == ("block", 5_000)


@pytest.mark.parametrize(
    ("hook", "problem"),
    [
        ({"point": "turn_end", "type": "webhook"}, "hooks.0.url: a webhook needs it"),
        ({"point": "turn_end", "type": "command"}, "hooks.0.command: a command needs it"),
        ({**SCRIPT, "secret": "KEY"}, "hooks.0.secret: only what goes out is signed"),
        ({"point": "lunch", "type": "command", "command": "true"}, "hooks.0.point"),
        ({**SCRIPT, "point": "session_end"}, "hooks.0.type: of a session's end only a webhook"),
        ({**TOLD, "on_error": "block"}, "hooks.0.on_error: a session's end cannot be blocked"),
        ({**SCRIPT, "timeout_ms": 30_001}, "hooks.0.timeout_ms"),
        ({"point": "turn_end", "type": "webhook", "url": "file:///etc/passwd"}, "hooks.0.url"),
    ],
)
def test_a_hook_that_cannot_be_asked_is_refused(hook: Json, problem: str) -> None:
    with pytest.raises(InvalidCapabilityConfig, match=problem):
        resolved(hook)


@pytest.mark.parametrize("more", [{}, {"on_error": "warn"}, {"on_error": "allow"}])
def test_a_session_s_end_can_be_told_to_a_webhook(more: Json) -> None:
    (hook,) = resolved({**TOLD, **more})

    assert (hook.point, hook.url) == ("session_end", "https://told.test/end")


def test_hooks_are_bounded_in_number() -> None:
    with pytest.raises(InvalidCapabilityConfig):
        resolved(*[SCRIPT] * (HOOKS_MAX + 1))


def test_a_hook_looks_at_its_point_and_at_the_tools_it_names() -> None:
    hook = Hook(point="pre_tool_use", type="command", tools=("write_*",))

    assert hook.looks_at("pre_tool_use", "write_file")
    assert not hook.looks_at("pre_tool_use", "read_file")
    assert not hook.looks_at("post_tool_use", "write_file")


@pytest.mark.parametrize("answer", [b"", b" \n", b"{}"])
def test_an_answer_without_a_word_allows(answer: bytes) -> None:
    assert verdict(answer).decision == "allow"


@pytest.mark.parametrize(
    "answer",
    [b"yes", b"[]", b'{"decision": "maybe"}', b'{"decision": "block"', b'{"value": ' + b"[" * 9999],
)
def test_an_answer_that_is_no_verdict_is_an_error(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        verdict(answer)


def test_a_long_reason_is_cut() -> None:
    said = verdict(b'{"decision": "block", "reason": "%s"}' % (b"x" * 9999))

    assert len(said.reason) == REASON_CHARS_MAX
