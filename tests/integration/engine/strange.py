"""Draws values of any type that travels: plausible ones, and such as nobody expects."""

import types
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import (
    Annotated,
    Final,
    Literal,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

import msgspec

Of = TypeVar("Of", bound=msgspec.Struct)
_UNION_OF_NOTES: Final = get_origin(Annotated[int, ""] | str)
_SHARE_LEFT_OUT: Final = 0.5
"""Of members that have a default."""
_DEPTH_MAX: Final = 4
"""Below it lists are empty."""
_NUMBERS: Final = (
    -(2**63), -(2**31) - 1, -1, 0, 1, 2, 7, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1,
)  # fmt: skip
_TEXTS: Final = (
    "", "a", "1", "1/1", "a1~1", "\0", "a\0b", "9" * 9, "x" * 300, "x" * 70_000, "é" * 200, "💥",
)  # fmt: skip
_BYTES: Final = (
    b"", b"null", b"1", b"{}", b"[", b"\xff", b"\0", b"NaN", b"1e999", b'"a\\u0000b"',
    b'"\\ud800"', b"x" * 32, b'"' + b"y" * 70_000 + b'"', b"[" * 5000 + b"]" * 5000, b"9" * 5000,
)  # fmt: skip
_OBJECTS: Final[tuple[object, ...]] = (
    None, True, 1.5, float("nan"), float("inf"), 2**64 - 1, -(2**63), "a\0b", "z" * 70_000, b"b",
    dict[str, object](), list[object](), [[[[list[object]()]]]], {"a": {"b": ["c", None]}},
    {"": ""}, {"a\0": "\0"}, {"k": "z" * 300_000},
    {1: 2}, {None: 1}, {True: 1}, {1.5: 1}, {b"k": 1}, msgspec.msgpack.Ext(5, b"x"),
    {"x": msgspec.msgpack.Ext(5, b"x")},
)  # fmt: skip


class Strange:
    """`known` has values by the member's name that may well be right.

    `odd` is how often something is drawn that nobody expects, 0 to 1.
    """

    def __init__(
        self, random: Random, known: Mapping[str, Sequence[object]], *, odd: float
    ) -> None:
        self._random = random
        self._known = known
        self._odd = odd
        self._leaves: dict[object, tuple[Sequence[object], Sequence[object]]] = {
            bool: ((False, True), (False, True)),
            int: ((0, 1, 1, 2, 3), _NUMBERS),
            float: ((0.0, 1.5), (-1.0, float("nan"), float("inf"))),
            str: (("a", "b", "1", "2"), _TEXTS),
            bytes: ((b"null",), _BYTES),
            object: (({}, [1], "a", None), _OBJECTS),
        }
        self._kinds: dict[object, Callable[[tuple[object, ...], str, int], object]] = {
            Annotated: lambda args, name, depth: self._of(args[0], name, depth),
            Literal: lambda args, _, __: self._random.choice(args),
            _UNION_OF_NOTES: self._either,
            types.UnionType: self._either,
            tuple: self._several,
            dict: lambda _, __, ___: self._leaf(object) if self._happens(self._odd) else {},
        }

    def struct(self, kind: type[Of], depth: int = 0, **given: object) -> Of:
        """One of that type, with the members that are given."""
        values = dict(given)
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            left_out = not field.required and self._happens(_SHARE_LEFT_OUT)
            if field.name not in values and not left_out:
                values[field.name] = self._of(hints[field.name], field.name, depth + 1)
        return kind(**values)

    def _happens(self, share: float) -> bool:
        return self._random.random() < share

    def _of(self, kind: object, name: str, depth: int) -> object:
        known = self._known.get(name)
        if known and not self._happens(self._odd):
            return self._random.choice(known)
        made = self._kinds.get(get_origin(kind))
        if made is not None:
            return made(get_args(kind), name, depth)
        struct = cast("type[msgspec.Struct]", kind) if _is_struct(kind) else None
        return self._leaf(kind) if struct is None else self.struct(struct, depth)

    def _either(self, args: tuple[object, ...], name: str, depth: int) -> object:
        some = [arg for arg in args if arg is not types.NoneType]
        if len(some) < len(args) and self._happens(_SHARE_LEFT_OUT):
            return None
        return self._of(self._random.choice(some), name, depth)

    def _several(self, args: tuple[object, ...], name: str, depth: int) -> object:
        count = self._random.choice((0, 1, 1, 1, 2, 3)) if depth < _DEPTH_MAX else 0
        return tuple(self._of(args[0], name, depth + 1) for _ in range(count))

    def _leaf(self, kind: object) -> object:
        if kind is UUID:
            return UUID(int=self._random.getrandbits(128))
        usual, odd = self._leaves[kind if kind in self._leaves else object]
        return self._random.choice(odd if self._happens(self._odd) else usual)


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
