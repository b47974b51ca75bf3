"""Texts from outside that are stored where there is little room. Pure."""

from typing import Final

ERROR_BYTES_MAX: Final = 1_000
"""What is kept of the message of each attempt that failed: a cause and where, not a whole trace.
A task may have a thousand such attempts, and people read all of them in one answer."""
CODE_BYTES_MAX: Final = 200
"""What is kept of a code: it is for comparing, and most have a word or two."""


def cut(text: str, bytes_max: int) -> str:
    """As much of it as fits, in whole characters of its UTF-8. NUL, which no column takes, goes."""
    return text.replace("\0", "").encode()[:bytes_max].decode(errors="ignore")


def error(message: str) -> str:
    """What is kept of the message of an attempt that failed."""
    return cut(message, ERROR_BYTES_MAX)


def code(told: str) -> str:
    """What is kept of the code by which it failed."""
    return cut(told, CODE_BYTES_MAX)
