"""Path patterns as regular expressions: `*` and `?` stay inside a directory, `**` crosses them."""

import re
from collections.abc import Iterator


def to_regex(pattern: str) -> str:
    """For a whole path without its leading slash. A pattern without a slash fits any directory."""
    pattern = pattern.removeprefix("/workspace/").removeprefix("/").removeprefix("./")
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    return f"^{''.join(_parts(pattern))}$"


def _parts(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**/"):
            yield "(?:.*/)?"
            at += 3
        elif rest.startswith("**"):
            yield ".*"
            at += 2
        elif rest[0] in _WILD:
            yield _WILD[rest[0]]
            at += 1
        else:
            text, length = _set(rest) if rest[0] == "[" else (re.escape(rest[0]), 1)
            yield text
            at += length


_WILD = {"*": "[^/]*", "?": "[^/]"}


def _set(rest: str) -> tuple[str, int]:
    """`[abc]` and `[!abc]`; a bracket without its end is itself."""
    end = rest.find("]", 2)
    if end == -1:
        return re.escape("["), 1
    inner = rest[1:end]
    negated = inner[:1] in {"!", "^"}
    inner = inner[1:] if negated else inner
    kept = "".join(c if c.isalnum() or c == "-" else re.escape(c) for c in inner)
    return f"[{'^/' if negated else ''}{kept}]", end + 1
