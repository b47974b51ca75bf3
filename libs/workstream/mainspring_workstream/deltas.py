"""The streamed fragments of one attempt: batched, and numbered by characters.

A channel that is complete before its first flush sends nothing, for the completed event has it all.
"""

from typing import Final
from uuid import UUID

from msgspec import Struct

from mainspring_kernel.limits import (
    DELTA_FLUSH_BYTES,
    DELTA_FLUSH_MS,
    DELTA_FLUSH_MS_MAX,
    DELTA_FRAGMENT_BYTES_MAX,
)
from mainspring_schema.grants import DeltaAppend

_FRAGMENT_CHARS_MAX: Final = DELTA_FRAGMENT_BYTES_MAX // 4
"""No character has more than four bytes in UTF-8."""
_FLIGHT_SHARE: Final = 0.2
"""How much the newest flight counts in the running mean."""


class Anchor(Struct, frozen=True, kw_only=True):
    """What the fragments of one attempt belong to; the attempt's number is the task's fence."""

    session_id: UUID
    turn_id: UUID
    anchor: str
    attempt: int


class DeltaBuffer:
    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._pending: list[tuple[str, list[str]]] = []
        """Stretches of one channel, in the order in which they came."""
        self._pending_chars = 0
        self._since: float | None = None
        self._offsets: dict[str, int] = {}
        """Per flushed channel: where its next fragment begins."""
        self._reset = anchor.attempt > 1

    def add(self, channel: str, text: str, now: float) -> None:
        if not text:
            return
        if self._since is None:
            self._since = now
        if self._pending and self._pending[-1][0] == channel:
            self._pending[-1][1].append(text)
        else:
            self._pending.append((channel, [text]))
        self._pending_chars += len(text)

    def due_at(self, interval_s: float) -> float | None:
        """When what waits must go: at once when it is long; None when nothing waits."""
        if self._since is None:
            return None
        # Characters stand for bytes here: exact for ASCII, early enough for the rest.
        return self._since if self._pending_chars >= DELTA_FLUSH_BYTES else self._since + interval_s

    def complete(self) -> None:
        """The stream ended: drops what was complete before its first flush, the rest is due."""
        self._pending = [part for part in self._pending if part[0] in self._offsets]
        self._pending_chars = sum(len(text) for _, texts in self._pending for text in texts)
        if not self._pending:
            self._since = None

    def abandon(self) -> None:
        """Nothing more will be sent."""
        self._pending.clear()
        self._pending_chars = 0
        self._since = None

    def take(self) -> list[DeltaAppend]:
        """All that waits, as numbered fragments. They must be sent until they are answered."""
        deltas = [delta for channel, texts in self._pending for delta in self._cut(channel, texts)]
        self.abandon()
        return deltas

    def _cut(self, channel: str, texts: list[str]) -> list[DeltaAppend]:
        whole = "".join(texts)
        anchor = self._anchor
        deltas: list[DeltaAppend] = []
        for begin in range(0, len(whole), _FRAGMENT_CHARS_MAX):
            fragment = whole[begin : begin + _FRAGMENT_CHARS_MAX]
            offset = self._offsets.get(channel, 0)
            self._offsets[channel] = offset + len(fragment)
            reset, self._reset = self._reset, False
            deltas.append(
                DeltaAppend(
                    session_id=anchor.session_id,
                    turn_id=anchor.turn_id,
                    anchor=anchor.anchor,
                    attempt=anchor.attempt,
                    channel=channel,
                    offset=offset,
                    fragment=fragment,
                    reset=reset,
                )
            )
        return deltas


class FlushInterval:
    """How long fragments wait for company: short when flights are quick, longer under load."""

    def __init__(self) -> None:
        self._flight_s = 0.0

    def flew(self, seconds: float) -> None:
        self._flight_s += (seconds - self._flight_s) * _FLIGHT_SHARE

    @property
    def seconds(self) -> float:
        # Twice the flight: the event store rests at least half of the time.
        return min(DELTA_FLUSH_MS_MAX / 1000, max(DELTA_FLUSH_MS / 1000, 2 * self._flight_s))
