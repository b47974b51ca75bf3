"""Waits for signals that the code has left: what comes there is for who waits next.

An engine may find a signal for a wait that its code is just leaving, as that of a branch which lost
against a timer. Nobody would ever take it.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import msgspec

from mainspring_schema.workflows import StepRecord, Wait


class Unclaimed:
    """Waits for one signal with one bound in time, or none, take each other's places over.

    Where the code leaves one is the same in every replay, so who goes on there is, too. `recorded`
    has what the code has not come to, `again` is told of a place where somebody waits anew.
    """

    def __init__(self, recorded: dict[str, StepRecord], again: Callable[[str], None]) -> None:
        self._recorded = recorded
        self._again = again
        self._left: defaultdict[tuple[str, int | None], deque[str]] = defaultdict(deque)
        """By the signal's name and the bound, oldest first."""
        self._turns = Counter[str]()
        """How many have left each place."""
        self._came: dict[str, StepRecord | None] = {}
        """Where the code waits now: what came there, until the code has it."""

    async def over(
        self, wait: Wait, result_of: Callable[[Wait], Awaitable[StepRecord]]
    ) -> StepRecord:
        """What came to it, wherever that came."""
        while True:
            with self._taken_over(wait) as here:
                record = await result_of(here)
            if not _is_of_another(record, here):
                return record

    @contextmanager
    def _taken_over(self, wait: Wait) -> Generator[Wait]:
        """The wait at the place that was left first, or else as it is, at its own."""
        left = self._left[wait.name, wait.delay_ms]
        # A version before waited at its own place always.
        heir = bool(left) and wait.step not in self._recorded
        place = left.popleft() if heir else wait.step
        if heir:
            self._again(place)
        self._came[place] = None
        turn = 0 if wait.delay_ms is None else self._turns[place]
        try:
            yield msgspec.structs.replace(wait, step=place, turn=turn)
        except asyncio.CancelledError:
            record = self._came[place]
            if record is not None:
                self._recorded[place] = record
            self._turns[place] += 1
            (left.appendleft if heir else left.append)(place)
            raise
        finally:
            del self._came[place]

    def came(self, record: StepRecord) -> None:
        """Its turn may not come before the code leaves the place."""
        if record.step in self._came:
            self._came[record.step] = record


def _is_of_another(record: StepRecord, wait: Wait) -> bool:
    """Whether it says that the time of one was over who has left the place since."""
    late = record.flaw is not None and record.flaw.code == "timeout"
    return late and record.attempts <= wait.turn
