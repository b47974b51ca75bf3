"""How subjects match: tokens between dots, `*` for one token, a last `>` for one or more."""

from functools import lru_cache
from typing import Final

_MANY: Final = ">"
_ONE: Final = "*"
_CHECKED_MAX: Final = 8192


def is_pattern(subject: str) -> bool:
    """Whether it has a wildcard token."""
    return any(token in (_ONE, _MANY) for token in subject.split("."))


@lru_cache(maxsize=_CHECKED_MAX)
def is_valid(subject: str, *, pattern: bool) -> bool:
    """Whether NATS takes it to subscribe to (`pattern`) or to publish to."""
    tokens = subject.split(".")
    if any(not token or any(char.isspace() for char in token) for token in tokens):
        return False
    return (pattern and _MANY not in tokens[:-1]) or not is_pattern(subject)


def matches(pattern: str, subject: str) -> bool:
    """Whether a message to `subject` reaches a subscription to `pattern`."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == _MANY:
            return len(given) > index
        if index >= len(given) or token not in (_ONE, given[index]):
            return False
    return len(wanted) == len(given)
