"""Declared workflows: a function that is called once, and says which steps there are.

It is given references in place of values, and `do` notes down a step instead of calling it. What
comes of it is plain data, by which the engine runs the workflow without any code.
"""

import inspect
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Final, Literal, NoReturn, ParamSpec, Protocol, TypeVar, cast, overload

import msgspec
from msgspec import Struct

from mainspring.children import Child, Program, child
from mainspring.delays import delay_ms_of, timeout_ms_of
from mainspring.errors import NotInWorkflow
from mainspring.values import Shape, encode
from mainspring_schema.codec import to_json
from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    DeclaredWait,
    Expression,
    ListOf,
    ObjectOf,
    OfInput,
    OfStep,
    Parameter,
    Path,
    Value,
    check_new,
    read,
)

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Doable(Protocol[P, T_co]):
    """A step."""

    @property
    def name(self) -> str: ...

    @property
    def queue(self) -> str | None: ...

    @property
    def keys(self) -> tuple[str, ...]: ...

    @property
    def circuit(self) -> str | None: ...

    @property
    def shape(self) -> Shape[T_co]: ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, object, T_co]: ...


AnyStep = Doable[..., object]


class Drawn(Struct, frozen=True):
    """A declaration as JSON, and the steps that it names."""

    declaration: bytes
    steps: tuple[AnyStep, ...]


