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
from collections import deque
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    InvalidStateError,
    ProcessPoolExecutor,
)
from contextlib import suppress
from functools import partial
from typing import Generic, ParamSpec, TypeVar, cast

from mainspring.saying import said

P = ParamSpec("P")
T = TypeVar("T")


class ProcessDied(RuntimeError):
    """The process that computed a step ended in the middle of it."""

    def __init__(self) -> None:
        super().__init__("the process that computed it was killed, or ended itself")


class RaisedThere(Exception):
    """What a step raised in its process, where that cannot be sent as it is."""


class Processes(Executor):
    """As many calls at once as there may be processes; each is made when it is first needed.

    A call that is cancelled, for its step timed out or its task is lost, ends with its process:
    nothing else stops what computes.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.RLock()
        self._idle: list[_Process] = []
        self._room = count
        """How many more there may be."""
        self._all: set[_Process] = set()
        self._waiting: deque[_Computation[object]] = deque()
        self._closed = False
        self.room = asyncio.Semaphore(count)
        """Of the worker's loop: who has passed it finds a process, or one that is being made."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        computation = _Computation(partial(fn, *args, **kwargs))
        with self._lock:
            if self._closed:
                message = "the worker has ended"
                raise RuntimeError(message)
            self._waiting.append(cast("_Computation[object]", computation))
        self._begin()
        return computation.outcome

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as an Executor has it
        with self._lock:
            self._closed = True
            left, self._waiting = self._waiting, deque()
        for computation in left:
            computation.outcome.cancel()
        for process in tuple(self._all):
            process.pool.shutdown(wait, cancel_futures=cancel_futures)

    def _begin(self) -> None:
        while True:
            with self._lock:
                if self._closed or not self._waiting or not (self._idle or self._room):
                    return
                computation = self._waiting.popleft()
                if computation.outcome.cancelled():
                    continue
                process = self._idle.pop() if self._idle else self._made()
            try:
                process.compute(computation, partial(self._free, process))
            except BrokenExecutor:
                # It died at rest, and nothing of this call was begun.
                process.gone = True
                with self._lock:
                    self._waiting.appendleft(computation)
                    self._drop(process)

    def _made(self) -> "_Process":
        self._room -= 1
        process = _Process()
        self._all.add(process)
        return process

    def _free(self, process: "_Process") -> None:
        with self._lock:
            if process.gone:
                self._drop(process)
            else:
                self._idle.append(process)
        self._begin()

    def _drop(self, process: "_Process") -> None:
        self._all.discard(process)
        self._room += 1
        process.pool.shutdown(wait=False)


class _Computation(Generic[T]):
    def __init__(self, call: Callable[[], T]) -> None:
        self.call = call
        self.outcome: Future[T] = Future()

    def end(self, inner: "Future[T]") -> None:
        with suppress(InvalidStateError):  # it was cancelled: nobody waits any more
            error = _error_of(inner)
            if error is None:
                self.outcome.set_result(inner.result())
            else:
                self.outcome.set_exception(error)


class _Process:
    """One process, and the pool of one around it."""

    def __init__(self) -> None:
        # Not forked: a fork of a process with threads may hang.
        self.pool = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_the_worker
        )
        self.gone = False
        self._lock = threading.Lock()
        self._id = self.pool.submit(os.getpid)

    def compute(self, computation: "_Computation[T]", free: Callable[[], None]) -> None:
        """`free` is called once it is over. Raises BrokenExecutor where the process has died."""
        inner = self.pool.submit(_carried, computation.call)

        def over(inner: "Future[T]") -> None:
            with self._lock:
                self.gone = self.gone or isinstance(_error_of(inner), ProcessDied)
            free()
            computation.end(inner)

        inner.add_done_callback(over)
        computation.outcome.add_done_callback(partial(self._left, inner))

    def _left(self, inner: "Future[T]", outcome: "Future[T]") -> None:
        if outcome.cancelled():
            self._id.add_done_callback(partial(self._kill, inner))

    def _kill(self, inner: "Future[T]", id_: "Future[int]") -> None:
        with self._lock:
            if not inner.done() and _error_of(id_) is None:
                self.gone = True
                os.kill(id_.result(), signal.SIGKILL)


def _error_of(future: "Future[T]") -> BaseException | None:
    """Of one that is done."""
    if future.cancelled():
        return CancelledError()
    error = future.exception()
    return ProcessDied() if isinstance(error, BrokenExecutor) else error


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


def _end_with_the_worker() -> None:
    """A worker that is killed cannot stop its processes, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="mainspring-watch", daemon=True).start()
