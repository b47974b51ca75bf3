"""The hash chain of a session's log: nobody, also no bug, can rewrite history unseen."""

import hashlib
import struct
from typing import Final
from uuid import UUID

GENESIS: Final = b""
"""The hash before the first event."""

_INT8: Final = struct.Struct(">q")
_TWO_INT8: Final = struct.Struct(">qq")


def link(
    previous: bytes, *, session_id: UUID, seq: int, type_: str, ts_ms: int, payload: bytes
) -> bytes:
    """The next hash of the chain: algorithm 1 of `log.head`.

    SHA-256 of previous hash, session, seq, length of type, type, time and SHA-256 of the payload.
    Integers are 8 bytes big-endian; the length of the type is one of them, so that no two inputs
    look alike.
    """
    name = type_.encode()
    parts = (
        previous,
        session_id.bytes,
        _TWO_INT8.pack(seq, len(name)),
        name,
        _INT8.pack(ts_ms),
        hashlib.sha256(payload).digest(),
    )
    return hashlib.sha256(b"".join(parts)).digest()
