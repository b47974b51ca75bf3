"""A model: one request in, a stream of items out, the last of which is `Done`.

A driver makes exactly one attempt. It never retries: that is the engine's, and two owners of
retries multiply them. It raises `ModelFailure` for whatever goes wrong, also in mid stream; no
provider's own exception leaves a driver. Closing the iterator (`aclose`, or leaving it by an
exception) closes the connection to the provider, which is how a cancel reaches it.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias
from uuid import UUID

from msgspec import Struct

from mainspring_harness.conversation import PromptMessage
from mainspring_kernel.limits import SYNC_LIST_MS
from mainspring_schema.agents import ModelChoice, ToolDefinition
from mainspring_schema.discovery import FoundModels
from mainspring_schema.events import Usage
from mainspring_schema.messages import Json
from mainspring_schema.tasks import Failure


class Deadlines(Struct, frozen=True, kw_only=True):
    """The three timers of a call and their sum's bound, in milliseconds.

    `connect_ms`: until the connection stands. `first_byte_ms`: from the request to the first item.
    `gap_ms`: the longest silence between two items. `total_ms`: the whole call.
    """

    connect_ms: int = 10_000
    first_byte_ms: int = 120_000
    gap_ms: int = 120_000
    total_ms: int = 600_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What opens a provider's door. Never logged or sent on: its text form shows neither member."""

    api_key: str | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)


class ModelRequest(Struct, frozen=True, kw_only=True):
    """One model call. `turn_id`, `iteration` and `attempt` name it; the simulator goes by them.

    `reasoning_effort` is one of none, minimal, low, medium, high, xhigh; None leaves it to the
    model. `max_tokens` and `temperature` None mean the driver's default. `output_schema` is what
    the answer shall fit: the prompt says so too, a driver may say it the provider's own way.
    `metadata` goes to providers that take labels.
    """

    choice: ModelChoice
    system: str
    messages: tuple[PromptMessage, ...]
    tools: tuple[ToolDefinition, ...] = ()
    parallel_tool_calls: bool = True
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    output_schema: Json | None = None
    deadlines: Deadlines = Deadlines()
    turn_id: UUID = UUID(int=0)
    iteration: int = 1
    attempt: int = 1
    credentials: Credentials | None = None
    metadata: dict[str, str] = {}


class OfferRequest(Struct, frozen=True, kw_only=True):
    """Asks a provider for its models. `provider` names it to people; prices are those of `now_ms`.

    The first byte has as long as the whole list: who waits for it waits no longer for silence.
    """

    provider: str
    now_ms: int
    base_url: str | None = None
    credentials: Credentials | None = None
    deadlines: Deadlines = Deadlines(total_ms=SYNC_LIST_MS)


class TextDelta(Struct, frozen=True):
    """Visible text."""

    text: str


class ThinkingDelta(Struct, frozen=True):
    """Reasoning that the provider shows."""

    text: str


class ThinkingSignature(Struct, frozen=True):
    """Opaque proof of the reasoning, to be sent back with it."""

    signature: str


class ToolArgumentsDelta(Struct, frozen=True, kw_only=True):
    """A piece of the arguments' JSON text of the call at `index`, counted from 0 in the answer."""

    index: int
    name: str
    fragment: str


class UsageReported(Struct, frozen=True):
    """Tokens so far. A later report replaces the earlier one; a failed call has cost the last."""

    usage: Usage


class RawToolCall(Struct, frozen=True, kw_only=True):
    """A call as the model wrote it: `arguments` is its text, which need not be JSON."""

    name: str
    arguments: str
    provider_id: str | None = None


class Done(Struct, frozen=True, kw_only=True):
    """The whole answer; always the last item, and the only proof that the stream was not cut.

    `finish_reason` is one of stop, length, content_filter, tool_call, error, or None if not told.
    """

    text: str = ""
    thinking: str | None = None
    thinking_signature: str | None = None
    tool_calls: tuple[RawToolCall, ...] = ()
    usage: Usage = Usage()
    finish_reason: str | None = None
    response_id: str | None = None
    response_model: str | None = None


ModelItem: TypeAlias = (
    TextDelta | ThinkingDelta | ThinkingSignature | ToolArgumentsDelta | UsageReported | Done
)


class ModelFailure(Exception):
    """The attempt failed; `failure` says how, `usage` what it cost so far, where known."""

    def __init__(self, failure: Failure, usage: Usage | None = None) -> None:
        super().__init__(f"{failure.error_class} ({failure.code}): {failure.message}")
        self.failure = failure
        self.usage = usage


class ModelDriver(Protocol):
    """The code that speaks to one kind of provider."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Calls the model once. Ends with `Done` or raises `ModelFailure`; use `aclosing`."""
        ...

    async def offered(self, request: OfferRequest) -> FoundModels:
        """All models that the provider lists now. Raises ModelFailure."""
        ...

    async def aclose(self) -> None:
        """Closes kept connections; safe twice."""
        ...


class ModelDrivers(Protocol):
    """All drivers of this worker."""

    def named(self, driver: str) -> ModelDriver:
        """The driver of that name. Raises ModelFailure (`model_not_available`) if unknown."""
        ...

    async def aclose(self) -> None:
        """Closes every driver that was used; safe twice."""
        ...
