"""Calls from the stream's loop to the user's and back: whatever comes up together crosses together.

Waking a loop from another thread costs more than a small step does, and so does a task: over there
one task makes call after call until one of them waits. That one keeps it; the others get another.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from types import coroutine
from typing import Generic, TypeVar, cast

from mainspring_workstream.exits import is_closing

T = TypeVar("T")


class Passage(Generic[T]):
    """One call on its way. Once it is over, `error` or `value` says how it ended."""

    __slots__ = ("_ferry", "_here", "error", "failure", "go", "land", "over", "task", "value")

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
        self.task: asyncio.Task[None] | None = None
        """Where it waits."""
        self.error: BaseException | None = None
        self.failure: BaseException | None = None
        """What it raised over there, before that is known here."""
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
        self._hands: set[asyncio.Task[None]] = set()

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

    def cross(self, go: Callable[[], Coroutine[object, object, T]]) -> "asyncio.Future[T]":
        """What `go` comes to over there. A cancel here cancels it there, and does not wait.

        It comes to a RuntimeError where the other loop has ended.
        """
        back: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        back.add_done_callback(partial(_let_go, self.send(go, partial(_bring, back))))
        return back

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
        self._employ(here)

    def _employ(self, here: asyncio.AbstractEventLoop) -> None:
        hand = self._there.create_task(self._work(here))
        self._hands.add(hand)
        hand.add_done_callback(self._hands.discard)

    async def _work(self, here: asyncio.AbstractEventLoop) -> None:
        """Ends with the first call that waits: a task that it sees is its own from then on."""
        waited = False
        while self._going and not waited:
            passage = self._going.popleft()
            if passage.over:
                continue
            call, context = passage.go(), copy_context()
            try:
                waits = context.run(call.send, None)
                waited = True
                passage.task = asyncio.current_task()
                if self._going:
                    self._employ(here)
                passage.value = await _rest(call, context, waits)
            except StopIteration as end:
                passage.value = cast("T", end.value)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                if is_closing(error):
                    raise
                passage.failure = error
            self._depart(here, passage)

    def _depart(self, here: asyncio.AbstractEventLoop, passage: Passage[T]) -> None:
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
            _land(passage, passage.failure)


@coroutine
def _rest(
    call: Coroutine[object, object, T], context: Context, waits: object
) -> Generator[object, object, T]:
    """Goes on in the call's own context, whatever it waits for. Raises what it raises."""
    while True:
        try:
            go_on = partial(call.send, (yield waits))
        except BaseException as error:  # noqa: BLE001 - the call is to hear of it, not this
            go_on = partial(call.throw, error)
        try:
            waits = context.run(go_on)
        except StopIteration as end:
            return cast("T", end.value)


def _land(passage: Passage[T], error: BaseException | None) -> None:
    if not passage.over:
        passage.over, passage.error = True, error
        passage.land(passage)


def _stop(passage: Passage[T]) -> None:
    if passage.task is not None:
        passage.task.cancel()


def _let_go(passage: Passage[T], back: "asyncio.Future[T]") -> None:
    if back.cancelled():
        passage.cancel()


def _bring(back: "asyncio.Future[T]", passage: Passage[T]) -> None:
    if back.done():
        return
    if isinstance(passage.error, asyncio.CancelledError):
        back.cancel()
    elif passage.error is not None:
        back.set_exception(passage.error)
    else:
        back.set_result(passage.value)  # pyright: ignore[reportArgumentType] -- there without an error
