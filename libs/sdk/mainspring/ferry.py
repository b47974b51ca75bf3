"""Calls from the stream's loop to the user's and back: whatever comes up together crosses together.

Waking a loop from another thread costs more than a small step does.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class Passage(Generic[T]):
    """One call on its way. Once it is over, `error` or `value` says how it ended."""

    __slots__ = ("_ferry", "_here", "error", "go", "land", "over", "task", "value")

    def __init__(
        self,
        ferry: "Ferry[T]",
        here: asyncio.AbstractEventLoop,
        go: Callable[[], Coroutine[object, object, T]],
        land: "Callable[[Passage[T]], None]",
    ) -> None:
        self._ferry = ferry
        self._here = here
        self.go = go
        self.land = land
        self.over = False
        self.task: asyncio.Task[T] | None = None
        self.error: BaseException | None = None
        self.value: T | None = None

    def cancel(self) -> None:
        """Stops it over there without waiting for that; `land` is told of a cancel, and soon."""
        if not self.over:
            self.over, self.error = True, asyncio.CancelledError()
            self._ferry.stop(self)
            self._here.call_soon(self.land, self)


class Ferry(Generic[T]):
    """`there` is the user's loop; `send` and `cross` are called on one other loop."""

    def __init__(self, there: asyncio.AbstractEventLoop) -> None:
        self._there = there
        self._going: deque[Passage[T]] = deque()
        self._coming: deque[Passage[T]] = deque()
        self._called_there = self._called_here = False

    def send(
        self,
        go: Callable[[], Coroutine[object, object, T]],
        land: Callable[[Passage[T]], None],
    ) -> Passage[T]:
        """Has `go` done over there. `land` is called here once it is over, and never at once.

        Its error is a RuntimeError where the other loop has ended.
        """
        here = asyncio.get_running_loop()
        passage = Passage(self, here, go, land)
        self._going.append(passage)
        # Whoever empties the queue lowers the flag first, so nobody is left standing. It sets off
        # with the next turn of this loop, and takes along whoever else comes up in this one.
        if not self._called_there:
            self._called_there = True
            here.call_soon(self._set_off, here)
        return passage

    async def cross(self, go: Callable[[], Coroutine[object, object, T]]) -> T:
        """What `go` comes to over there. A cancel here cancels it there, and does not wait.

        Raises RuntimeError where the other loop has ended.
        """
        back: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        passage = self.send(go, partial(_bring, back))
        try:
            return await back
        except asyncio.CancelledError:
            passage.cancel()
            raise

    def stop(self, passage: Passage[T]) -> None:
        """Where it has not arrived yet, it is never begun."""
        with suppress(RuntimeError):  # that loop ended: so did everything on it
            self._there.call_soon_threadsafe(_stop, passage)

    def _set_off(self, here: asyncio.AbstractEventLoop) -> None:
        try:
            self._there.call_soon_threadsafe(self._arrive, here)
        except RuntimeError as error:  # that loop ended
            self._called_there = False
            while self._going:
                _land(self._going.popleft(), error)

    # ── over there ───────────────────────────────────────────────────────────────────────────

    def _arrive(self, here: asyncio.AbstractEventLoop) -> None:
        self._called_there = False
        while self._going:
            passage = self._going.popleft()
            if passage.over:
                continue
            passage.task = self._there.create_task(passage.go())
            passage.task.add_done_callback(partial(self._depart, here, passage))

    def _depart(
        self, here: asyncio.AbstractEventLoop, passage: Passage[T], _: "asyncio.Task[T]"
    ) -> None:
        self._coming.append(passage)
        if not self._called_here:
            self._called_here = True
            self._there.call_soon(self._set_off_back, here)

    def _set_off_back(self, here: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # that loop ended: nobody waits
            here.call_soon_threadsafe(self._arrive_back)

    # ── back here ────────────────────────────────────────────────────────────────────────────

    def _arrive_back(self) -> None:
        self._called_here = False
        while self._coming:
            passage = self._coming.popleft()
            task = passage.task
            if task is None or passage.over:
                continue
            if task.cancelled():
                _land(passage, asyncio.CancelledError())
            elif (error := task.exception()) is not None:
                _land(passage, error)
            else:
                passage.value = task.result()
                _land(passage, None)


def _land(passage: Passage[T], error: BaseException | None) -> None:
    if not passage.over:
        passage.over, passage.error = True, error
        passage.land(passage)


def _stop(passage: Passage[T]) -> None:
    if passage.task is not None:
        passage.task.cancel()


def _bring(back: "asyncio.Future[T]", passage: Passage[T]) -> None:
    if back.done():
        return
    if isinstance(passage.error, asyncio.CancelledError):
        back.cancel()
    elif passage.error is not None:
        back.set_exception(passage.error)
    else:
        back.set_result(passage.value)  # pyright: ignore[reportArgumentType] -- there without an error
