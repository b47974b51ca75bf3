"""What the bytes of a file are taken for."""

from typing import Final

_SNIFFED_BYTES: Final = 8_192
"""Its beginning tells: a text has no NUL there, and nobody looks through a large file for one."""


def is_binary(content: bytes) -> bool:
    return b"\x00" in content[:_SNIFFED_BYTES]
