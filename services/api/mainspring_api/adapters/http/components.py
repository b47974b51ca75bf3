"""Schemas as they are told to programs that make clients of them."""
# The document is free-form JSON, whose members nobody could type.
# pyright: reportAny=false, reportExplicitAny=false

import inspect
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import NODEFAULT, Struct
from msgspec import inspect as types
from msgspec.inspect import Field, StructType
from msgspec.structs import StructConfig

Json = dict[str, Any]
_TWICE: Final = {"mcp_servers": "mcpServers"}
"""An older spelling that is read as well: in most languages both are one name."""


def tidied(found: Json, *, answers: Iterable[Any], bodies: Iterable[Any]) -> Json:
    """`found` by their names; `answers` and `bodies` are the types that they were made from."""
    given, read = _structs(answers), _structs(bodies)
    told = {
        struct.cls.__name__: [field.encode_name for field in struct.fields if _is_told(field)]
        for cls, struct in given.items()
        if cls not in read and not _config(cls).omit_defaults
    }
    return {name: _tidied(schema, told.get(name)) for name, schema in found.items()}


def _structs(named: Iterable[Any]) -> dict[type, StructType]:
    """All that are met on the way through these types."""
    found: dict[type, StructType] = {}
    waiting: list[types.Type] = [*types.multi_type_info(named)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, StructType):
            if one.cls in found:
                continue
            found[one.cls] = one
        waiting.extend(_within(one))
    return found


def _config(cls: type) -> StructConfig:
    origin: type[Struct] = getattr(cls, "__origin__", cls)
    return origin.__struct_config__


def _within(one: types.Type) -> Iterator[types.Type]:
    match one:
        case StructType():
            yield from (field.type for field in one.fields)
        case types.UnionType():
            yield from one.types
        case types.Metadata():
            yield one.type
        case types.ListType() | types.VarTupleType():
            yield one.item_type
        case types.DictType():
            yield one.value_type
        case _:
            pass


def _is_told(field: Field) -> bool:
    """In an answer; what may be UNSET has neither a value nor a maker of one."""
    has_value = field.default is not NODEFAULT or field.default_factory is not NODEFAULT
    return field.required or has_value


def _tidied(schema: Json, told: list[str] | None) -> Json:
    """`told` are the members that an answer always has, where it is nothing but an answer's."""
    known: Json = dict(schema)
    if told is not None:  # a tag is no field, and required anyway
        known["required"] = list(dict.fromkeys((*schema["required"], *told)))
    if "description" in known:
        known["description"] = inspect.cleandoc(known["description"])
    if "properties" in known:
        members = known["properties"]
        known["properties"] = {
            name: _without_default(member)
            for name, member in members.items()
            if _TWICE.get(name) not in members
        }
    return known


def _without_default(member: Json) -> Json:
    """What stands for a member that is left out is told in words.

    Generators take a `default` for a promise that the member is there, and ask for it in a body.
    """
    if "default" not in member:
        return member
    kept = {key: value for key, value in member.items() if key != "default"}
    default = member["default"]
    if default in (None, [], {}):
        return kept
    said = f"{json.dumps(default)} where it is left out."
    told = kept.get("description")
    return kept | {"description": f"{told} {said}" if told else said}
