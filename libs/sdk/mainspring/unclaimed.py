"""Waits for signals that the code has left: what comes there is for who waits next.

An engine may find a signal for a wait that its code is just leaving, as that of a branch which lost
against a timer. Nobody would ever take it.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Generator
from contextlib import contextmanager

from mainspring_schema.workflows import StepRecord


class Unclaimed:
    """Of waits without a bound in time: another's time begins when it begins.

    Where the code leaves one is the same in every replay, so who goes on there is, too. `recorded`
    has what the code has not come to, `again` is told of a place where somebody waits anew.
    """

    def __init__(self, recorded: dict[str, StepRecord], again: Callable[[str], None]) -> None:
        self._recorded = recorded
        self._again = again
        self._left: defaultdict[str, deque[str]] = defaultdict(deque)
        """By the name of the signal, oldest first."""
        self._came: dict[str, StepRecord | None] = {}
        """Where the code waits now: what came there, until the code has it."""

    @contextmanager
    def place(self, name: str, own: str, *, inherits: bool) -> Generator[str]:
        """Where to wait for the signal: at the place that was left first, or else at its own."""
        if not inherits:
            yield own
            return
        left = self._left[name]
        # A version before waited at its own place always.
        heir = bool(left) and own not in self._recorded
        place = left.popleft() if heir else own
        if heir:
            self._again(place)
        self._came[place] = None
        try:
            yield place
        except asyncio.CancelledError:
            record = self._came[place]
            if record is not None:
                self._recorded[place] = record
            (left.appendleft if heir else left.append)(place)
            raise
        finally:
            del self._came[place]

    def came(self, record: StepRecord) -> None:
        """Its turn may not come before the code leaves the place."""
        if record.step in self._came:
            self._came[record.step] = record
