"""How much work it may be to check a value against a JSON Schema. Pure, and quick itself.

A schema of a few lines can ask for more checks than there is time for: where `d0` takes `d1` twice,
`d1` takes `d2` twice, and so on, each level doubles them. So what a schema asks for at worst is
counted before anything is checked, each reference followed once.
"""

from collections.abc import Iterable, Iterator
from typing import Final, cast

from msgspec import Struct

from mainspring_schema.messages import Json

_MOST: Final = 10**12
"""Beyond it nobody counts on."""
_BACKTRACKS: Final = 100
"""What a pattern weighs that looks around or back: it may try each place again."""
_TEXT_CHARS: Final = 64
"""So many characters of a text weigh as much as a value."""
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_ONES: Final = ("not", "if", "then", "else")
_AGAIN: Final = ("unevaluatedProperties", "unevaluatedItems")
"""These have everything beside them checked once more."""
_MEMBERS: Final = ("additionalProperties", "propertyNames", "unevaluatedProperties")
_ITEMS: Final = ("additionalItems", "contains", "unevaluatedItems")
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_NAMES: Final = ("$anchor", "$dynamicAnchor")


class Extent(Struct, frozen=True, kw_only=True):
    """Of one part of a value, at worst.

    `checks` are made of it, `returns` say how often the schema comes back to itself for it: once is
    a list or a tree, more often is a choice of things that hold such choices.
    """

    checks: int
    returns: int = 0

    def returns_within(self, depth: int) -> int:
        """How often it may be made of what lies so deep, where nothing is remembered."""
        times = 1
        for _ in range(depth):
            times = min(times * max(1, self.returns), _MOST)
        return times


class Unfollowed(ValueError):
    """A reference that leads on and on, or by a way that is not known here."""


_LEAF: Final = Extent(checks=1)
_RETURN: Final = Extent(checks=1, returns=1)
_FOREIGN: Final = Extent(checks=100, returns=2)
"""A published schema of schemas, which the checker has with it."""


def extent_of(schema: Json) -> Extent:
    """Raises Unfollowed."""
    try:
        return _Reader(schema).of(schema)
    except RecursionError as error:
        message = "its references lead on for too long"
        raise Unfollowed(message) from error


def size_of(value: object) -> tuple[int, int]:
    """How many parts a value has, long texts counted as several, and how deep they lie."""
    layer, size, depth = [value], 0, 0
    while layer:
        size += sum(map(_weight_of, layer))
        layer = [part for one in layer for part in _parts(one)]
        depth += bool(layer)
    return size, depth


def _weight_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + len(cast("Json", value))
    return 1 + len(value) // _TEXT_CHARS if isinstance(value, str) else 1


def _parts(value: object) -> Iterable[object]:
    return cast("list[object]", value) if isinstance(value, list) else _values(value)


class _Reader:
    """One schema."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._named = dict(_named(root))
        self._known: dict[int, Extent] = {}
        self._open: set[int] = set()

    def of(self, node: object) -> Extent:
        if not isinstance(node, dict):
            return _LEAF
        members, key = cast("Json", node), id(cast("Json", node))
        if key in self._open:
            return _RETURN
        known = self._known.get(key)
        if known is None:
            self._open.add(key)
            known = self._known[key] = self._counted(members)
            self._open.discard(key)
        return known

    def _counted(self, node: Json) -> Extent:
        here = _sum((_own(node), *self._beside(node)))
        if any(name in node for name in _AGAIN):
            here = _sum((here, here))
        members = self._most(_values(node.get("properties")))
        members = _sum((members, *self._each(node, _MEMBERS), *self._patterns(node)))
        listed = [one for name in ("items", "prefixItems") for one in _listed(node.get(name))]
        items = _sum((self._most(listed), *self._each(node, _ITEMS)))
        return _sum((here, _most((members, items))))

    def _beside(self, node: Json) -> Iterator[Extent]:
        """What is checked of the same value."""
        for name in _LISTS:
            yield from map(self.of, _listed(node.get(name)))
        yield from self._each(node, _ONES)
        yield from map(self.of, _values(node.get("dependentSchemas")))
        yield from map(self.of, _values(node.get("dependencies")))
        for name in _REFERENCES:
            reference = node.get(name)
            if isinstance(reference, str):
                yield self._followed(reference)

    def _each(self, node: Json, names: Iterable[str]) -> Iterator[Extent]:
        return (self.of(node[name]) for name in names if name in node)

    def _patterns(self, node: Json) -> Iterator[Extent]:
        patterns = node.get("patternProperties")
        if isinstance(patterns, dict):
            for pattern, schema in cast("Json", patterns).items():
                yield _sum((self.of(schema), Extent(checks=_weight(pattern))))

    def _most(self, nodes: Iterable[object]) -> Extent:
        return _most(map(self.of, nodes))

    def _followed(self, reference: str) -> Extent:
        base, _, place = reference.partition("#")
        if base.startswith(("http://json-schema.org/", "https://json-schema.org/")):
            return _FOREIGN
        node = self._named.get(base) if base else self._root
        if place.startswith("/"):
            node = _pointed(node, place)
        elif place:
            node = self._named.get(f"#{place}")
        if node is None:
            message = f"it refers to {reference[:200]!r}, which is not within it"
            raise Unfollowed(message)
        return self.of(node)


def _named(root: object) -> Iterator[tuple[str, object]]:
    """What references may call by a name."""
    left = [root]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left.extend(cast("list[object]", node))
        elif isinstance(node, dict):
            members = cast("Json", node)
            left.extend(members.values())
            own = members.get("$id")
            if isinstance(own, str):
                yield own.removesuffix("#"), members
            for name in _NAMES:
                if isinstance(members.get(name), str):
                    yield f"#{members[name]}", members


def _pointed(node: object, pointer: str) -> object:
    for part in pointer[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict):
            node = cast("Json", node).get(name)
        elif isinstance(node, list) and name.isdecimal():
            node = next(iter(cast("list[object]", node)[int(name) :]), None)
        else:
            return None
    return node


def _own(node: Json) -> Extent:
    lists = (node.get(name) for name in ("enum", "required"))
    pattern = node.get("pattern")
    weight = _weight(pattern) if isinstance(pattern, str) else 0
    return Extent(checks=1 + weight + sum(len(_listed(one)) for one in lists))


def _weight(pattern: str) -> int:
    backtracks = "(?" in pattern or any(f"\\{digit}" in pattern for digit in "123456789k")
    return _BACKTRACKS if backtracks else 1


def _listed(value: object) -> list[object]:
    if isinstance(value, list):
        return cast("list[object]", value)
    return [] if value is None else [value]


def _values(value: object) -> Iterable[object]:
    return cast("Json", value).values() if isinstance(value, dict) else ()


def _sum(extents: Iterable[Extent]) -> Extent:
    checks = returns = 0
    for one in extents:
        checks += one.checks
        returns += one.returns
    return Extent(checks=min(checks, _MOST), returns=min(returns, _MOST))


def _most(extents: Iterable[Extent]) -> Extent:
    checks = returns = 0
    for one in extents:
        checks, returns = max(checks, one.checks), max(returns, one.returns)
    return Extent(checks=checks, returns=returns)
