"""Waits for signals that the code has left: what comes there is for who waits next.

An engine may find a signal for a wait that its code is just leaving, as that of a branch which lost
against a timer. Nobody would ever take it.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import msgspec

from mainspring_kernel.limits import WORKFLOW_WAITS_MAX
from mainspring_schema.workflows import StepRecord, Wait, is_carried, order_of


class Unclaimed:
    """Waits for a signal of one name take each other's places over.

    Where the code leaves one is the same in every replay, so who goes on there is, too. `recorded`
    has what the code has not come to, `again` is told of a place where somebody waits anew. What
    nobody took before the code started over lies at places of its own, for who waits first.
    """

    def __init__(self, recorded: dict[str, StepRecord], again: Callable[[str], None]) -> None:
        self._recorded = recorded
        self._again = again
        self._left: defaultdict[str, deque[Wait]] = defaultdict(deque)
        """By the signal's name, oldest first, as each was waited for."""
        self._here: dict[str, Wait] = {}
        """What the code waits for now, by its place."""
        self._came: dict[str, StepRecord] = {}
        """What came there, until the code has it."""
        for place in sorted(filter(is_carried, recorded), key=order_of):
            record = recorded[place]
            self._left[record.name].append(_of(record))

    async def over(
        self, wait: Wait, result_of: Callable[[Wait], Awaitable[StepRecord]]
    ) -> StepRecord:
        """What came to it, wherever that came."""
        if any(one.name == wait.name for one in self._here.values()):
            await asyncio.sleep(0)  # who was cancelled in this very pass of the loop leaves first
        while True:
            with self._taken_over(wait) as here:
                record = await result_of(here)
            if not _is_of_another(record, here):
                return record

    @contextmanager
    def _taken_over(self, wait: Wait) -> Generator[Wait]:
        """The wait at the place that was left first, or else as it is, at its own."""
        left = self._left[wait.name]
        # A version before waited at its own place always.
        heir = bool(left) and wait.step not in self._recorded
        here = _heir_of(left.popleft(), wait) if heir else wait
        if heir:
            self._again(here.step)
        self._here[here.step] = here
        try:
            yield here
        except asyncio.CancelledError:
            record = self._came.get(here.step)
            if record is not None:
                self._recorded[here.step] = record
            (left.appendleft if heir else left.append)(here)
            raise
        finally:
            del self._here[here.step]
            self._came.pop(here.step, None)

    def came(self, record: StepRecord) -> None:
        """Its turn may not come before the code leaves the place."""
        if record.step in self._here:
            self._came[record.step] = record

    def places(self) -> tuple[Wait, ...]:
        """Where a signal may lie that the code never takes, should it start over now."""
        left = [wait for name in self._left.values() for wait in name]
        lies = (wait for wait in left if wait.step in self._recorded)
        # An engine keeps no more than so many that nothing came to.
        open_ = [wait for wait in left if wait.step not in self._recorded][-WORKFLOW_WAITS_MAX:]
        return (*lies, *open_, *self._here.values())


def _heir_of(left: Wait, wait: Wait) -> Wait:
    """The wait at that place. The time begins anew there, if either of them has one."""
    timed = (left.delay_ms, wait.delay_ms) != (None, None)
    # What came before it took the place over bears the hash of who waited then.
    return msgspec.structs.replace(
        wait, step=left.step, input_hash=left.input_hash, turn=left.turn + timed
    )


def _of(record: StepRecord) -> Wait:
    return Wait(step=record.step, name=record.name, kind=record.kind, input_hash=record.input_hash)


def _is_of_another(record: StepRecord, wait: Wait) -> bool:
    """Whether it says that the time of one was over who has left the place since."""
    late = record.flaw is not None and record.flaw.code == "timeout"
    return late and record.attempts <= wait.turn
