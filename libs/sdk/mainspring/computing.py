"""The processes that compute `cpu_bound` steps.

Each has a pool of its own, for one process that is killed, or runs out of memory, breaks its pool
for good: so it takes along its own call and no other, and another one takes its place.
"""

import asyncio
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import NamedTuple, TypeVar, cast

from mainspring.saying import said

T = TypeVar("T")


class ProcessDied(RuntimeError):
    """The process that computed a step ended in the middle of it."""

    def __init__(self) -> None:
        super().__init__("the process that computed it was killed, or ended itself")


class RaisedThere(Exception):
    """What a step raised in its process, where that cannot be sent as it is."""


class Processes:
    """Of one loop, that of a worker. Each process is made when it is first needed."""

    def __init__(self, count: int) -> None:
        self._all = [Process() for _ in range(count)]
        self._idle = list(self._all)
        self._room = asyncio.Semaphore(count)
        self._closed = False

    @asynccontextmanager
    async def lent(self) -> "AsyncGenerator[Process]":
        """Waits until one is idle. Raises RuntimeError once the worker has ended."""
        async with self._room:
            if self._closed:
                message = "the worker has ended"
                raise RuntimeError(message)
            process = self._idle.pop()
            try:
                yield process
            finally:
                self._idle.append(process)

    def close(self) -> None:
        """Ends them all, and what they compute; twice is once."""
        self._closed = True
        for process in self._all:
            process.end()


class _Made(NamedTuple):
    """A pool whose process was started. Its id is known once the process is there."""

    pool: ProcessPoolExecutor
    id_: Future[int]


class Process:
    """One call at a time. What ends it, it outlives: the next call has a new process."""

    def __init__(self) -> None:
        self._made: _Made | None = None
        self._over: Callable[[], bool]

    async def compute(self, call: Callable[[], T]) -> T:
        """The call's result. Raises what it raises, or ProcessDied; a cancel ends the process."""
        begun = self._begun(call)
        self._over = begun.done
        try:
            return await asyncio.wrap_future(begun)
        except BrokenExecutor:
            raise ProcessDied from None
        except asyncio.CancelledError:
            self.end()  # nothing else stops what computes
            raise

    def _begun(self, call: Callable[[], T]) -> "Future[T]":
        if self._made is not None:
            # One that has died at rest refuses, and nothing of this call was begun.
            with suppress(BrokenExecutor):
                return self._made.pool.submit(_carried, call)
            self._made.pool.shutdown(wait=False)
            self._made = None
        # Not forked: a fork of a process with threads may hang.
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)
        try:
            id_, begun = pool.submit(os.getpid), pool.submit(_carried, call)
        except BaseException:  # the machine may have no room for a process now
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        self._made = _Made(pool, id_)
        return begun

    def end(self) -> None:
        """At rest it goes by itself; in the middle of a call at once, or as soon as it is there."""
        if self._made is not None:
            self._made.pool.shutdown(wait=False, cancel_futures=True)
            self._made.id_.add_done_callback(partial(_kill, self._over))
            self._made = None


def _kill(over: Callable[[], bool], id_: "Future[int]") -> None:
    # Once its call is over, the process may be gone, and its id another one's.
    if not over() and not id_.cancelled() and id_.exception() is None:
        os.kill(id_.result(), signal.SIGKILL)


def _carried(call: Callable[[], T]) -> T:
    """In the process: whatever it raises can be read where it is waited for."""
    try:
        return call()
    except Exception as error:
        try:
            again = cast("object", pickle.loads(pickle.dumps(error)))  # noqa: S301 - our own bytes
        except Exception:  # noqa: BLE001 - an exception of the user's with an `__init__` of its own
            again = None
        if type(again) is type(error):
            raise
        message = f"{type(error).__name__}: {said(error)}"
        raise RaisedThere(message) from None


def _begin() -> None:
    """In the process, before any call."""
    # Ctrl-C reaches the whole group: the worker says when to stop, and lets finish what it can.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_the_worker()


def _end_with_the_worker() -> None:
    """A worker that is killed cannot stop its processes, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="mainspring-watch", daemon=True).start()
