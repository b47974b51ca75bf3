"""Text of providers that can be written as UTF-8.

JSON may spell a character beyond U+FFFF as two escapes, and some servers cut an answer between
them. A library hands on what it got: half a surrogate pair, which no frame and no row can hold.
"""

from typing import Final

_FIRST, _SECOND = "\ud800", "\udc00"
_ALONE: Final = "\N{REPLACEMENT CHARACTER}"


def joined(text: str) -> str:
    """The same with halves that belong together as one character, and others replaced."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Pieces:
    """One text that comes in pieces. What it gives adds up to the whole text, `joined`."""

    def __init__(self) -> None:
        self._held = ""

    def more(self, piece: str) -> str:
        """What can be shown now: a first half at its end waits for the second."""
        text = self._held + piece
        self._held = text[-1] if _FIRST <= text[-1:] < _SECOND else ""
        return joined(text[:-1] if self._held else text)

    def rest(self) -> str:
        """What still waits when the text is over."""
        held, self._held = self._held, ""
        return _ALONE if held else ""
