"""Which command lines an operator allows as MCP servers, read from a setting."""

import re
import shlex
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from msgspec import Struct

_ASSIGNED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


class AllowedCommand(Struct, frozen=True, kw_only=True):
    """A whole command line, and which variables a session may set for it."""

    line: str
    variables: frozenset[str]


def allowed_commands(text: str) -> tuple[AllowedCommand, ...]:
    """From a setting: command lines with `;` between; `NAME=` in front lets sessions set it.

    Raises ValueError for a line that no shell could read, that names no command, or that gives a
    variable a value.
    """
    reader = shlex.shlex(text, posix=True, punctuation_chars=";")
    reader.whitespace_split = True
    reader.commenters = ""
    lines: list[list[str]] = [[]]
    for word in reader:
        if set(word) == {";"}:
            lines.append([])
        else:
            lines[-1].append(word)
    return tuple(_allowed(words) for words in lines if words)


def _allowed(words: Sequence[str]) -> AllowedCommand:
    settable = list(takewhile(lambda word: word.endswith("="), words))
    if len(settable) == len(words):
        message = f"{' '.join(words)!r} names no command"
        raise ValueError(message)
    command = words[len(settable)]
    if _ASSIGNED.match(command):
        message = f"{command!r} is no command: a blank belongs behind the `=`"
        raise ValueError(message)
    return AllowedCommand(
        line=shlex.join(words[len(settable) :]),
        variables=frozenset(word[:-1] for word in settable),
    )
