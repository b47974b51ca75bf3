"""Shows a model the conversation as the agent's capabilities want it shown. The log stays."""

import logging
from collections.abc import Sequence
from typing import Final

from mainspring_harness.capability import Applied, PromptContext, all_messages
from mainspring_harness.conversation import (
    AssistantMessage,
    PromptMessage,
    ToolReply,
    UserMessage,
)
from mainspring_harness.errors import MessageFilterBroken
from mainspring_harness.prompt import Blueprint

_LOG: Final = logging.getLogger(__name__)


def filtered(plan: Blueprint, messages: Sequence[PromptMessage]) -> tuple[PromptMessage, ...]:
    """What each capability in turn leaves of what the one before left.

    Raises MessageFilterBroken where that is nothing a model can be shown.
    """
    left = tuple(messages)
    for one in plan.applied:
        if one.capability.messages is not all_messages:
            left = _by(one, plan, left)
    return left


def _by(
    one: Applied, plan: Blueprint, messages: tuple[PromptMessage, ...]
) -> tuple[PromptMessage, ...]:
    context = PromptContext(model=plan.agent.model, at_ms=_newest_ms(messages))
    try:
        left = tuple(one.capability.messages(one.config, context, messages))
    except Exception as error:  # the code of people's own: whatever it raises, the turn says so
        _LOG.exception("the message filter of %s raised", one.id)
        raise MessageFilterBroken(one.id, f"it raised {type(error).__name__}") from error
    problem = _problem(left)
    if problem is not None:
        raise MessageFilterBroken(one.id, problem)
    return left


def _newest_ms(messages: Sequence[PromptMessage]) -> int:
    """The time of a committed event, so that each attempt is shown the same."""
    taken = (one.consumed_ms for one in reversed(messages) if isinstance(one, UserMessage))
    return next(taken, 0)


def _problem(messages: Sequence[PromptMessage]) -> str | None:
    """Providers refuse a call without its result, a result without its call, and nothing."""
    if not messages:
        return "it left no message"
    open_calls: set[str] = set()
    for message in messages:
        match message:
            case ToolReply(tool_call_id=id_) if id_ in open_calls:
                open_calls.remove(id_)
            case ToolReply(tool_call_id=id_):
                return f"it left the result of {id_} without its call"
            case _ if open_calls:
                break
            case AssistantMessage():
                open_calls = {call.id for call in message.tool_calls}
            case _:
                continue
    return f"it left {min(open_calls)} without its result" if open_calls else None
