"""Where two JSON values differ, member by member."""

from collections.abc import Iterator, Mapping
from typing import cast

from msgspec import Struct

from mainspring_schema.messages import Json


class Difference(Struct, frozen=True, kw_only=True, rename={"before": "from", "after": "to"}):
    """`path` is a JSON pointer; what is missing on a side is null there."""

    path: str
    before: object
    after: object


def differences(before: Json, after: Json) -> tuple[Difference, ...]:
    """Sorted by path. Lists are compared as wholes: their items have no names to go by."""
    return tuple(_walk("", before, after))


def _walk(
    path: str, before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys()):
        one: object = before.get(name)
        other: object = after.get(name)
        at = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        both = [cast("Json", value) for value in (one, other) if isinstance(value, dict)]
        if len(both) > 1:
            yield from _walk(at, *both)
        elif one != other:
            yield Difference(path=at, before=one, after=other)
