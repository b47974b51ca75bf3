"""The thread of a worker's stream, which beats however long the user's code holds its own loop."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Final

from mainspring_workstream.work import Worker

_LOG: Final = logging.getLogger("mainspring")


class StreamThread:
    """A loop in a thread of its own that runs the stream until it is drained."""

    def __init__(self, worker: Worker, work: Callable[[], Awaitable[None]]) -> None:
        """`work` is what runs the worker, on the loop of this thread."""
        self._worker = worker
        self._work = work
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._main, name="mainspring-stream", daemon=True)
        self._door = threading.Lock()
        self._closed = False
        """Whether nothing is begun on the loop any more."""
        self._ended: Future[None] = Future()
        # Who waits for the end and is cancelled does not cancel the end.
        self._ended.set_running_or_notify_cancel()

    def start(self) -> None:
        self._thread.start()

    def _main(self) -> None:
        try:
            self._loop.run_until_complete(self._work())
        except BaseException as error:  # noqa: BLE001 - whoever waits for the end is told
            _LOG.exception("the worker's stream failed")
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)
        finally:
            with self._door:
                self._closed = True
            self._leave()
            self._loop.close()

    def _leave(self) -> None:
        """What others began on the loop is not left behind on it."""
        self._loop.run_until_complete(asyncio.sleep(0))  # it may stand before the loop yet
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        while left := asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(asyncio.wait(left))

    def _begin(self, call: Callable[[], Coroutine[object, object, None]]) -> "Future[None] | None":
        """On the loop of the stream; None where that has ended."""
        with self._door:
            return None if self._closed else asyncio.run_coroutine_threadsafe(call(), self._loop)

    async def attached(self) -> None:
        """Returns while an engine has the worker, or once it is drained.

        Raises what ended the stream before.
        """
        begun = self._begin(self._worker.attached)
        if self._ended.done() or begun is None:
            return await self.ended()
        joined, ended = asyncio.wrap_future(begun), asyncio.wrap_future(self._ended)
        try:
            await asyncio.wait((joined, ended), return_when=asyncio.FIRST_COMPLETED)
            (ended if ended.done() else joined).result()
        finally:
            ended.cancel()
            if not self._ended.done():  # else it is ended there
                joined.cancel()

    async def ended(self) -> None:
        """Returns once the stream is drained. Raises what ended it before."""
        await asyncio.wrap_future(self._ended)

    async def drain(self) -> None:
        """As `ended`, and sees to it."""
        self._begin(self._worker.drain)
        ended = asyncio.wrap_future(self._ended)
        await asyncio.wait((ended,))
        await asyncio.to_thread(self._thread.join)
        ended.result()


def _new_loop() -> asyncio.AbstractEventLoop:
    """It carries frames and timers of our own alone, so it can be a fast one."""
    try:
        import uvloop  # noqa: PLC0415 - there are machines without it, and asyncio's own loop works
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
