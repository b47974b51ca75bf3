"""What the bus carries of a session's log: copies of what was committed."""

from typing import Final

import msgspec
from msgspec import Struct

from mainspring_schema.events import StoredDelta, StoredEvent


class LogBatch(Struct, frozen=True, array_like=True):
    """Events and deltas of one commit, in position order. `epoch` is the store's."""

    epoch: int
    events: tuple[StoredEvent, ...] = ()
    deltas: tuple[StoredDelta, ...] = ()
    closed: bool = False


_DECODER: Final = msgspec.msgpack.Decoder(LogBatch)


def decode_batch(data: bytes) -> LogBatch:
    return _DECODER.decode(data)
