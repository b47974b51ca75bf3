"""Tools: what a model may call, and how a call is carried out."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_harness.calling import SessionResources
from mainspring_kernel.clock import Clock
from mainspring_schema.agents import NetworkAccess, RuntimeAgent, ToolDefinition
from mainspring_schema.events import StoredEvent
from mainspring_schema.lineage import ChildTurn
from mainspring_schema.messages import ImagePart, Json
from mainspring_workstream.showing import Channel


async def no_history(_after: int) -> tuple[StoredEvent, ...]:
    """Of a call outside any session."""
    return ()


def unseen(_channel: Channel, _text: str) -> None:
    """Of a call that nobody watches, or whose output nobody may see before it is checked."""


_HOME_S: Final = 5


class ToolContext(Struct, frozen=True, kw_only=True):
    """Where a call happens. `idempotency_key` is the same in every attempt of the call.

    `deadline_mono` is a time of `clock.mono()`; the worker cancels the call when it is over.
    `progress` shows a line to the people who watch (`tool.progress`), `output` what the tool writes
    as it writes it (`tool.output.delta`): it never waits, and may show nothing. `resources` are
    what the session has: its files and what else tools keep there. `network` are the agent's rules
    of which hosts its tools may reach, told to those that are `open_world`; None allows every host.
    `agent` is who calls, told to tools that work on what it has. `history` reads the session's log
    so far, a page of events after a sequence number, none where it ends. `began_ms` is when the
    call was first to be made, `attempt` how often it was given out. `background_s` is how long a
    call in the background may take; 0 in the foreground, where somebody waits. `config` is what the
    agent configured, told to the code of people's own capabilities.
    """

    org_id: UUID
    session_id: UUID
    turn_id: UUID
    call_id: str
    idempotency_key: str
    deadline_mono: float
    clock: Clock
    progress: Callable[[str], Awaitable[None]]
    resources: SessionResources
    output: Callable[[Channel, str], None] = unseen
    network: NetworkAccess | None = None
    agent: RuntimeAgent | None = None
    history: Callable[[int], Awaitable[tuple[StoredEvent, ...]]] = no_history
    began_ms: int = 0
    attempt: int = 1
    background_s: int = 0
    config: Json = {}

    @property
    def patience_s(self) -> int:
        """How long a call in the background may wait for others; 0 in the foreground.

        The rest of its time is for bringing home what it has, and for saying who was too slow.
        """
        return max(0, self.background_s - _HOME_S)


class ToolOutcome(Struct, frozen=True, kw_only=True):
    """What came of a call. An error is an outcome: the model reads `error` and goes on.

    With `joins` there is none yet: the call is made again, with the same key, once there is news of
    that turn, and holds no worker until then. `images` are shown to the model beside the result.
    """

    status: Literal["success", "error", "timeout", "unknown"] = "success"
    result: object = None
    error: str | None = None
    joins: ChildTurn | None = None
    images: tuple[ImagePart, ...] = ()


class Tool(Protocol):
    """One tool. Its arguments were checked against the schema of its definition."""

    @property
    def definition(self) -> ToolDefinition:
        """What the model sees, and the effect class that decides what a crash may do to a call."""
        ...

    async def call(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        """Carries out one call. An exception is a fault of the tool, hidden from the model."""
        ...

    async def probe(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        """What became of an earlier call with the same arguments and key, whose worker was lost.

        Asked only where the definition says `probed`. `success` with the result it had, `error`
        where it certainly took no effect, `unknown` where that cannot be told. It must change
        nothing: the call may still be under way somewhere.
        """
        ...


class ToolBox(Protocol):
    """The tools that this worker can carry out, of one agent or of all."""

    def find(self, name: str, capability_id: str | None) -> Tool | None:
        """The tool of that name; of that capability, where one is given. None if it is not here."""
        ...
