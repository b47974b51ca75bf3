"""The thread of a worker's stream, which beats however long the user's code holds its own loop."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
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
            self._loop.close()

    async def attached(self) -> None:
        """Returns while an engine has the worker, or once it is drained.

        Raises what ended the stream before.
        """
        if self._ended.done():
            return self._ended.result()
        joined = asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self._worker.attached(), self._loop)
        )
        ended = asyncio.wrap_future(self._ended)
        try:
            done, _ = await asyncio.wait((joined, ended), return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            ended.cancel()
            if not self._ended.done():  # else the loop of the other one is gone
                joined.cancel()

    async def ended(self) -> None:
        """Returns once the stream is drained. Raises what ended it before."""
        await asyncio.wrap_future(self._ended)

    async def drain(self) -> None:
        """As `ended`, and sees to it."""
        if not self._ended.done():
            with suppress(RuntimeError):  # its loop ended meanwhile
                asyncio.run_coroutine_threadsafe(self._worker.drain(), self._loop)
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
