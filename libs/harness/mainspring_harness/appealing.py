"""Decides which calls of an answer wait for a person, and which a person has refused for good."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from mainspring_harness import questions
from mainspring_harness.builtin import ask_user, tool_approval
from mainspring_harness.builtin.tool_approval import Approval
from mainspring_harness.capability import Applied
from mainspring_harness.toolset import ToolSet
from mainspring_schema.agents import BOUND, ToolDefinition
from mainspring_schema.tasks import ToolCall

Rules = Mapping[str, str]
"""By tool: `allow_always` or `reject_always`, as people of this session have decided."""


def with_appeals(
    calls: Sequence[ToolCall], tools: ToolSet, applied: tuple[Applied, ...], rules: Rules
) -> tuple[ToolCall, ...]:
    """The calls; those that wait say for what, and for how long."""
    policy = tool_approval.approval(applied)
    return tuple(_checked(call, tools, applied, policy, rules) for call in calls)


def _checked(
    call: ToolCall,
    tools: ToolSet,
    applied: tuple[Applied, ...],
    policy: Approval | None,
    rules: Rules,
) -> ToolCall:
    # A client decides by itself what it does with a call of its own tool.
    if call.problem is not None or call.client_side:
        return call
    if call.capability_id == ask_user.ID:
        return _question(call, ask_user.timeout_s(applied))
    if policy is None:
        return call
    return _leave(call, tools[call.name].definition, policy, rules.get(call.name))


def _question(call: ToolCall, timeout_s: int) -> ToolCall:
    flaw = questions.flaw(call.arguments)
    if flaw is not None:
        return structs.replace(call, problem=f"invalid arguments: {flaw}")
    return structs.replace(
        call,
        appeal="question",
        expires_s=timeout_s,
        on_silence=questions.silence(call.arguments),
    )


def _leave(
    call: ToolCall, definition: ToolDefinition, policy: Approval, decided: str | None
) -> ToolCall:
    rule = policy.tools.get(call.name)
    if rule == "reject":
        return structs.replace(call, problem="rejected: this agent may not call the tool")
    if decided == "reject_always":
        return structs.replace(call, problem="rejected: the user wants no calls of this tool")
    why = None if rule == "allow" or decided == "allow_always" else _why(definition, policy, rule)
    if why is None:
        return call
    return structs.replace(
        call, appeal="approval", appeal_reason=why, expires_s=policy.expires_seconds
    )


def _why(definition: ToolDefinition, policy: Approval, rule: str | None) -> str | None:
    hints = definition.hints
    readonly = hints is not None and hints.readonly is True
    destructive = hints is not None and hints.destructive is True
    if rule == "ask":
        return "calls of this tool are to be approved"
    if policy.mode == "off" or readonly:
        return None
    if destructive:
        return "the tool may destroy something"
    if definition.effect_class in BOUND:
        return "what the call does cannot be done again or taken back"
    return "the tool is not read-only" if policy.mode == "protective" else None
