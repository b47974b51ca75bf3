"""Regular expressions of agents, matched in time that grows with the text and no faster.

`re` would let one pattern hold the process for hours; RE2 has no backtracking.
"""

from typing import Protocol, cast

import re2


class Pattern(Protocol):
    """What of a compiled pattern is used here."""

    def search(self, text: str, /) -> object | None: ...


class BadPattern(ValueError):
    """The pattern is no regular expression, or one that needs backtracking."""


def compiled(pattern: str, *, ignore_case: bool = False) -> Pattern:
    """Raises BadPattern."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    try:
        return cast("Pattern", re2.compile(pattern, options))
    except re2.error as problem:  # pyright: ignore[reportUnknownVariableType] -- the package has no types
        said = cast("tuple[object, ...]", problem.args)[:1]
        what = said[0].decode(errors="replace") if said and isinstance(said[0], bytes) else ""
        raise BadPattern(what) from problem
