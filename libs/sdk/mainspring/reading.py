"""Event streams of the API, piece by piece: bytes to lines, lines to events."""

from collections.abc import AsyncIterator

import msgspec


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The lines of an event stream of ours, which end in LF or CRLF and in nothing else.

    Python's own splitting, and so httpx's, also ends them at characters that stand in JSON.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode(errors="replace")


async def frames_of(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, object]]:
    """The events of a stream; what has no id is about the connection."""
    id_ = data = ""
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            id_ = value
        elif name == "data":
            data = value
        elif not line:
            if id_ and data:
                yield msgspec.json.decode(data, type=dict[str, object])
            id_ = data = ""
