"""How structs become bytes: JSON for what people read, MessagePack for what only services read."""

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar, cast

import msgspec

from mainspring_kernel.errors import MalformedBody, ValidationFailed
from mainspring_kernel.limits import FOREIGN_JSON_DEPTH_MAX

T = TypeVar("T")

_JSON: Final = msgspec.json.Encoder()
_PACK: Final = msgspec.msgpack.Encoder()
_TOO_DEEP: Final = f"it nests deeper than {FOREIGN_JSON_DEPTH_MAX}"
_LONG: Final = re.compile(r"[0-9]{19}")
"""Only such a number can be one that fits no 64 bits."""


def to_json(value: object) -> bytes:
    """Compact UTF-8 JSON. Members that hold `msgspec.UNSET` are left out."""
    return _JSON.encode(value)


def pack(value: object) -> bytes:
    """MessagePack, for payloads that cross a process inside a proto `bytes` field."""
    return _PACK.encode(value)


def read_foreign(text: str) -> object:
    """JSON that a model or a tool wrote, if it can be written again.

    Raises ValueError, also for what no encoder here takes: whole numbers over 64 bits, and nesting
    that costs the stack.
    """
    try:
        value = cast("object", msgspec.json.decode(text))
        if text.count("{") + text.count("[") > FOREIGN_JSON_DEPTH_MAX:
            _check_depth(value)
        if _LONG.search(text):
            pack(value)
            to_json(value)
    except OverflowError as error:
        msg = "a number is out of range"
        raise ValueError(msg) from error
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    return value


def write_foreign(value: object, what: str) -> bytes:
    """JSON of what came as any MessagePack. Raises ValidationFailed for what JSON has not."""
    try:
        return _JSON.encode(value)
    except (TypeError, OverflowError, RecursionError) as error:
        detail = f"{what} cannot be told as JSON: {error}"
        raise ValidationFailed(detail) from error


def pack_command(command: object) -> bytes:
    """MessagePack of what people asked. Raises ValidationFailed for a number that no one reads."""
    try:
        return pack(command)
    except OverflowError as error:
        detail = "a number is out of range"
        raise ValidationFailed(detail) from error


def read_command(read: Callable[[bytes], T], data: bytes) -> T:
    """What another service asks, by the decoder's `read`. Raises MalformedBody."""
    try:
        return read(data)
    except msgspec.DecodeError as error:
        detail = f"the command cannot be read: {error}"
        raise MalformedBody(detail) from error


def _check_depth(value: object) -> None:
    """Layer by layer: how deep an interpreter's own stack reaches differs from version to version.

    Raises ValueError.
    """
    layer: list[object] = [value]
    for _ in range(FOREIGN_JSON_DEPTH_MAX + 1):
        layer = [one for one in layer if isinstance(one, dict | list)]
        if not layer:
            return
        layer = [member for one in layer for member in _members(one)]
    raise ValueError(_TOO_DEEP)


def _members(value: object) -> Iterable[object]:
    return (
        cast("dict[str, object]", value).values()
        if isinstance(value, dict)
        else cast("list[object]", value)
    )


def canonical_json(value: object) -> bytes:
    """JSON with sorted members, the form that hashes are taken of."""
    return msgspec.json.encode(value, order="sorted")
