"""The text so far of each message that streams: `accumulated` on the wire."""

from typing import Final

from mainspring_api.domain.limits import SSE_ACCUMULATED_CHARS_MAX, SSE_ANCHORS_MAX
from mainspring_schema.events import StoredDelta

_Key = tuple[str, str]
TOOL_CHANNELS: Final = frozenset({"stdout", "stderr"})
"""Of what tools write: nobody is told what went before, for a result says all of it."""


class Accumulators:
    """Per anchor and channel the text of its newest attempt, bounded in count and in length."""

    def __init__(self) -> None:
        self._texts: dict[_Key, tuple[int, str]] = {}

    def joins(self, delta: StoredDelta) -> bool:
        """Whether all text before this fragment is known."""
        if delta.reset or delta.offset == 0 or delta.channel in TOOL_CHANNELS:
            return True
        attempt, text = self._texts.get(_key(delta), (0, ""))
        return attempt == delta.attempt and len(text) >= min(
            delta.offset, SSE_ACCUMULATED_CHARS_MAX
        )

    def add(self, delta: StoredDelta) -> str:
        """The text up to and with this fragment; a fragment that comes again changes nothing.

        Past the bound the text stops growing: the event that ends the message has all of it.
        """
        if delta.channel in TOOL_CHANNELS:
            return delta.fragment
        key = _key(delta)
        attempt, text = self._texts.pop(key, (delta.attempt, ""))
        if delta.reset or attempt != delta.attempt:
            text = ""
        if len(text) < SSE_ACCUMULATED_CHARS_MAX:
            text = (text[: delta.offset] + delta.fragment)[:SSE_ACCUMULATED_CHARS_MAX]
        self._texts[key] = (delta.attempt, text)
        if len(self._texts) > SSE_ANCHORS_MAX:
            del self._texts[next(iter(self._texts))]
        return text

    def copy(self) -> "Accumulators":
        twin = Accumulators()
        twin._texts = dict(self._texts)
        return twin

    def clear(self) -> None:
        self._texts.clear()


def _key(delta: StoredDelta) -> _Key:
    return delta.anchor, delta.channel
