"""What an exception of user's code says, as it can be kept and sent."""

from typing import Final

from mainspring_workstream.overweight import writable

MESSAGE_CHARS_MAX: Final = 2000
"""A cause and where, not a dump of what was at hand: it is told with each event and answer."""


def said(error: BaseException) -> str:
    """Its message, cut and in Unicode that can be written; its class where it says nothing."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a `__str__` of the user's own
        message = ""
    return readable(message) or type(error).__name__


def readable(text: str) -> str:
    """As much of a text as is kept, in Unicode that can be written."""
    return writable(text[:MESSAGE_CHARS_MAX])
