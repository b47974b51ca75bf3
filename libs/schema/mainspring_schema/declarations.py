"""Declared workflows: steps and what each is given, as plain data that an engine runs by itself.

A declaration is JSON. It names steps and holds no code; whoever offers a step of that name carries
it out. Steps are numbered from 1 in their order, and refer to earlier ones alone.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from mainspring_kernel.declaration_limits import (
    DECLARATION_BYTES_MAX,
    DECLARATION_DEPTH_MAX,
    DECLARATION_PATH_MAX,
    DECLARATION_REFERENCES_MAX,
    DECLARATION_STEPS_MAX,
    WAIT_MS_MAX,
)
from mainspring_kernel.limits import WORKFLOW_TYPE_CHARS_MAX
from mainspring_schema.keys import flaw_in, flaw_of_start_bound

Path = tuple[str | int, ...]
"""Into a value: members of an object by name, of an array by number."""
_NAME: Final = re.compile(rf"[A-Za-z0-9_.:/-]{{1,{WORKFLOW_TYPE_CHARS_MAX}}}")


class Value(Struct, frozen=True, kw_only=True, tag_field="from", tag="value"):
    """What it says itself."""

    value: msgspec.Raw


class OfInput(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="from", tag="input"):
    """A parameter of the workflow, or a part of it."""

    name: str
    path: Path = ()


class OfStep(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="from", tag="step"):
    """The result of an earlier step, or a part of it."""

    step: int
    path: Path = ()


class ListOf(Struct, frozen=True, kw_only=True, tag_field="from", tag="list"):
    items: "tuple[Expression, ...]"


class ObjectOf(Struct, frozen=True, kw_only=True, tag_field="from", tag="object"):
    members: "dict[str, Expression]"


Expression = Value | OfInput | OfStep | ListOf | ObjectOf


def _null() -> msgspec.Raw:
    return msgspec.Raw(b"null")


class Parameter(Struct, frozen=True, kw_only=True):
    """One of the workflow's, in their order. An `optional` one has its default."""

    name: str
    optional: bool = False
    default: msgspec.Raw = field(default_factory=_null)


