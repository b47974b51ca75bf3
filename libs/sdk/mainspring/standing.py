"""When a go stands still: all of it waits and its worker is given back, or some are at work."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from mainspring.asking import Asks
from mainspring.branches import Branches, Open, arm, fit_a_frame
from mainspring.keeping import Keeping
from mainspring.stillness import Stillness
from mainspring.succession import Succession
from mainspring.telling import went_on_alone
from mainspring_schema.workflows import StepRecord, Wait, cancel_of

Ask = Callable[[tuple[str, ...]], Awaitable[dict[str, StepRecord]]]


class Standing:
    """`goes` tells whether the code is under way, `rest` ends its passage, `news` brings results.

    What waits is told to the engine through `keeping`, and asked for by `ask`.
    """

    def __init__(  # noqa: PLR0913 - one named port each
        self,
        branches: Branches,
        *,
        keeping: Keeping,
        succession: Succession,
        goes: Callable[[], bool],
        rest: Callable[[], None],
        ask: Ask,
        news: Callable[[tuple[StepRecord, ...]], None],
        replay_only: bool,
    ) -> None:
        self.rests = False
        """Whether all waits, and nothing has moved by itself since then."""
        self.found = 0
        """What the engine has found so far."""
        self._open = branches
        self._keeping = keeping
        self._succession = succession
        self._goes = goes
        self._rest = rest
        self._ask_for = ask
        self._news = news
        self._replay_only = replay_only
        self._crowd: deque[asyncio.Future[None]] = deque()
        """Who would wait, were there not as many already as an engine keeps."""
        self._active = 0
        self._left = False
        self._stillness = Stillness(self._look)
        self.asks = Asks(self._ask, wanted=lambda: bool(branches) and goes(), moved=self.moved)

    def moved(self) -> None:
        self.rests = False
        if self._open.waits and self._goes():
            self._stillness.moved()
        else:
            self._stillness.stirred()

    def woke(self) -> None:
        """The code went on by itself: where it rested, a replay would not."""
        if self.rests and not self._left and not self._goes():
            went_on_alone(f"{one.wait.kind} {one.wait.name}" for one in self._open.values())
        self.rests = False

    def count(self, change: int) -> None:
        """So many more steps are at work."""
        self._active += change
        self.moved()

    async def room(self) -> None:
        """Returns once another may wait.

        Code that was refused would not be so in a replay, for what had come then waits no more.
        """
        while self._open.full:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._crowd.append(mine)
            try:
                await mine
            finally:
                asyncio.get_running_loop().call_soon(self._admit)  # behind this one, if it waits

    def _admit(self) -> None:
        while self._crowd and not self._open.full:
            one = self._crowd.popleft()
            if not one.done():
                one.set_result(None)
                return

    async def over(self, wait: Wait) -> StepRecord:
        """What came of it, in its turn. There is `room`."""
        opened = self._open.begin(wait)
        if opened.soon:
            # With those of other branches, which begin to wait in this pass of the loop.
            asyncio.get_running_loop().call_soon(self._arm_soon)
        self.moved()
        return await self.over_of(opened)

    async def over_of(self, opened: Open) -> StepRecord:
        place = opened.wait.step
        try:
            record = await opened.came
        except asyncio.CancelledError:
            self.woke()
            self._succession.cancelled(place)
            raise
        finally:
            del self._open[place]
            self._admit()
            self.moved()
        await self._succession.of(place)
        return record

    async def listen(self, place: str) -> None:
        """Returns once the code would hear of its cancel."""
        self._arm([self._open.begin(cancel_of(place))])
        self.asks.later()
        await self._keeping.saver.armed()

    def leave(self) -> None:
        """Whoever waits does so no more: a group that ends already passes no other cancel on."""
        self._left = True
        self.asks.cancel()
        for waiting in (*(opened.came for opened in self._open.values()), *self._crowd):
            waiting.cancel()
        self._succession.leave()

    def _arm_soon(self) -> None:
        soon = self._open.soon()
        if soon and self._goes() and not self._replay_only:
            self._arm(soon)
            self.asks.later()

    def _look(self) -> None:
        if not self._goes() or not self._open.waits:
            return
        if self._keeping.saver.flying or self.asks.asking is not None or self._succession.busy:
            return  # each of them says when it has moved
        if any(opened.came.done() for opened in self._open.values()):
            return  # it goes on in this pass of the loop
        fresh = self._open.fresh()
        if self._active == 0 and (self._replay_only or fit_a_frame(fresh)):
            self.rests = True
            self._rest()
            return
        self._arm(fresh)
        self.asks.later()

    def _arm(self, opened: Sequence[Open]) -> None:
        """Has the engine wait for them while others go on."""
        self._keeping.saver.arm(arm(opened, self.found))

    async def _ask(self) -> bool:
        """Whether to ask again: nothing came of what it waits for."""
        found = await self._ask_for(tuple(self._open))
        came = tuple(step for place, step in found.items() if place in self._open)
        if came:
            self._news(came)
        return not came and any(opened.armed for opened in self._open.values())
