"""Twins in memory: for tests, and for a worker that runs without its neighbours."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

import msgspec

from mainspring_kernel.errors import IdempotencyMismatch, LeaseLost, NotFound, PayloadTooLarge
from mainspring_kernel.ids import Position
from mainspring_kernel.limits import TOOL_RESULT_BYTES_MAX
from mainspring_schema.agents import NetworkAccess
from mainspring_schema.asking import Order, Question
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.frames import Held, Task
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_schema.hooks import Hook
from mainspring_schema.mcp import ServedTool
from mainspring_schema.messages import Json
from mainspring_schema.session_ends import SessionEnd
from mainspring_schema.tasks import ReasonResult, ReasonTask, ToolResult, ToolTask
from mainspring_worker.ports.credentials import ProviderAccess
from mainspring_worker.ports.eventlog import LogPage
from mainspring_worker.ports.hooks import HookFailed
from mainspring_worker.ports.model import ModelRequest
from mainspring_worker.ports.servers import QUIETLY, Manner, Reached, Served, ServerFailed
from mainspring_worker.ports.telemetry import ModelSpan, ToolSpan

A = TypeVar("A")
_Key = tuple[UUID, str]


class MemoryEventLog:
    """Answers as the event store does: by attempt first, then by offset."""

    def __init__(self) -> None:
        self.events: dict[UUID, list[StoredEvent]] = {}
        self.deltas: dict[UUID, list[StoredDelta]] = {}
        self._attempts: dict[_Key, int] = {}
        self._offsets: dict[tuple[UUID, str, int, str], int] = {}

    def open_anchor(self, session_id: UUID, anchor: str, attempt: int) -> None:
        """What the event that starts a message, or its recovery, does in the event store."""
        self._attempts[session_id, anchor] = attempt

    async def append(self, deltas: Sequence[DeltaAppend]) -> Sequence[AppendVerdict]:
        return [self._append(delta) for delta in deltas]

    def _append(self, delta: DeltaAppend) -> AppendVerdict:
        attempt = self._attempts.get((delta.session_id, delta.anchor))
        if attempt is None or delta.attempt != attempt:
            return AppendVerdict.STALE
        channel = (delta.session_id, delta.anchor, delta.attempt, delta.channel)
        expected = self._offsets.get(channel, 0)
        if delta.offset != expected:
            return AppendVerdict.DUPLICATE if delta.offset < expected else AppendVerdict.GAP
        self._offsets[channel] = expected + len(delta.fragment)
        rows = self.deltas.setdefault(delta.session_id, [])
        events = self.events.get(delta.session_id, [])
        seq = events[-1].seq if events else 0
        rows.append(
            StoredDelta(
                seq=seq,
                n=sum(row.seq == seq for row in rows) + 1,
                ts_ms=0,
                turn_id=delta.turn_id,
                anchor=delta.anchor,
                attempt=delta.attempt,
                channel=delta.channel,
                offset=delta.offset,
                fragment=delta.fragment,
                reset=delta.reset,
            )
        )
        return AppendVerdict.COMMITTED

    async def read(
        self, session_id: UUID, org_id: UUID, *, after: Position, events_only: bool
    ) -> LogPage:
        del org_id  # the twin holds one organization
        events = tuple(e for e in self.events.get(session_id, ()) if Position(e.seq) > after)
        if events_only:
            return LogPage(events=events)
        rows = self.deltas.get(session_id, ())
        return LogPage(events=events, deltas=tuple(d for d in rows if Position(d.seq, d.n) > after))


class FixedCredentials:
    """Access by provider id, for who holds `held`; without it everybody holds what they name."""

    def __init__(
        self, known: Mapping[str, ProviderAccess] | None = None, held: Held | None = None
    ) -> None:
        self._known = dict(known or {})
        self._held = held

    async def fetch(self, held: Held, provider_id: str) -> ProviderAccess:
        if self._held not in (None, held):
            raise LeaseLost(str(held.task_id), held.fence)
        access = self._known.get(provider_id)
        if access is None:
            raise NotFound
        return access


class MemoryFiles:
    """Answers as api does; `held` is what may write."""

    def __init__(self, *held: Held) -> None:
        self._held = frozenset(held)
        self._keys: dict[str, tuple[str, bytes]] = {}
        self.content: dict[str, bytes] = {}
        """By path."""

    async def write(self, held: Held, *, key: str, path: str, content: bytes) -> str:
        if held not in self._held:
            raise LeaseLost(str(held.task_id), held.fence)
        if len(content) > TOOL_RESULT_BYTES_MAX:
            what = "a file of a worker"
            raise PayloadTooLarge(what, TOOL_RESULT_BYTES_MAX)
        if self._keys.setdefault(key, (path, content)) != (path, content):
            raise IdempotencyMismatch
        self.content[path] = content
        return path


class NoResources:
    """Of a session that has none: for tools that use none."""

    async def ask(self, held: Held, question: Question[A]) -> A:
        del held, question
        raise NotFound

    async def change(self, held: Held, order: Order[A], *, key: str) -> A:
        del held, order, key
        raise NotFound


class MemoryServers:
    """Servers by name, each with its tools and what a call of them returns."""

    def __init__(self) -> None:
        self.tools: dict[str, tuple[ServedTool, ...]] = {}
        self.answers: dict[tuple[str, str], Served | ServerFailed] = {}
        self.progress: dict[tuple[str, str], str] = {}
        self.calls: list[tuple[str, str, Json, str]] = []
        self.reached: list[Reached] = []

    async def list_tools(self, at: Reached) -> tuple[ServedTool, ...]:
        self.reached.append(at)
        if at.name not in self.tools:
            message = "the server cannot be reached"
            raise ServerFailed("unreachable", message)
        return self.tools[at.name]

    async def call(
        self, at: Reached, tool: str, arguments: Json, *, key: str, manner: Manner = QUIETLY
    ) -> Served:
        if manner.told is not None and (line := self.progress.get((at.name, tool))) is not None:
            await manner.told(line)
        self.calls.append((at.name, tool, arguments, key))
        answer = self.answers.get((at.name, tool), Served(result=arguments))
        if isinstance(answer, ServerFailed):
            raise answer
        return answer


class MemoryHooks:
    """Answers hooks by their id, else with nothing; `asked` are the subjects by hook.

    `secrets` are those to sign with, in the order of the questions; `keys` what was told with.
    """

    def __init__(self) -> None:
        self.answers: dict[str, bytes | HookFailed] = {}
        self.asked: list[tuple[str, Json]] = []
        self.secrets: list[str | None] = []
        self.keys: list[str] = []

    async def ask(
        self, hook: Hook, subject: bytes, network: NetworkAccess | None, secret: str | None = None
    ) -> bytes:
        del network
        self.secrets.append(secret)
        return self._answer(hook.id, subject)

    async def tell(self, end: SessionEnd, *, once: str) -> None:
        self.keys.append(once)
        self._answer(end.hook_id, end.body.encode())

    def _answer(self, hook_id: str, subject: bytes) -> bytes:
        self.asked.append((hook_id, msgspec.json.decode(subject, type=dict[str, object])))
        answer = self.answers.get(hook_id, b"")
        if isinstance(answer, HookFailed):
            raise answer
        return answer


class Silence:
    """Telemetry that records nothing."""

    @contextmanager
    def model_call(
        self, task: Task, payload: ReasonTask, request: ModelRequest
    ) -> Generator[ModelSpan]:
        del task, payload, request
        yield _SilentModel()

    @contextmanager
    def tool_call(self, task: Task, payload: ToolTask) -> Generator[ToolSpan]:
        del task, payload
        yield _SilentTool()


class _SilentModel:
    def ended(self, result: ReasonResult) -> None:
        del result


class _SilentTool:
    def ended(self, result: ToolResult) -> None:
        del result
