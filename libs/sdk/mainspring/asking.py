"""When the engine is asked whether a wait is over: at once, and again while nothing came."""

import asyncio
from collections.abc import Awaitable, Callable

from mainspring.limits import ASK_S
from mainspring.place import aside


class Asks:
    """One question at a time. `ask` says whether it is to be asked again, `wanted` whether at all.

    However many ask for `later`, it is once, ASK_S after the first of them. `moved` is called when
    an answer came.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[bool]],
        *,
        wanted: Callable[[], bool],
        moved: Callable[[], None],
    ) -> None:
        self._ask = ask
        self._wanted = wanted
        self._moved = moved
        self._timer: asyncio.TimerHandle | None = None
        self.asking: asyncio.Task[None] | None = None
        """The question under way."""

    def now(self) -> None:
        if self.asking is None and self._wanted():
            with aside():
                self.asking = asyncio.create_task(self._one())

    def later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ASK_S, self._fire)

    def cancel(self) -> None:
        """What was to be asked later is not. Who is asked now is told by cancelling `asking`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self.now()

    async def _one(self) -> None:
        try:
            again = await self._ask()
        finally:
            self.asking = None
        if again:
            self.later()
        self._moved()
