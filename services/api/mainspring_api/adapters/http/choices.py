"""Which values there are, where msgspec says only which one there is not."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, cast

import msgspec
from msgspec import inspect

_SAID: Final = re.compile(r"Invalid (?:enum )?value .* - at `(?P<path>\$[^`]*)`", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[[^\]]*\]")


def told(error: msgspec.ValidationError, type_: type[object]) -> str:
    """What the error says of a value of this type, with what it might have been."""
    text = str(error)
    said = _SAID.fullmatch(text)
    if said is None:
        return text
    choices = sorted({str(one) for one in _choices(type_, said["path"])})
    return f"{text}; it is one of {', '.join(choices)}" if choices else text


@cache
def _info(type_: type[object]) -> inspect.Type:
    return inspect.type_info(type_)


def _choices(type_: type[object], path: str) -> Iterator[object]:
    steps = [step["name"] for step in _STEP.finditer(path)]
    found: list[inspect.Type] = list(_alternatives(_info(type_)))
    for step in steps[:-1]:
        found = [one for of in found for inner in _within(of, step) for one in _alternatives(inner)]
    for last in found if steps else ():
        if isinstance(last, inspect.StructType) and last.tag_field == steps[-1]:
            yield last.tag
        for inner in _within(last, steps[-1]):
            yield from _values(inner)


def _alternatives(type_: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(type_, inspect.UnionType):
        for one in type_.types:
            yield from _alternatives(one)
    else:
        yield type_


def _within(type_: inspect.Type, step: str | None) -> Iterator[inspect.Type]:
    """What lies behind a member's name, or in a list or dictionary."""
    match type_:
        case inspect.StructType(fields=fields):
            yield from (field.type for field in fields if field.encode_name == step)
        case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
            yield inner
        case inspect.DictType(value_type=inner):
            yield inner
        case _:
            return


def _values(type_: inspect.Type) -> Iterator[object]:
    for one in _alternatives(type_):
        if isinstance(one, inspect.LiteralType):
            yield from one.values
        elif isinstance(one, inspect.EnumType):
            yield from (cast("object", member.value) for member in one.cls)
