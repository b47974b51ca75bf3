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
from importlib import import_module
from typing import Final, Generic, NamedTuple, TypeVar, cast

from mainspring.afar import Ear, Mouth, Pipe, Told
from mainspring.saying import said

T = TypeVar("T")
_MOUTHS: Final[list[Mouth]] = []
"""In a process that computes: its one."""


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
    ear: Ear
    modules: set[str]
    """Those that it is known to have imported."""


class _Alone(NamedTuple, Generic[T]):
    """A call as it crosses, with its number."""

    call: Callable[[], T]
    number: int
    told: Told


class Process:
    """One call at a time. What ends it, it outlives: the next call has a new process."""

    def __init__(self) -> None:
        self._made: _Made | None = None
        self._over: Callable[[], bool]

    async def ready(self, module: str) -> None:
        """Returns once it is there with this module: the time of a call is the call's own.

        Raises what the import raises, OSError where the machine has no room, ProcessDied.
        """
        if self._made is not None and module in self._made.modules:
            return
        await self.compute(partial(_import, module))
        if self._made is not None:
            self._made.modules.add(module)

    async def compute(self, call: Callable[[], T]) -> T:
        """The call's result. Raises what it raises, or ProcessDied; a cancel ends the process."""
        begun, ear = self._begun(call)
        self._over = begun.done
        try:
            return await asyncio.wrap_future(begun)
        except BrokenExecutor:
            raise ProcessDied from None
        except Exception:
            await ear.last_words()
            raise
        except asyncio.CancelledError:
            self.end()  # nothing else stops what computes
            raise

    def _begun(self, call: Callable[[], T]) -> "tuple[Future[T], Ear]":
        if self._made is not None:
            # One that has died at rest refuses, and nothing of this call was begun.
            with suppress(BrokenExecutor):
                return self._submitted(self._made, call)
            self._made.pool.shutdown(wait=False)
            self._made = None
        made = _made()
        try:
            begun = self._submitted(made, call)
        except BaseException:
            made.pool.shutdown(wait=False, cancel_futures=True)
            raise
        self._made = made
        return begun

    def _submitted(self, made: _Made, call: Callable[[], T]) -> "tuple[Future[T], Ear]":
        return made.pool.submit(_carried, _Alone(call, *made.ear.next_call())), made.ear

    def end(self) -> None:
        """At rest it goes by itself; in the middle of a call at once, or as soon as it is there."""
        if self._made is not None:
            self._made.pool.shutdown(wait=False, cancel_futures=True)
            self._made.id_.add_done_callback(partial(_kill, self._over))
            self._made = None


def _made() -> _Made:
    """Raises OSError where the machine has no room for a process now."""
    # Cast: on the systems that we know of a pipe's ends are connections.
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    heard, said = cast("tuple[Pipe, Pipe]", context.Pipe(duplex=False))
    pool = ProcessPoolExecutor(1, context, _begin, (said,))
    try:
        id_ = pool.submit(os.getpid)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        heard.close()
        raise
    finally:
        said.close()  # the process has its own, so that the pipe ends with it
    ear = Ear()
    ear.listen(heard)
    return _Made(pool, id_, ear, set())


def _kill(over: Callable[[], bool], id_: "Future[int]") -> None:
    # Once its call is over, the process may be gone, and its id another one's.
    if not over() and not id_.cancelled() and id_.exception() is None:
        os.kill(id_.result(), signal.SIGKILL)


def _carried(alone: _Alone[T]) -> T:
    """In the process: whatever it raises can be read where it is waited for."""
    try:
        with _MOUTHS[0].of(alone.number, alone.told):
            return alone.call()
    except Exception as error:
        try:
            again = cast("object", pickle.loads(pickle.dumps(error)))  # noqa: S301 - our own bytes
        except Exception:  # noqa: BLE001 - an exception of the user's with an `__init__` of its own
            again = None
        if type(again) is type(error):
            raise
        message = f"{type(error).__name__}: {said(error)}"
        raise RaisedThere(message) from None


def _import(module: str) -> None:
    import_module(module)


def _begin(said: Pipe) -> None:
    """In the process, before any call."""
    _MOUTHS.append(Mouth(said))
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
