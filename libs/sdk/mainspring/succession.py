"""In which order results come to a workflow's code: the same in every replay.

Code may do what it likes with who comes first: `asyncio.wait`, a queue, a list that branches append
to. So results come one by one, each once the code has done all that the one before made it do; and
the order is recorded with them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from mainspring.alone import is_watched
from mainspring.limits import SETTLING_PASSES, TURNS_AT_ONCE
from mainspring.stillness import Stillness
from mainspring_kernel.limits import WORKFLOW_WAITS_MAX
from mainspring_schema.workflows import FOUND, Flaw, StepRecord

LEFT: Final = "left"
"""The code of a step whose branch was cancelled: it never came to a result."""


class Succession:
    """Lives on the loop of the user's code. `moved` is called whenever a result may go on."""

    def __init__(self, recorded: Iterable[StepRecord], moved: Callable[[], None]) -> None:
        records = {record.step: record for record in recorded}
        self._ahead: deque[str] = deque()
        """Places of results that came before, in their order."""
        self._known: set[str] = set()
        self._line: deque[str] = deque()
        """The same of those that are new."""
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._cancelled: set[str] = set()
        self._overdue: set[str] = set()
        """Those whose turn came while nobody waited there."""
        self._open: set[str] = set()
        """Of steps that a cancel of the code is to end, as it did before."""
        self._caught_up: list[asyncio.Future[None]] = []
        self._nth = 0
        self._finds: list[str] = []
        """What the engine found since the last record that a worker made."""
        self._passes = 0
        self._branched = False
        """Until then only one can come first, and nobody is waited for."""
        self._at_once = 0
        """Results given since the last pass of the loop."""
        self._moved = moved
        self.lost = False
        """Whether the code was not where it was before, and its order is given up."""
        self._stillness = Stillness(self._stands)
        if len(records) > 1:  # more than its input
            self._recall(records)

    def _recall(self, records: dict[str, StepRecord]) -> None:
        self._ahead.extend(in_time(records))
        self._known.update(self._ahead)
        self._nth = max((one.nth for one in records.values() if one.kind not in FOUND), default=0)
        told = {place for record in records.values() for place in record.after}
        found = (place for place in self._ahead if records[place].kind in FOUND)
        self._finds += [place for place in found if place not in told]
        self._branched = any("/" in place for place in records)

    @property
    def busy(self) -> bool:
        """Whether somebody's turn will come by itself."""
        return bool(self._waiting.keys() - self._open or self._caught_up or self._passes)

    def branches(self) -> None:
        """The code makes a task: from now on several things may come to it at a time."""
        self._branched = True

    def found(self, place: str) -> None:
        """The engine found this result now; its turn is behind all others'."""
        if place not in self._known:
            self._known.add(place)
            self._line.append(place)
            self._finds.append(place)

    def made(self, record: StepRecord) -> StepRecord:
        """As it is to be kept: its turn is behind all others'."""
        self._nth += 1
        self._line.append(record.step)
        after = tuple(self._finds[-WORKFLOW_WAITS_MAX:])
        self._finds.clear()
        return msgspec.structs.replace(record, nth=self._nth, after=after)

    def left(self, place: str, name: str, digest: bytes) -> StepRecord:
        """Of a step that was called, and that its code left before it came to anything."""
        self.cancelled(place)
        flaw = Flaw(code=LEFT, message="its branch was cancelled")
        return self.made(StepRecord(step=place, name=name, input_hash=digest, flaw=flaw))

    async def of(self, place: str) -> None:
        """Until it is the turn of the result of this place."""
        loop = asyncio.get_running_loop()
        if self._is_alone(loop, place) and self._is_first(place):
            await self._pass_now_and_then()
            return
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting[place] = mine
        self._stir()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._overdue.add(place)
            self.cancelled(place)
            raise

    async def come_to(self, record: StepRecord) -> None:
        """As `of`, of what is recorded where the code is. A step that was left is left again."""
        place = record.step
        if record.flaw is not None and record.flaw.code == LEFT:
            self._open.add(place)
        elif record.kind in FOUND and record.nth:
            self.found(place)  # before anybody waited for it, unless it is known
        if place in self._known or place in self._open:
            await self.of(place)
        elif record.kind != "report":
            await asyncio.sleep(0)  # as it was when it was made: other branches begin meanwhile

    def cancelled(self, place: str) -> None:
        """Nobody waits there any more: the code left that branch."""
        self._waiting.pop(place, None)
        self._cancelled.add(place)
        self._stir()

    def again(self, place: str) -> None:
        """Somebody waits there after all. If its turn is past, it is next."""
        self._cancelled.discard(place)
        if place in self._overdue:
            self._overdue.discard(place)
            (self._ahead or self._line).appendleft(place)

    async def caught_up(self, place: str) -> None:
        """Until the code stands where it stood before, and has done all that it does at once.

        What is new begins then: code that leaves it at once again leaves it in every replay.
        """
        loop = asyncio.get_running_loop()
        if self._is_alone(loop, place) and not self._ahead:
            return
        mine: asyncio.Future[None] = loop.create_future()
        self._caught_up.append(mine)
        self._stir()
        await mine

    def leave(self) -> None:
        """Nobody's turn comes any more."""
        for mine in (*self._waiting.values(), *self._caught_up):
            mine.cancel()

    # ── one after the other ──────────────────────────────────────────────────────────────────

    def _is_alone(self, loop: asyncio.AbstractEventLoop, place: str) -> bool:
        """Whether the code that came to this place has no branches."""
        if "/" in place or not is_watched(loop):
            self._branched = True
        return not self._branched

    def _is_first(self, place: str) -> bool:
        """Whether it is its turn, which is taken."""
        line = self._first()
        if not line or line[0] != place or place in self._open or self._waiting:
            return False
        line.popleft()
        if self._ahead:
            self._stillness.moved()
        return True

    async def _pass_now_and_then(self) -> None:
        """A long history would hold up all others of the loop."""
        self._at_once += 1
        if self._at_once >= TURNS_AT_ONCE:
            self._at_once = 0
            await asyncio.sleep(0)

    def _first(self) -> deque[str]:
        """In which line the next one is."""
        for line in (self._ahead, self._line):
            while line and line[0] in self._cancelled:
                self._overdue.add(line.popleft())
        return self._ahead or self._line

    def _stir(self) -> None:
        if self._ahead:
            self._stillness.moved()
        if not self._passes:
            asyncio.get_running_loop().call_soon(self._pass)
        self._passes = SETTLING_PASSES

    def _pass(self) -> None:
        """What the code does of a result takes some passes of its loop."""
        self._passes -= 1
        if self._passes:
            asyncio.get_running_loop().call_soon(self._pass)
        else:
            self._next()

    def _next(self) -> None:
        line = self._first()
        if not self._ahead:
            self._all_caught_up()
        if not line or line[0] not in self._waiting or line[0] in self._open:
            self._moved()
            return
        mine = self._waiting.pop(line.popleft())
        if not mine.done():
            mine.set_result(None)
        self._moved()
        if self._waiting or self._caught_up:
            self._stir()

    def _all_caught_up(self) -> None:
        for one in self._caught_up:
            if not one.done():
                one.set_result(None)
        self._caught_up.clear()

    def _stands(self) -> None:
        """The code has not come to what was next: it is another one, or waits for the world.

        Whatever it comes to then has no order any more.
        """
        before = len(self._ahead)
        self._first()
        if len(self._ahead) < before:
            self._stir()  # what was next is where nobody waits any more
        elif self._ahead and self._ahead[0] not in self._waiting:
            self.lost = True
            self._known.discard(self._ahead.popleft())
            self._stir()


def in_time(records: dict[str, StepRecord]) -> list[str]:
    """Their places as they came to the code. Those of a version before have none."""
    made = sorted((one for one in records.values() if _is_made(one)), key=lambda one: one.nth)
    places: dict[str, None] = {}
    for record in made:
        places |= dict.fromkeys(place for place in record.after if place in records)
        places[record.step] = None
    found = (one for one in records.values() if one.kind in FOUND and one.nth)
    later = sorted(found, key=lambda one: one.nth)
    return list(places | dict.fromkeys(record.step for record in later))


def _is_made(record: StepRecord) -> bool:
    return record.kind not in FOUND and record.nth > 0
