"""Fills the expressions of a declaration with the values that they refer to. Pure.

One declaration may refer to one large value some thousand times. So each value is looked up once, a
list or an object in it is taken apart once, however many references lead through it, and the size
of what an expression makes is counted before it is built.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar, assert_never

import msgspec

from mainspring_engine.domain.workflow.charts import Unfit
from mainspring_kernel.limits import WORKFLOW_VALUE_BYTES_MAX
from mainspring_schema.declarations import (
    Expression,
    ListOf,
    ObjectOf,
    OfInput,
    OfStep,
    Value,
    references_of,
)

Reference = OfInput | OfStep
Lookup = Callable[[Reference], bytes]
"""The whole value that a reference is into, as JSON. Raises Unfit where there is none."""
Piece = bytes | msgspec.Raw
Opened = TypeVar("Opened")
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODE: Final = msgspec.json.Encoder().encode


class Values:
    """What one decision refers to. No value changes meanwhile, for a step finishes once."""

    def __init__(self, look_up: Lookup) -> None:
        self._look_up = look_up
        self._parts: dict[Reference, Piece | Unfit] = {}
        """Parts are views of the values: a thousand of them take no more room than one."""

    def prepare(self, expressions: Iterable[Expression]) -> None:
        """Looks up together what they refer to. What is not there is said when it is asked for."""
        wanted: dict[str | int, dict[Reference, None]] = {}
        for expression in expressions:
            for reference in references_of(expression):
                if reference not in self._parts:
                    wanted.setdefault(_whole_of(reference), {})[reference] = None
        for references in wanted.values():
            self._read(tuple(references))

    def part(self, reference: Reference) -> Piece:
        """Of what was prepared. Raises Unfit."""
        found = self._parts[reference]
        if isinstance(found, Unfit):
            raise found
        return found

    def _read(self, references: tuple[Reference, ...]) -> None:
        """All of them are into the same value."""
        try:
            raw = self._look_up(references[0])
        except Unfit as error:
            self._parts.update(dict.fromkeys(references, error))
            return
        # A list, for a path may be longer than calls may nest.
        left: list[tuple[Piece, tuple[Reference, ...], int]] = [(raw, references, 0)]
        while left:
            left += self._taken_apart(*left.pop())

    def _taken_apart(
        self, raw: Piece, references: tuple[Reference, ...], depth: int
    ) -> Iterator[tuple[Piece, tuple[Reference, ...], int]]:
        """Those that end here get it; for the others, the members that they go on into."""
        deeper: dict[str | int, list[Reference]] = {}
        for reference in references:
            if len(reference.path) == depth:
                self._parts[reference] = raw
            else:
                deeper.setdefault(reference.path[depth], []).append(reference)
        found = _members(raw, deeper)
        for key, those in deeper.items():
            if key in found:
                yield found[key], tuple(those), depth + 1
            else:
                message = f"there is no {key!r} in what it refers to"
                self._parts.update(dict.fromkeys(those, Unfit(message)))


def filled(expression: Expression, values: Values) -> bytes:
    """The JSON that comes of it. Raises Unfit."""
    values.prepare((expression,))
    return joined(expression, values)


def joined(expression: Expression, values: Values) -> bytes:
    """As `filled`, of what was prepared."""
    size, pieces = 0, list[Piece]()
    for piece in _pieces(expression, values):
        size += len(piece)
        if size <= WORKFLOW_VALUE_BYTES_MAX:
            pieces.append(piece)
    if size > WORKFLOW_VALUE_BYTES_MAX:
        message = f"{size} bytes, at most {WORKFLOW_VALUE_BYTES_MAX} are taken"
        raise Unfit(message)
    return b"".join(pieces)


def _pieces(expression: Expression, values: Values) -> Iterator[Piece]:
    match expression:
        case Value(value=value):
            yield value
        case OfInput() | OfStep():
            yield values.part(expression)
        case ListOf(items=items):
            yield b"["
            for index, item in enumerate(items):
                yield b"," if index else b""
                yield from _pieces(item, values)
            yield b"]"
        case ObjectOf(members=members):
            yield b"{"
            for index, (name, member) in enumerate(members.items()):
                yield b"%s%s:" % (b"," if index else b"", _ENCODE(name))
                yield from _pieces(member, values)
            yield b"}"
        case _:
            assert_never(expression)


def _whole_of(reference: Reference) -> str | int:
    """Which value it is into: a parameter by its name, a step by its number."""
    return reference.name if isinstance(reference, OfInput) else reference.step


def _members(raw: Piece, keys: Iterable[str | int]) -> dict[str | int, msgspec.Raw]:
    """Those that are there, of an object by name, of an array by number."""
    found: dict[str | int, msgspec.Raw] = {}
    names = [key for key in keys if isinstance(key, str)]
    numbers = [key for key in keys if isinstance(key, int)]
    if names:
        members = _opened(_MEMBERS, raw) or {}
        found |= {name: members[name] for name in names if name in members}
    if numbers:
        items = _opened(_ITEMS, raw) or []
        found |= {n: items[n] for n in numbers if -len(items) <= n < len(items)}
    return found


def _opened(decoder: msgspec.json.Decoder[Opened], raw: Piece) -> Opened | None:
    """None where it is something else, or nested too deeply."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
