"""Names, tags and searches: what is accepted, and how it is compared."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mainspring_api.domain import limits
from mainspring_api.domain.limits import NAMES_TRIED_MAX
from mainspring_kernel.errors import ValidationFailed

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SEARCH_TOKENS_MAX: Final = 8


def check_name(name: str) -> str:
    """Raises ValidationFailed unless `name` can stand in a URL in place of an id."""
    if len(name) > limits.NAME_CHARS_MAX or _NAME.fullmatch(name) is None:
        message = (
            f"a name has at most {limits.NAME_CHARS_MAX} characters: lowercase letters, digits, "
            "and single hyphens between them"
        )
        raise ValidationFailed(message, data={"field": "name"})
    return name


def can_name(text: str) -> bool:
    """Whether anything can have this name: a path may hold what no store takes, such as NUL."""
    return _NAME.fullmatch(text) is not None


def numbered(wanted: str) -> Iterator[str]:
    """The name, then the name with a number behind it: one of them may be free."""
    for number in range(1, NAMES_TRIED_MAX + 1):
        ending = "" if number == 1 else f"-{number}"
        yield wanted[: limits.NAME_CHARS_MAX - len(ending)].rstrip("-") + ending


def check_tags(tags: Sequence[str]) -> None:
    if len(tags) > limits.TAGS_MAX:
        message = f"at most {limits.TAGS_MAX} tags"
        raise ValidationFailed(message, data={"field": "tags"})


def tokens(search: str | None) -> tuple[str, ...]:
    """What a search asks for: all of these, anywhere, whatever the case."""
    return tuple((search or "").split()[:SEARCH_TOKENS_MAX])


def matches(wanted: Iterable[str], *texts: str | None) -> bool:
    """What the store's SQL does, for lists that are in memory."""
    hay = _folded("\n".join(text for text in texts if text))
    return all(_folded(token) in hay for token in wanted)


def _folded(text: str) -> str:
    """Each character for itself, as in Postgres: a capital that ends one word stands within others.

    By way of the capitals, for a Greek one has two small letters.
    """
    return "".join(map(_small, text))


def _small(letter: str) -> str:
    capital = letter.upper()
    return (capital if len(capital) == 1 else letter).lower()[:1]
