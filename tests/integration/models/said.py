"""What a model says in nobody's words, and the frames it travels in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec
from pydantic import BaseModel


@dataclass(frozen=True)
class Call:
    name: str
    fragments: Sequence[str]
    id: str = "call_1"


@dataclass(frozen=True)
class Said:
    """What the model shall say, in nobody's words."""

    texts: Sequence[str] = ()
    thinking: Sequence[str] = ()
    calls: Sequence[Call] = field(default_factory=tuple)
    finish: Literal["stop", "length", "tool_call", "content_filter"] = "stop"


INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS = 120, 30, 20
RESPONSE_ID = "resp_0123"


class Dialect(Protocol):
    driver: str
    model: str
    path: str
    streams_arguments: bool
    shows_thinking: bool

    def events(self, said: Said) -> Iterator[bytes]:
        """The events of the answer, in order; the last of them ends it."""
        ...

    def error(self, status: int, message: str, code: str) -> bytes:
        """The body of an error response."""
        ...

    def error_event(self) -> bytes | None:
        """`overloaded` in mid stream, where the provider has such an event."""
        ...


def dump(model: BaseModel) -> str:
    return model.model_dump_json(exclude_none=True, by_alias=True)


def frame(event: BaseModel) -> bytes:
    """A server-sent event named by its type."""
    text = event.model_dump_json(exclude_none=True, by_alias=True, warnings=False)
    name = msgspec.json.decode(text, type=dict[str, object])["type"]
    return f"event: {name}\ndata: {text}\n\n".encode()
