"""A stream as a network may cut it."""

from collections.abc import Sequence


def pieces(stream: bytes, sizes: Sequence[int]) -> list[bytes]:
    """`stream` cut into pieces of these sizes, again and again."""
    found: list[bytes] = []
    at = 0
    while at < len(stream):
        size = sizes[len(found) % len(sizes)]
        found.append(stream[at : at + size])
        at += size
    return found
