"""Edits of a text that was read before: they fit what is there now, or nothing changes."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from mainspring_kernel.errors import Conflict, PayloadTooLarge, ValidationFailed
from mainspring_schema.holdings import Edit
from mainspring_schema.limits import HELD_READ_BYTES_MAX


class Edited(NamedTuple):
    content: bytes
    replacements: int
    rebased: bool


def content_hash(content: bytes) -> str:
    """What a reader is given and an editor gives back."""
    return hashlib.sha256(content).hexdigest()


def apply(content: bytes, edits: Sequence[Edit], *, expected: str) -> Edited:
    """The edits one after the other.

    On a text that changed since it was read, edits still go through where each `old` occurs exactly
    once: then they mean one place, and that is unchanged. Raises Conflict where they do not,
    ValidationFailed where they do not fit the very text that was read, PayloadTooLarge before the
    text would be larger than what can be edited.
    """
    stale = content_hash(content) != expected
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        msg = "the file is no UTF-8 text and cannot be edited"
        raise ValidationFailed(msg) from error
    replacements, size = 0, len(content)
    for number, edit in enumerate(edits, start=1):
        found = text.count(edit.old) if edit.old else 0
        problem = _problem(edit, found, stale=stale)
        if problem is not None:
            detail = f"edit {number}: {problem}"
            raise _refusal(detail, content, stale=stale)
        size += found * (len(edit.new.encode()) - len(edit.old.encode()))
        if size > HELD_READ_BYTES_MAX:
            what = "the edited file"
            raise PayloadTooLarge(what, HELD_READ_BYTES_MAX)
        text = text.replace(edit.old, edit.new)
        replacements += found
    return Edited(text.encode(), replacements, rebased=stale)


def _problem(edit: Edit, found: int, *, stale: bool) -> str | None:
    if not edit.old:
        return "the text to replace is empty"
    if found == 0:
        return "the text to replace is not in the file"
    if found > 1 and (stale or not edit.every):
        return f"the text to replace occurs {found} times; give more of what surrounds it"
    return None


def _refusal(problem: str, content: bytes, *, stale: bool) -> Conflict | ValidationFailed:
    if not stale:
        return ValidationFailed(problem)
    return Conflict(
        f"the file changed since it was read, and {problem}; read it again (its content_hash is "
        f"now {content_hash(content)})"
    )
