"""When the engine is asked again whether a wait is over."""

import asyncio
from collections.abc import Callable

from mainspring.limits import ASK_S


class Asks:
    """Calls `ask` once, ASK_S after the first `later`, however many follow that one until then."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._timer: asyncio.TimerHandle | None = None

    def later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ASK_S, self._fire)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._ask()