class DeclaredWait(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a step waits for in place of a task: a time, a signal of its name, a child of its type.

    `delay_ms` is the length of a sleep, or when a signal or the end of a child is too late; None
    waits for ever. A `detached` child is only started. `start_within_ms` is as of a start.
    """

    kind: Literal["sleep", "signal", "child", "detached"]
    delay_ms: int | None = None
    start_within_ms: int | None = None

    @property
    def starts(self) -> bool:
        """Whether it starts another workflow, and so is given something."""
        return self.kind in ("child", "detached")


class DeclaredStep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`step` is its name, `arguments` a list or an object. `queue` None is the workflow's.

    `keys` and `circuit` are as of a plain task. With a `wait` it is no task; where that starts no
    child, it is given nothing.

    It begins once all of `after` have finished; what it refers to is among them, or before them.
    """

    step: str
    arguments: Expression
    after: tuple[int, ...] = ()
    queue: str | None = None
    keys: tuple[str, ...] = ()
    circuit: str = ""
    wait: DeclaredWait | None = None


class Declaration(Struct, frozen=True, kw_only=True, omit_defaults=True):
    parameters: tuple[Parameter, ...] = ()
    steps: tuple[DeclaredStep, ...]
    result: Expression


_JSON: Final = msgspec.json.Decoder(Declaration)


def hash_of(raw: bytes) -> bytes:
    """What tells one version of a declaration from another."""
    return hashlib.sha256(raw).digest()


def version_of(digest: bytes) -> str:
    """As people see it."""
    return digest.hex()[:12]


def read(raw: bytes) -> Declaration:
    """Raises ValueError, with words for people, for what cannot be run."""
    if len(raw) > DECLARATION_BYTES_MAX:
        message = f"it has {len(raw)} bytes, at most {DECLARATION_BYTES_MAX} are taken"
        raise ValueError(message)
    try:
        raw.decode()
        declaration = _JSON.decode(raw)
    except RecursionError as error:
        message = f"it nests deeper than {DECLARATION_DEPTH_MAX}"
        raise ValueError(message) from error
    _check(declaration)
    return declaration


def ancestors_of(declaration: Declaration) -> tuple[int, ...]:
    """By step, a bit for each step that has finished before it begins; bit 0 is the first step's.

    Raises ValueError where one waits for itself or a later one.
    """
    found: list[int] = []
    for number, step in enumerate(declaration.steps, start=1):
        bits = 0
        for other in step.after:
            if not 0 < other < number:
                message = f"step {number} waits for {other}, which is not before it"
                raise ValueError(message)
            bits |= found[other - 1] | 1 << (other - 1)
        found.append(bits)
    return tuple(found)


def check_new(declaration: Declaration) -> None:
    """Raises ValueError above bounds that came after the first declarations, which go on."""
    wholes = (*(step.arguments for step in declaration.steps), declaration.result)
    references = [one for whole in wholes for one in references_of(whole)]
    if len(references) > DECLARATION_REFERENCES_MAX:
        message = (
            f"it refers {len(references)} times to its input and its steps, and may do so"
            f" {DECLARATION_REFERENCES_MAX} times"
        )
        raise ValueError(message)
    longest = max((len(one.path) for one in references), default=0)
    if longest > DECLARATION_PATH_MAX:
        message = f"a path in it has {longest} parts, and may have {DECLARATION_PATH_MAX}"
        raise ValueError(message)


def references_of(expression: Expression) -> Iterator[OfInput | OfStep]:
    """All references in an expression. Raises ValueError where it nests too deeply."""
    return (part for part in _parts(expression) if isinstance(part, OfInput | OfStep))


def _check(declaration: Declaration) -> None:
    steps = declaration.steps
    if not 0 < len(steps) <= DECLARATION_STEPS_MAX:
        message = f"it has {len(steps)} steps, and may have 1 to {DECLARATION_STEPS_MAX}"
        raise ValueError(message)
    names = [parameter.name for parameter in declaration.parameters]
    if len(names) > len(set(names)):
        message = "two parameters have one name"
        raise ValueError(message)
    ancestors = ancestors_of(declaration)
    for number, (step, before) in enumerate(zip(steps, ancestors, strict=True), start=1):
        if not all(_NAME.fullmatch(name) for name in (step.step, step.queue or "default")):
            message = f"the name or the queue of step {number} is none"
            raise ValueError(message)
        flaw = flaw_in(step.keys, step.circuit) or _flaw_of_wait(step)
        if flaw is not None:
            message = f"step {number}: {flaw}"
            raise ValueError(message)
        if not isinstance(step.arguments, ListOf | ObjectOf):
            message = f"the arguments of step {number} are no list and no object"
            raise ValueError(message)  # noqa: TRY004 - of a value that came from outside
        _check_references(step.arguments, f"step {number}", before, frozenset(names))
    everything = (1 << len(steps)) - 1
    _check_references(declaration.result, "the result", everything, frozenset(names))


def _flaw_of_wait(step: DeclaredStep) -> str | None:
    wait = step.wait
    if wait is None:
        return None
    if wait.delay_ms is None and wait.kind == "sleep":
        return "a sleep has a length"
    if not 0 <= (wait.delay_ms or 0) <= WAIT_MS_MAX:
        return f"a wait of {wait.delay_ms} ms"
    if wait.starts:
        return _flaw_of_child(wait)
    if wait.start_within_ms is not None:
        return "only a child has to be taken in time"
    bare = DeclaredStep(step=step.step, arguments=ListOf(items=()), after=step.after, wait=wait)
    return None if step == bare else "a wait has no arguments, queue or keys"


def _flaw_of_child(wait: DeclaredWait) -> str | None:
    if wait.kind == "detached" and wait.delay_ms is not None:
        return "a detached child is not waited for"
    return flaw_of_start_bound(wait.start_within_ms)


def _check_references(
    expression: Expression, whose: str, before: int, names: frozenset[str]
) -> None:
    for part in _parts(expression):
        if isinstance(part, OfInput) and part.name not in names:
            message = f"{whose} refers to the parameter {part.name}, and there is none"
            raise ValueError(message)
        if isinstance(part, OfStep) and not (part.step > 0 and before >> (part.step - 1) & 1):
            message = f"{whose} refers to step {part.step} without waiting for it"
            raise ValueError(message)


def _parts(expression: Expression) -> Iterator[Expression]:
    """All of it, layer by layer. Raises ValueError for more layers than the bound."""
    layer: list[Expression] = [expression]
    for _ in range(DECLARATION_DEPTH_MAX):
        yield from layer
        layer = [inner for outer in layer for inner in _inner(outer)]
        if not layer:
            return
    message = f"it nests deeper than {DECLARATION_DEPTH_MAX}"
    raise ValueError(message)


def _inner(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case ListOf(items=items):
            return items
        case ObjectOf(members=members):
            return tuple(members.values())
        case _:
            return ()
