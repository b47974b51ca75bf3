"""Whether a go stands still: nothing of it has moved for a while, though everything could have."""

import asyncio
from collections.abc import Callable

from mainspring.limits import LINGER_PASSES, LINGER_S


class Stillness:
    """Calls `still` some time after each move that no other one followed."""

    def __init__(self, still: Callable[[], None]) -> None:
        self._still = still
        self._moves = 0

    def moved(self) -> None:
        """Something went on, so other things may."""
        self.stirred()
        asyncio.get_running_loop().call_later(LINGER_S, self._look, self._moves, LINGER_PASSES)

    def stirred(self) -> None:
        """As `moved`, where it is not to be told."""
        self._moves += 1

    def _look(self, moves: int, passes: int) -> None:
        if moves != self._moves:
            return
        # A loop that was held up comes late, and lets each branch take one turn until then.
        if passes:
            asyncio.get_running_loop().call_soon(self._look, moves, passes - 1)
        else:
            self._still()
