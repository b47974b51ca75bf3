"""Who may hold a request open until what it asks for has ended: a few beside each other."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

POLLS_MAX: Final = 64
"""Each has a connection, and each connection makes every request of the client dearer."""
STALLED_S: Final = 0.2
"""Where no turn ended for so long nobody waits for one: what is waited for takes its time."""


class Turns:
    """While turns end one after the other, the next ones wait for theirs."""

    def __init__(self) -> None:
        self._taken = 0
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._moved_s = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[bool]:
        """Whether it is one: False where all are taken by what takes its time."""
        took = await self._take()
        try:
            yield took
        finally:
            if took:
                self._pass_on()

    async def _take(self) -> bool:
        loop = asyncio.get_running_loop()
        if self._taken < POLLS_MAX:
            self._taken += 1
            self._moved_s = loop.time()
            return True
        if loop.time() - self._moved_s >= STALLED_S:
            return False
        mine: asyncio.Future[bool] = loop.create_future()
        if not self._waiting:
            loop.call_later(STALLED_S, self._look)
        self._waiting.append(mine)
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.result():
                self._pass_on()  # it came, and nobody took it
            raise

    def _pass_on(self) -> None:
        self._moved_s = asyncio.get_running_loop().time()
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(True)
                return
        self._taken -= 1

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        left_s = self._moved_s + STALLED_S - loop.time()
        if self._waiting and left_s > 0:
            loop.call_later(left_s, self._look)
            return
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(False)