def do(step: "Doable[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """A step of a declared workflow, after those above it; a reference to its result.

    The reference can be handed to other steps, returned, and taken apart (`found["price"]`,
    `found.price`, `found[0]`). There is no value behind it when the workflow is declared: it cannot
    be compared, counted or printed.
    """
    drawing = _drawing.get()
    if drawing is None:
        message = "do() belongs into the function of a @workflow(driver='machine')"
        raise NotInWorkflow(message)
    return cast("T", drawing.add(cast("AnyStep", step), step.shape.sent(args, kwargs)))


def do_sleep(duration: float | timedelta) -> None:
    """In a declared workflow: what stands below waits for seconds to years."""
    _here().pause("sleep", DeclaredWait(kind="sleep", delay_ms=delay_ms_of(duration)))


@overload
def do_wait_for_signal(name: str, *, timeout_s: float | None = None) -> object: ...
@overload
def do_wait_for_signal(name: str, *, timeout_s: float | None = None, type: type[T]) -> T: ...
def do_wait_for_signal(
    name: str,
    *,
    timeout_s: float | None = None,
    type: type[object] = object,  # noqa: A002 - it is the word for it
) -> object:
    """In a declared workflow: a reference to the payload of a signal of this name.

    One that came before is taken. Where none comes in `timeout_s` (default: for ever) the workflow
    fails with the code `timeout`. `type` is for type checkers alone.
    """
    del type
    return _here().pause(name, DeclaredWait(kind="signal", delay_ms=timeout_ms_of(timeout_s)))


def do_child(workflow: "Program[P, T] | Child[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """In a declared workflow: another workflow that is waited for; a reference to its result.

    It is cancelled when this one ends before it; where it fails or is cancelled, this one fails.
    Options are said by `child(workflow, ...)` in its place.
    """
    return cast("T", _started("child", _with_options(workflow), args, kwargs))


def do_detached(workflow: "Program[P, T] | Child[P, T]", *args: P.args, **kwargs: P.kwargs) -> str:
    """In a declared workflow: another workflow that is only started; a reference to its id."""
    return cast("str", cast("object", _started("detached", _with_options(workflow), args, kwargs)))


@contextmanager
def parallel() -> Generator[None]:
    """What is done in this block of a declared workflow waits for what it refers to alone."""
    with _here().block(side_by_side=True):
        yield


@contextmanager
def sequence() -> Generator[None]:
    """One branch of a `parallel` block: in it each step waits for the one above it."""
    with _here().block(side_by_side=False):
        yield


def draw(function: Callable[..., object]) -> Drawn:
    """Raises TypeError for what cannot be declared, Unserializable for a value that is no JSON."""
    parameters = tuple(_parameters(function))
    drawing = _Drawing()
    token = _drawing.set(drawing)
    try:
        references = {one.name: Reference(OfInput(name=one.name)) for one in parameters}
        result = _expression(function(**references))
    finally:
        _drawing.reset(token)
    declaration = Declaration(parameters=parameters, steps=tuple(drawing.steps), result=result)
    raw = to_json(declaration)
    try:
        check_new(read(raw))
    except ValueError as error:
        message = f"{function.__name__} cannot be declared: {error}"
        raise TypeError(message) from error
    return Drawn(raw, tuple(drawing.named.values()))


class Reference:
    """In place of a value that there is none of yet."""

    __slots__ = ("_of",)

    def __init__(self, of: OfInput | OfStep) -> None:
        self._of = of

    def __getitem__(self, key: str | int) -> "Reference":
        return Reference(msgspec.structs.replace(self._of, path=(*self._of.path, key)))

    def __getattr__(self, name: str) -> "Reference":
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __repr__(self) -> str:
        return f"<{_named(self._of)}>"

    def _refuse(self, *_: object) -> NoReturn:
        message = (
            f"{_named(self._of)} has no value when the workflow is declared: what depends on it "
            "belongs into a step"
        )
        raise TypeError(message)

    __bool__ = __iter__ = __len__ = __contains__ = __str__ = __format__ = _refuse
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __call__ = _refuse
    __hash__ = object.__hash__


def _named(of: OfInput | OfStep) -> str:
    name = (
        f"the parameter {of.name}" if isinstance(of, OfInput) else f"the result of step {of.step}"
    )
    path: Path = of.path
    return "".join((name, *(f"[{key!r}]" for key in path)))


class _Block:
    """`before` are the steps to wait for in it, `last` those that what comes after waits for."""

    def __init__(self, before: tuple[int, ...], *, side_by_side: bool) -> None:
        self.before = before
        self.last: tuple[int, ...] = ()
        self._side_by_side = side_by_side

    def now_wait_for(self, steps: tuple[int, ...]) -> None:
        if self._side_by_side:
            self.last += steps
        elif steps:
            self.before = self.last = steps


class _Drawing:
    def __init__(self) -> None:
        self.steps: list[DeclaredStep] = []
        self.named: dict[str, AnyStep] = {}
        self._blocks = [_Block((), side_by_side=False)]

    def add(self, step: AnyStep, given: object) -> Reference:
        if self.named.setdefault(step.name, step) is not step:
            message = f"two steps have the name {step.name}"
            raise TypeError(message)
        arguments, block = _expression(given), self._blocks[-1]
        after = sorted({*block.before, *_steps_in(arguments)})
        if any("{" in key for key in step.keys):
            message = f"{step.name}: the keys of a declared step name no arguments"
            raise TypeError(message)
        return self._put(
            DeclaredStep(
                step=step.name,
                arguments=arguments,
                after=tuple(after),
                queue=step.queue,
                keys=step.keys,
                circuit=step.circuit or "",
            )
        )

    def start(self, child: Child[..., object], given: object, wait: DeclaredWait) -> Reference:
        arguments = _expression(given)
        after = sorted({*self._blocks[-1].before, *_steps_in(arguments)})
        return self._put(
            DeclaredStep(
                step=child.workflow.name,
                arguments=arguments,
                after=tuple(after),
                queue=child.queue,
                keys=child.under.keys,
                circuit=child.under.circuit,
                wait=wait,
            )
        )

    def pause(self, name: str, wait: DeclaredWait) -> Reference:
        after = self._blocks[-1].before
        nothing = ListOf(items=())
        return self._put(DeclaredStep(step=name, arguments=nothing, after=after, wait=wait))

    def _put(self, step: DeclaredStep) -> Reference:
        self.steps.append(step)
        number = len(self.steps)
        self._blocks[-1].now_wait_for((number,))
        return Reference(OfStep(step=number))

    @contextmanager
    def block(self, *, side_by_side: bool) -> Generator[None]:
        outer = self._blocks[-1]
        inner = _Block(outer.before, side_by_side=side_by_side)
        self._blocks.append(inner)
        yield
        self._blocks.pop()
        outer.now_wait_for(inner.last)


_drawing: Final[ContextVar[_Drawing | None]] = ContextVar("mainspring_drawing", default=None)


def _here() -> _Drawing:
    drawing = _drawing.get()
    if drawing is None:
        message = "this belongs into the function of a @workflow(driver='machine')"
        raise NotInWorkflow(message)
    return drawing


def _with_options(workflow: "Program[P, T] | Child[P, T]") -> "Child[..., object]":
    found = workflow if isinstance(workflow, Child) else child(workflow)
    return cast("Child[..., object]", cast("object", found))


def _started(
    kind: Literal["child", "detached"],
    child: Child[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> Reference:
    wait = DeclaredWait(
        kind=kind,
        delay_ms=child.delay_ms if kind == "child" else None,
        start_within_ms=child.under.start_within_ms,
    )
    return _here().start(child, child.workflow.shape.sent(args, kwargs), wait)


def _parameters(function: Callable[..., object]) -> Iterator[Parameter]:
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            message = f"{function.__name__}: {name} must be a plain parameter"
            raise TypeError(message)
        default = cast("object", parameter.default)
        if default is inspect.Parameter.empty:
            yield Parameter(name=name)
        else:
            yield Parameter(name=name, optional=True, default=msgspec.Raw(encode(default)))


def _expression(value: object) -> Expression:
    """A value with references anywhere in its lists and dictionaries."""
    if isinstance(value, Reference):
        return value._of  # noqa: SLF001 - its own module  # pyright: ignore[reportPrivateUsage]
    if isinstance(value, list | tuple):
        return ListOf(items=tuple(map(_expression, cast("Sequence[object]", value))))
    if isinstance(value, dict):
        members = cast("Mapping[object, object]", value)
        return ObjectOf(members={_key(key): _expression(one) for key, one in members.items()})
    return Value(value=msgspec.Raw(encode(value)))


def _key(key: object) -> str:
    if not isinstance(key, str):
        message = "the keys of an object are text"
        raise TypeError(message)
    return key


def _steps_in(expression: Expression) -> Iterator[int]:
    match expression:
        case OfStep(step=step):
            yield step
        case ListOf(items=items):
            for item in items:
                yield from _steps_in(item)
        case ObjectOf(members=members):
            for member in members.values():
                yield from _steps_in(member)
        case _:
            pass
