"""Sees that a model goes round in a circle: the same call with the same outcome, again and again.

A repeated call becomes a refusal that says so, which costs nothing and gives the model a way out. A
model that takes none of them is ended by the engine's own bound on answers without a usable call.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import structs

from mainspring_harness.conversation import AssistantMessage, PromptMessage, ToolReply, UserMessage
from mainspring_schema.codec import canonical_json
from mainspring_schema.tasks import ToolCall

MARK: Final = "loop detected"
"""How a refusal begins; it counts as one more round."""


class _Round(NamedTuple):
    """A call that was made, and what came of it."""

    name: str
    arguments: bytes
    text: str

    @property
    def is_refusal(self) -> bool:
        return MARK in self.text


def without_loops(
    calls: Sequence[ToolCall], messages: Sequence[PromptMessage], *, threshold: int
) -> tuple[ToolCall, ...]:
    """The calls; one that had the same outcome `threshold` - 1 times in a row becomes a refusal.

    Only what followed the newest input counts: people may ask for the same thing twice.
    """
    rounds = tuple(_rounds(messages))
    return tuple(_checked(call, rounds, threshold) for call in calls)


def _checked(call: ToolCall, rounds: Sequence[_Round], threshold: int) -> ToolCall:
    if call.problem is not None:
        return call
    made = _repeats(call, rounds)
    if made + 1 < threshold:
        return call
    problem = (
        f"{MARK}: {call.name} was called with these arguments {made} times in a row and had the "
        "same outcome; do something else, or answer with what you know"
    )
    return structs.replace(call, problem=problem)


def _repeats(call: ToolCall, rounds: Sequence[_Round]) -> int:
    """How often the newest rounds made this very call, as far as its outcome did not change."""
    wanted = canonical_json(call.arguments)
    count, outcome = 0, None
    for made in rounds:
        if made.name != call.name:
            continue
        if made.arguments != wanted:
            break
        if not made.is_refusal:
            if outcome is not None and made.text != outcome:
                break
            outcome = made.text
        count += 1
    return count


def _rounds(messages: Sequence[PromptMessage]) -> Iterator[_Round]:
    """Newest first, as far back as the newest input."""
    replies: dict[str, str] = {}
    for message in reversed(messages):
        match message:
            case UserMessage():
                return
            case ToolReply():
                replies[message.tool_call_id] = message.text
            case AssistantMessage():
                for part in reversed(message.tool_calls):
                    text = replies.get(part.id, "")
                    yield _Round(part.name, canonical_json(part.arguments), text)
            case _:
                continue
