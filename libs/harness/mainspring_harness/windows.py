"""The part of a long conversation that a prompt shows. Pure, and cheap whatever lies before.

A call and its result are shown together or not at all, and what the turn was asked always is.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from mainspring_harness.conversation import (
    AssistantMessage,
    FactsMessage,
    PromptMessage,
    ToolReply,
    UserMessage,
)
from mainspring_schema.codec import to_json
from mainspring_schema.messages import TextPart

FIRST_MESSAGES_MAX: Final = 16
CHARS_PER_TOKEN: Final = 4
"""A rough factor; no tokenizer is the right one for every model."""
_IMAGE_TOKENS: Final = 1_500
_STRIDE: Final = 16
"""The window moves by so many messages at a time: in between, providers have its prefix cached."""


class Window(Struct, frozen=True, kw_only=True):
    """How much is shown: what fits `budget_tokens`, but at least and at most so many messages.

    `first` messages of the beginning are shown as well.
    """

    budget_tokens: int = 100_000
    recent_min: int = 10
    recent_max: int | None = None
    first: int = 0


def tokens(message: PromptMessage) -> int:
    """About what a message takes of a model's context."""
    match message:
        case UserMessage():
            pictures = len(message.content) - sum(
                isinstance(part, TextPart) for part in message.content
            )
            return len(message.text) // CHARS_PER_TOKEN + _IMAGE_TOKENS * pictures + 4
        case FactsMessage():
            return len(message.text) // CHARS_PER_TOKEN + 4
        case AssistantMessage():
            calls = sum(
                len(to_json(call.arguments)) + len(call.name) for call in message.tool_calls
            )
            chars = len(message.text) + len(message.thinking or "") + calls
            return chars // CHARS_PER_TOKEN + 4
        case ToolReply():
            pictures = _IMAGE_TOKENS * len(message.images)
            return len(message.text) // CHARS_PER_TOKEN + pictures + 4


def shown(messages: Sequence[PromptMessage], window: Window) -> tuple[PromptMessage, ...]:
    """The messages of the window, with a notice of how many are hidden."""
    start = _start(messages, window)
    first = begin(messages, min(window.first, start))
    hidden = start - first
    if hidden <= 0:
        return tuple(messages)
    asked = request(messages, start, behind=first)
    notice = _notice(hidden, first, and_asked=bool(asked))
    return (*messages[:first], notice, *asked, *messages[start:])


def request(
    messages: Sequence[PromptMessage], before: int, *, behind: int = 0
) -> tuple[UserMessage, ...]:
    """The newest input, where it stands between the two lines and not after them."""
    for at in range(len(messages) - 1, behind - 1, -1):
        message = messages[at]
        if isinstance(message, UserMessage):
            return (message,) if at < before else ()
    return ()


def begin(messages: Sequence[PromptMessage], at: int) -> int:
    """The same place, or the nearest before it that parts no result from its call."""
    while 0 < at < len(messages) and isinstance(messages[at], ToolReply):
        at -= 1
    return at


def _start(messages: Sequence[PromptMessage], window: Window) -> int:
    """Where the window begins; found from the end, so that only what is shown is looked at."""
    most = len(messages) if window.recent_max is None else window.recent_max
    left, start = window.budget_tokens, len(messages)
    while start > 0 and len(messages) - start < most:
        left -= tokens(messages[start - 1])
        if left < 0 and len(messages) - start >= window.recent_min:
            break
        start -= 1
    if start == 0:
        return 0
    later = -(-start // _STRIDE) * _STRIDE
    return begin(messages, later if len(messages) - later >= window.recent_min else start)


def _notice(hidden: int, first: int, *, and_asked: bool) -> FactsMessage:
    but = ", but for the newest request, which follows" if and_asked else ""
    return FactsMessage(
        text=(
            f"<hidden-history>\nMessages {first + 1} to {first + hidden} of this conversation are "
            f"not shown{but}. query_history finds them.\n</hidden-history>"
        )
    )
