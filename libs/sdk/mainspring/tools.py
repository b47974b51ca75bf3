"""`@tool`: a function that a model may call, carried out by a worker of one's own.

What the model reads is made from the function: its name, its docstring, and a JSON Schema of its
parameters.
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from copy import deepcopy
from functools import partial, update_wrapper
from typing import Final, Generic, ParamSpec, TypeVar, cast, get_type_hints, overload
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring.showing import Output, unshown
from mainspring.threads import in_thread
from mainspring_kernel.toolset_limits import ANNOUNCED_CALL_S_DEFAULT, ANNOUNCED_CALL_S_MAX
from mainspring_schema.agents import EffectClass, ToolDefinition, ToolHints
from mainspring_schema.messages import Json

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
_CLASS: Final = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}")
"""An empty one would be none, and calls that were to wait would go out together."""


async def _unseen(_line: str) -> None:
    """Of a call that no worker makes: nobody watches."""


class ToolContext(Struct, frozen=True, kw_only=True):
    """Where a call happens. A tool that wants it has a parameter annotated with this class.

    `idempotency_key` is the same in every attempt of the call, and of no other call: hand it to
    whatever the tool changes. `progress` shows a line to the people who watch the session, `output`
    what the tool writes as it writes it, where the worker knows the event store. `settings` are the
    agent's, of a toolset that announces a `config_schema`.
    """

    org_id: UUID
    session_id: UUID
    turn_id: UUID
    call_id: str
    idempotency_key: str
    progress: Callable[[str], Awaitable[None]] = _unseen
    output: Output = unshown
    settings: Json = {}


class Tool(Generic[P, R_co]):
    """A function that a model may call. Called in code it is just the function."""

    def __init__(  # noqa: PLR0913 - one named option each
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        effect: EffectClass = "at_most_once",
        probe: Callable[..., object] | None = None,
        timeout_s: float = ANNOUNCED_CALL_S_DEFAULT,
        destructive: bool = False,
        concurrency_class: str | None = None,
    ) -> None:
        self.function = function
        self.destructive = destructive
        self.concurrency_class = concurrency_class
        self.name = name or function.__name__
        self.effect: EffectClass = effect
        self.timeout_s = timeout_s
        update_wrapper(self, function, updated=())
        self.__name__, self.__wrapped__ = function.__name__, function  # for type checkers
        self._parameters = _Parameters(self.name, function)
        self.probe = probe
        self._check()

    def _check(self) -> None:
        if not inspect.getdoc(self.function):
            message = f"{self.name}: a tool has a docstring, for that is what a model reads of it"
            raise TypeError(message)
        if self.probe is not None and self.effect != "verifiable":
            message = f"{self.name}: only a verifiable tool has a probe"
            raise TypeError(message)
        if self.probe is not None:
            self._parameters.check(self.probe)
        elif self.effect == "verifiable":
            message = f"{self.name}: a verifiable tool has a probe, which tells what a call came to"
            raise TypeError(message)
        if not 0 < self.timeout_s <= ANNOUNCED_CALL_S_MAX:
            message = f"{self.name}: a call takes at most {ANNOUNCED_CALL_S_MAX:g} s"
            raise ValueError(message)
        if self.concurrency_class is not None and not _CLASS.fullmatch(self.concurrency_class):
            message = f"{self.name}: a concurrency class has small letters, digits, _ - . and :"
            raise ValueError(message)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.function(*args, **kwargs)

    @property
    def definition(self) -> ToolDefinition:
        """As it is announced."""
        return ToolDefinition(
            name=self.name,
            display_name=self.name.replace("_", " ").strip().title(),
            description=inspect.getdoc(self.function) or "",
            parameters=self._parameters.schema,
            hints=self._hints(),
            policy="auto",
            effect_class=self.effect,
            probed=self.probe is not None,
        )

    def _hints(self) -> ToolHints:
        """What approvals go by: a person need not be asked before what changes nothing."""
        pure = self.effect == "pure"
        return ToolHints(
            readonly=pure,
            destructive=self.destructive,
            idempotent=pure or self.effect == "idempotent",
            concurrency_class=self.concurrency_class,
        )

    def arguments(self, given: object) -> dict[str, object]:
        """What a model wrote, as the function takes it. Raises ValueError for what does not fit."""
        return self._parameters.read(given)

    async def call(self, arguments: dict[str, object], context: ToolContext) -> object:
        """Carries one call out: async code here, plain code in a thread."""
        return await self._carry_out(self.function, arguments, context)

    async def ask(self, arguments: dict[str, object], context: ToolContext) -> object:
        """What the probe says of an earlier call. Raises NotDone where it took no effect."""
        assert self.probe is not None  # noqa: S101 - only a tool that has one is asked
        return await self._carry_out(self.probe, arguments, context)

    async def _carry_out(
        self, function: Callable[..., object], arguments: dict[str, object], context: ToolContext
    ) -> object:
        told = dict.fromkeys(_contexts(function), context)
        if inspect.iscoroutinefunction(function):
            code = cast("Callable[..., Awaitable[object]]", function)
            return await code(**arguments, **told)
        return await in_thread(function, **arguments, **told)


class _Parameters:
    """What a model fills in: all parameters but those that take the context."""

    def __init__(self, tool: str, function: Callable[..., object]) -> None:
        try:
            hints = cast("dict[str, object]", get_type_hints(function, include_extras=True))
        except (NameError, TypeError) as error:
            message = f"{tool}: its annotations cannot be read: {error}"
            raise TypeError(message) from error
        fields = [
            _field(tool, parameter, hints.get(parameter.name, object))
            for parameter in inspect.signature(function).parameters.values()
            if hints.get(parameter.name) is not ToolContext
        ]
        self._struct = msgspec.defstruct(
            "Arguments", fields, kw_only=True, forbid_unknown_fields=True
        )
        self.names = tuple(field[0] for field in fields)
        self.schema = _schema_of(tool, self._struct)

    def check(self, probe: Callable[..., object]) -> None:
        """Raises TypeError for a probe that cannot be given what the tool was."""
        given = dict.fromkeys((*self.names, *_contexts(probe)))
        inspect.signature(probe).bind(**given)

    def read(self, given: object) -> dict[str, object]:
        read = msgspec.convert(given, self._struct, str_keys=True)
        return {name: cast("object", getattr(read, name)) for name in self.names}


def _field(
    tool: str, parameter: inspect.Parameter, hint: object
) -> tuple[str, type] | tuple[str, type, object]:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        message = f"{tool}: a tool's parameters have names, {parameter} has none of its own"
        raise TypeError(message)
    type_ = cast("type", hint)
    default = cast("object", parameter.default)
    if default is parameter.empty:
        return parameter.name, type_
    if default is None or isinstance(default, bool | int | float | str):
        return parameter.name, type_, default
    # Each call has a default of its own, also where a tool changes what it is given.
    made = partial(deepcopy, default)
    return parameter.name, type_, msgspec.field(default_factory=made)


def _schema_of(tool: str, struct: type) -> Json:
    """Complete in itself: what it refers to comes along."""
    try:
        (schema,), parts = msgspec.json.schema_components((struct,), ref_template="#/$defs/{name}")
    except TypeError as error:
        message = f"{tool}: a model cannot be told of these parameters: {error}"
        raise TypeError(message) from error
    own = cast("Json", parts.pop(cast("str", schema["$ref"]).rpartition("/")[2]))
    own.pop("title", None)
    return {**own, "$defs": parts} if parts else own


def _contexts(function: Callable[..., object]) -> tuple[str, ...]:
    hints = cast("dict[str, object]", get_type_hints(function))
    return tuple(name for name, hint in hints.items() if hint is ToolContext and name != "return")


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    effect: EffectClass = "at_most_once",
    probe: Callable[..., object] | None = None,
    timeout_s: float = ANNOUNCED_CALL_S_DEFAULT,
    destructive: bool = False,
    concurrency_class: str | None = None,
) -> "_Decorator": ...
def tool(  # noqa: PLR0913 - one named option each
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    effect: EffectClass = "at_most_once",
    probe: Callable[..., object] | None = None,
    timeout_s: float = ANNOUNCED_CALL_S_DEFAULT,
    destructive: bool = False,
    concurrency_class: str | None = None,
) -> object:
    """Makes a function a tool: `Worker(tools=[it], toolset="shop")` announces it to agents.

    `effect` says what a crash in the middle of a call may do. A `pure` or `idempotent` one is
    called again, with the same idempotency key. One `at_most_once` (the default) never is: the
    model is told that its outcome is unknown. Of a `verifiable` one the `probe` is asked, with the
    same arguments, what became of the call: it returns the result that the call had, raises
    `NotDone` where it took no effect, and anything else where it cannot tell. `timeout_s` bounds
    one call. Before a `destructive` one people are asked, where an agent has `tool_approval`.
    Calls of one `concurrency_class` in one answer of a model are made one after the other, in the
    order asked, whoever's tools they are; without one a call waits for no other.

    A tool raises `ToolError` to tell the model what is wrong; whatever else it raises is logged,
    and the model learns only that the tool failed.
    """
    decorator = _Decorator(
        name=name,
        effect=effect,
        probe=probe,
        timeout_s=timeout_s,
        destructive=destructive,
        concurrency_class=concurrency_class,
    )
    return decorator if function is None else decorator(function)


class _Decorator:
    def __init__(
        self,
        *,
        name: str | None,
        effect: EffectClass,
        probe: Callable[..., object] | None,
        timeout_s: float,
        destructive: bool,
        concurrency_class: str | None,
    ) -> None:
        self._destructive = destructive
        self._concurrency_class = concurrency_class
        self._name = name
        self._effect: EffectClass = effect
        self._probe = probe
        self._timeout_s = timeout_s

    def __call__(self, function: Callable[P, R], /) -> Tool[P, R]:
        return Tool(
            function,
            name=self._name,
            effect=self._effect,
            probe=self._probe,
            timeout_s=self._timeout_s,
            destructive=self._destructive,
            concurrency_class=self._concurrency_class,
        )
