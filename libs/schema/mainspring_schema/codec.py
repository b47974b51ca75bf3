"""How structs become bytes: JSON for what people read, MessagePack for what only services read."""

from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

_JSON: Final = msgspec.json.Encoder()
_PACK: Final = msgspec.msgpack.Encoder()


def to_json(value: object) -> bytes:
    """Compact UTF-8 JSON. Members that hold `msgspec.UNSET` are left out."""
    return _JSON.encode(value)


def pack(value: object) -> bytes:
    """MessagePack, for payloads that cross a process inside a proto `bytes` field."""
    return _PACK.encode(value)


def canonical_json(value: object) -> bytes:
    """JSON with sorted members, the form that hashes are taken of."""
    return msgspec.json.encode(value, order="sorted")
