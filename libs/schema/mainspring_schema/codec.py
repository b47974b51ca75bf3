"""How structs become bytes: JSON for what people read, MessagePack for what only services read."""

import re
from typing import Final, TypeVar, cast

import msgspec

from mainspring_kernel.limits import JSON_DEPTH_MAX

T = TypeVar("T")

_JSON: Final = msgspec.json.Encoder()
_PACK: Final = msgspec.msgpack.Encoder()
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
        if _LONG.search(text) or text.count("{") + text.count("[") > JSON_DEPTH_MAX:
            pack(value)
            to_json(value)
    except OverflowError as error:
        msg = "a number is out of range"
        raise ValueError(msg) from error
    except RecursionError as error:
        msg = "it nests too deeply"
        raise ValueError(msg) from error
    return value


def canonical_json(value: object) -> bytes:
    """JSON with sorted members, the form that hashes are taken of."""
    return msgspec.json.encode(value, order="sorted")
