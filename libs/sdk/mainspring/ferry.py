"""Calls from the stream's loop to the user's and back: whatever comes up together crosses together.

Waking a loop from another thread costs more than a small step does.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class _Passenger(NamedTuple, Generic[T]):
    go: Callable[[], Coroutine[object, object, T]]
    back: "asyncio.Future[T]"


class Ferry(Generic[T]):
    """`there` is the user's loop; `cross` is awaited on one other loop."""

    def __init__(self, there: asyncio.AbstractEventLoop) -> None:
        self._there = there
        self._going: deque[_Passenger[T]] = deque()
        self._coming: deque[tuple[asyncio.Future[T], asyncio.Task[T]]] = deque()
        self._called_there = self._called_here = False
        self._at_work: dict[asyncio.Future[T], asyncio.Task[T]] = {}

    async def cross(self, go: Callable[[], Coroutine[object, object, T]]) -> T:
        """What `go` comes to over there. A cancel here cancels it there, and does not wait.

        Raises RuntimeError where the other loop has ended.
        """
        here = asyncio.get_running_loop()
        back: asyncio.Future[T] = here.create_future()
        self._going.append(_Passenger(go, back))
        # Whoever empties the queue lowers the flag first, so nobody is left standing. It sets off
        # with the next turn of this loop, and takes along whoever else comes up in this one.
        if not self._called_there:
            self._called_there = True
            here.call_soon(self._set_off, here)
        try:
            return await back
        except asyncio.CancelledError:
            with suppress(RuntimeError):  # that loop ended: so did everything on it
                self._there.call_soon_threadsafe(self._stop, back)
            raise

    def _set_off(self, here: asyncio.AbstractEventLoop) -> None:
        try:
            self._there.call_soon_threadsafe(self._arrive, here)
        except RuntimeError as error:  # that loop ended
            self._called_there = False
            while self._going:
                back = self._going.popleft().back
                if not back.done():
                    back.set_exception(error)

    # ── over there ───────────────────────────────────────────────────────────────────────────

    def _arrive(self, here: asyncio.AbstractEventLoop) -> None:
        self._called_there = False
        while self._going:
            go, back = self._going.popleft()
            if back.cancelled():
                continue
            task = self._at_work[back] = self._there.create_task(go())
            task.add_done_callback(lambda done, back=back: self._depart(here, back, done))

    def _depart(
        self, here: asyncio.AbstractEventLoop, back: "asyncio.Future[T]", done: "asyncio.Task[T]"
    ) -> None:
        del self._at_work[back]
        self._coming.append((back, done))
        if not self._called_here:
            self._called_here = True
            self._there.call_soon(self._set_off_back, here)

    def _set_off_back(self, here: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # that loop ended: nobody waits
            here.call_soon_threadsafe(self._land)

    def _stop(self, back: "asyncio.Future[T]") -> None:
        task = self._at_work.get(back)
        if task is not None:
            task.cancel()

    # ── back here ────────────────────────────────────────────────────────────────────────────

    def _land(self) -> None:
        self._called_here = False
        while self._coming:
            back, done = self._coming.popleft()
            if back.done():
                continue
            if done.cancelled():
                back.cancel()
            elif (error := done.exception()) is not None:
                back.set_exception(error)
            else:
                back.set_result(done.result())
