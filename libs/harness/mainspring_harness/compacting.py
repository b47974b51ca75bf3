"""How a conversation that outgrows a model is told shorter. Pure: what was, what is to be done.

Nothing is taken from the log. An event says from where on old outputs of tools are left out, and up
to where a summary stands for the messages; every prompt after it is built so. A call and its result
are on the same side of each line.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct, structs

from mainspring_harness.conversation import (
    AssistantMessage,
    FactsMessage,
    PromptMessage,
    ToolReply,
    UserMessage,
)
from mainspring_harness.windows import CHARS_PER_TOKEN, begin, request, tokens
from mainspring_schema.codec import to_json

SUMMARY_TOKENS_MAX: Final = 2_000
"""Of a summary; it is cut there, so that one never makes a conversation longer."""
SHRINKS_TO: Final = 0.95
"""What is left must be at most this part of what was, or nothing is done."""
_TAIL_SHARE: Final = 0.3
"""Of the budget: what stays as it is behind a summary."""
_MASKED_CHARS_MIN: Final = 200
"""A shorter output is no longer than the note that would stand for it."""
_RENDERED_CHARS_MAX: Final = 2_000
"""Of one message in the text that is summarised."""

Strategy = Literal["auto", "observation_masking", "summarization"]


class Compacted(Struct, frozen=True, kw_only=True):
    """What stands for what.

    `summary` for the first `covers` messages, notes for long outputs among the first `masks`.
    """

    covers: int = 0
    masks: int = 0
    summary: str = ""


class Rules(Struct, frozen=True, kw_only=True):
    """`budget_tokens` is what a prompt's messages may take before something is done."""

    strategy: Strategy = "auto"
    budget_tokens: int
    keep_outputs: int = 2
    proactive: bool = True
    instructions: str = ""


class Masked(Struct, frozen=True):
    """Leaving out old outputs is enough."""

    made: Compacted


class Summarise(Struct, frozen=True, kw_only=True):
    """A model is to say `text` shorter; the summary then stands for the first `covers` messages."""

    text: str
    covers: int
    masks: int


def view(messages: Sequence[PromptMessage], made: Compacted | None) -> tuple[PromptMessage, ...]:
    """The messages as a prompt has them."""
    if made is None:
        return tuple(messages)
    rest = tuple(
        _note(message) if at < made.masks else message
        for at, message in enumerate(messages[made.covers :], made.covers)
    )
    if not made.covers:
        return rest
    return (_summary(made.summary), *request(messages, made.covers), *rest)


def size(messages: Sequence[PromptMessage]) -> int:
    """Tokens, about."""
    return sum(tokens(message) for message in messages)


def next_step(
    messages: Sequence[PromptMessage], made: Compacted | None, rules: Rules
) -> Masked | Summarise | None:
    """What makes the prompt fit; None where it fits, or where nothing would make it shorter."""
    before = size(view(messages, made))
    if before <= rules.budget_tokens:
        return None
    was = made or Compacted()
    masked = structs.replace(was, masks=max(was.masks, _outputs_end(messages, rules.keep_outputs)))
    if rules.strategy == "summarization":
        masked = was
    after = size(view(messages, masked))
    enough = after <= min(rules.budget_tokens, before * SHRINKS_TO)
    if enough or rules.strategy == "observation_masking":
        return Masked(masked) if after <= before * SHRINKS_TO else None
    return _summarise(messages, masked, rules)


def summarised(wanted: Summarise, summary: str) -> Compacted:
    """With the summary, cut at its bound."""
    cut = summary.strip()[: SUMMARY_TOKENS_MAX * CHARS_PER_TOKEN]
    return Compacted(covers=wanted.covers, masks=wanted.masks, summary=cut)


def _summarise(messages: Sequence[PromptMessage], was: Compacted, rules: Rules) -> Summarise | None:
    covers = _tail(messages, round(rules.budget_tokens * _TAIL_SHARE))
    told = view(messages, was)
    kept = len(messages) - covers
    old = told[: len(told) - kept]
    # The request that the turn works on stays, and a summary takes its room: less is not worth it.
    if covers <= was.covers or size(old) < 2 * SUMMARY_TOKENS_MAX:
        return None
    room = rules.budget_tokens * CHARS_PER_TOKEN
    return Summarise(text=_rendered(old, room), covers=covers, masks=was.masks)


def _tail(messages: Sequence[PromptMessage], budget: int) -> int:
    """Where the part begins that stays as it is: the newest messages that fit."""
    left, start = budget, len(messages)
    while start > 0:
        left -= tokens(messages[start - 1])
        if left < 0:
            break
        start -= 1
    return begin(messages, min(start, len(messages) - 1))


def _outputs_end(messages: Sequence[PromptMessage], keep: int) -> int:
    """Where the newest `keep` outputs of tools begin."""
    for at in range(len(messages) - 1, -1, -1):
        if isinstance(messages[at], ToolReply):
            if keep == 0:
                return at + 1
            keep -= 1
    return 0


def _note(message: PromptMessage) -> PromptMessage:
    if not isinstance(message, ToolReply) or len(message.text) < _MASKED_CHARS_MIN:
        return message
    note = f"(an earlier output of {len(message.text)} characters, left out; query_history has it)"
    return structs.replace(message, text=note, images=())


def _summary(text: str) -> FactsMessage:
    return FactsMessage(
        text=f"[CONVERSATION_SUMMARY]\nThe conversation so far, told shorter:\n{text}"
    )


def _rendered(messages: Sequence[PromptMessage], chars_max: int) -> str:
    """The messages as a text for who summarises.

    Too long, it lacks its middle: the beginning has the first request, or the earlier summary.
    """
    text = "\n\n".join(line for message in messages for line in _lines(message))
    if len(text) <= chars_max:
        return text
    head = chars_max // 4
    return f"{text[:head]}\n\n(something is left out here)\n\n{text[head - chars_max :]}"


def _lines(message: PromptMessage) -> list[str]:
    match message:
        case UserMessage():
            return [f"User: {message.text[:_RENDERED_CHARS_MAX]}"]
        case FactsMessage():
            return [message.text[: SUMMARY_TOKENS_MAX * CHARS_PER_TOKEN]]
        case AssistantMessage():
            said = [f"Assistant: {message.text[:_RENDERED_CHARS_MAX]}"] if message.text else []
            calls = [
                f"Assistant calls {call.name}: "
                f"{to_json(call.arguments).decode(errors='replace')[:_RENDERED_CHARS_MAX]}"
                for call in message.tool_calls
            ]
            return said + calls
        case ToolReply():
            return [f"{message.name} answers: {message.text[:_RENDERED_CHARS_MAX]}"]
