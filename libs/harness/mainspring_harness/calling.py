"""Code of a capability that is carried out in process: its tools and its hooks.

A worker calls it. api reads the same capability and calls nothing, so a module with one must be
importable in both, and imports what its code alone needs where it needs it.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeAlias, TypeVar
from uuid import UUID

from mainspring_schema.asking import Order, Question
from mainspring_schema.hooks import Hook, Verdict
from mainspring_schema.messages import Json

A = TypeVar("A")


class SessionResources(Protocol):
    """What a session has, for one call of a tool: files, values, secrets, databases, tasks.

    `mainspring_schema.holdings` says what there is to ask and to change.
    """

    async def ask(self, question: Question[A]) -> A:
        """Reads. Waits while nobody answers, as long as the call may last."""
        ...

    async def change(self, order: Order[A], *, part: str = "") -> A:
        """Changes once per call and `part`, in whatever attempt; waits as `ask` does."""
        ...

    async def recall(self, *, part: str = "") -> bytes | None:
        """The note of a change that an earlier attempt of this call made; None for none."""
        ...


class CallContext(Protocol):
    """Where a call happens. `idempotency_key` is the same in every attempt of it, and of no other.

    `config` is what the agent configured of the capability. `progress` shows a line to the people
    who watch the session.
    """

    @property
    def org_id(self) -> UUID: ...
    @property
    def session_id(self) -> UUID: ...
    @property
    def turn_id(self) -> UUID: ...
    @property
    def call_id(self) -> str: ...
    @property
    def idempotency_key(self) -> str: ...
    @property
    def config(self) -> Json: ...
    @property
    def progress(self) -> Callable[[str], Awaitable[None]]: ...
    @property
    def resources(self) -> SessionResources: ...


class ToolError(Exception):
    """Tells the model what is wrong, in the words of the tool. Anything else stays hidden."""


ToolFunction: TypeAlias = Callable[[Json, CallContext], Awaitable[object]]
"""Carries out one call, whose arguments fit the tool's schema; the result is any JSON value.

As a probe it says what became of an earlier call with the same key: its result, ToolError where it
took no effect, and any other exception where that cannot be told. A probe changes nothing.
"""
HookFunction: TypeAlias = Callable[[Json], Awaitable[Verdict | None]]
"""Gets what webhooks get; None allows. An exception counts as an answer that does not come."""


class FunctionHook(Hook, frozen=True, kw_only=True):
    """A hook that is a function in the worker's own process; it may be closed over a config."""

    type: Literal["webhook", "command", "function"] = "function"
    function: HookFunction
