"""Reasoning as a provider wants it back: kept as one opaque text beside the message.

Providers sign thinking blocks and tool calls, and refuse or forget reasoning that comes back
without them. The text is JSON of ours; nobody but this module reads it.
"""

import msgspec
from msgspec import Struct
from pydantic_ai.messages import ModelResponse, ThinkingPart, ToolCallPart

from mainspring_schema.messages import Json
from mainspring_worker.adapters.models.providers.halves import joined


class Thought(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A thinking block. `content` is None where the message's own thinking text is it."""

    content: str | None = None
    id: str | None = None
    signature: str | None = None
    details: Json | None = None


class Opaque(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`calls` holds details per tool call, in call order."""

    thoughts: tuple[Thought, ...] = ()
    calls: tuple[Json | None, ...] = ()


_DECODER = msgspec.json.Decoder(Opaque)


def seal(response: ModelResponse) -> str | None:
    """The opaque text of an answer; None where nothing needs to be sent back."""
    thinking = [part for part in response.parts if isinstance(part, ThinkingPart)]
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    alone = len(thinking) == 1
    opaque = Opaque(
        thoughts=tuple(
            Thought(
                content=None if alone else joined(part.content),
                id=part.id,
                signature=part.signature,
                details=part.provider_details,
            )
            for part in thinking
        ),
        calls=tuple(part.provider_details for part in calls) if _detailed(calls) else (),
    )
    signed = any(part.signature or part.id or part.provider_details for part in thinking)
    if not signed and not opaque.calls:
        return None
    return msgspec.json.encode(opaque).decode()


def unseal(text: str | None) -> Opaque:
    """What `seal` wrote; nothing where it was written by something else."""
    if not text:
        return Opaque()
    try:
        return _DECODER.decode(text)
    except msgspec.MsgspecError:
        return Opaque()


def _detailed(calls: list[ToolCallPart]) -> bool:
    return any(call.provider_details for call in calls)
