"""What of a file's bytes is shown to a model."""

import base64
from typing import Final, NamedTuple

from mainspring_kernel.limits import KIB
from mainspring_schema.messages import Json

SHOWN_BYTES_MAX: Final = 40 * KIB
"""Of a file in one result: with its JSON escapes it stays below what an event may hold."""
_LOOKED_AT_BYTES: Final = 8 * KIB
"""A NUL in the first of them tells that a file is no text."""


class Lines(NamedTuple):
    """`last` is the number of the last line in `text`; `cut`: why there is no more of it."""

    text: str
    last: int
    cut: str | None


def is_binary(head: bytes) -> bool:
    return b"\x00" in head[:_LOOKED_AT_BYTES]


def binary(content: bytes) -> Json:
    """Small ones whole, of large ones nothing: half of them helps nobody."""
    if len(content) > SHOWN_BYTES_MAX:
        return {"binary": True, "content": None}
    return {"binary": True, "encoding": "base64", "content": base64.b64encode(content).decode()}


def fitting(lines: list[str], *, first: int, limit: int, room: int = SHOWN_BYTES_MAX) -> Lines:
    """Whole lines from number `first` on, as many as `limit` and `room` allow.

    A line that is longer than the room alone is cut.
    """
    taken: list[str] = []
    for line in lines[first - 1 : first - 1 + limit]:
        size = len(line.encode())
        if size > room:
            if not taken:
                taken.append(line.encode()[:room].decode(errors="ignore"))
            return Lines("".join(taken), first + len(taken) - 1, "size_cap")
        room -= size
        taken.append(line)
    last = first + len(taken) - 1
    return Lines("".join(taken), last, "line_cap" if last < len(lines) else None)
