"""Several worker processes kept at work by one: each with an incarnation of its own.

Python computes on one core per process; a fleet uses them all. One that ends is started again, with
backoff; a stop lets all of them drain.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Final, NamedTuple, Protocol, cast

from mainspring.calling import NOTHING, Announced
from mainspring.definitions import Step, Workflow
from mainspring.imports import refuse_within_an_import
from mainspring.limits import WARM_GOES_DEFAULT
from mainspring.tools import Tool
from mainspring.worker import Worker
from mainspring_kernel.backoff import Policy, delay_s
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_kernel.limits import DRAIN_S
from mainspring_schema.toolsets import Brings
from mainspring_workstream.limits import SLOTS_DEFAULT

_LOG: Final = logging.getLogger("mainspring")
_AGAIN: Final = Policy(first_s=0.5, factor=2.0, max_s=30.0)
"""Between two starts of a process that ends at once."""
_STEADY_S: Final = 30.0
"""A process that lived so long starts with the shortest wait again."""
PROCESSES_MAX: Final = 256
"""Above it one machine's memory is the bound."""


class Process(Protocol):
    """One worker process, as the fleet sees it."""

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        ...

    def terminate(self) -> None:
        """Asks it to drain."""
        ...

    def kill(self) -> None: ...


class Fleet:
    """`processes` workers (default: one per core), each as `Worker` with these options.

    The processes import what is offered by its module and name, so a script starts its fleet under
    `if __name__ == "__main__":`.
    """

    def __init__(  # noqa: PLR0913 - one named option each
        self,
        offers: "Sequence[Workflow[..., object] | Step[..., object]]" = (),
        /,
        *,
        tools: "Sequence[Tool[..., object]]" = (),
        toolset: str = "",
        instructions: str = "",
        brings: Brings = NOTHING,
        processes: int | None = None,
        engine: str | None = None,
        queues: Sequence[str] = ("default",),
        slots: int = SLOTS_DEFAULT,
        cpu_processes: int = 0,
        warm: int = WARM_GOES_DEFAULT,
        name: str = "",
        build: str = "",
        spawn: Callable[[int], Process] | None = None,
        clock: Clock | None = None,
        draws: Draws | None = None,
    ) -> None:
        # What a worker would refuse is refused here, and not in each process.
        Announced(tools, toolset, instructions, brings, queues=queues)
        self._count = _counted(processes)
        options = _Options(
            offers=tuple(_path_of(offer) for offer in offers),
            tools=tuple(_path_of(tool) for tool in tools),
            announced=(toolset, instructions, brings),
            engine=engine,
            queues=tuple(queues),
            slots=slots,
            cpu_processes=cpu_processes,
            warm=warm,
            name=name,
            build=build,
        )
        self._spawn: Callable[[int], Process] = spawn or partial(_Spawned, options)
        self._clock = clock or SystemClock()
        self._draws = draws or SystemDraws()
        self._at_work: dict[int, Process] = {}

    async def run(self) -> None:
        """Works until it is cancelled or gets SIGTERM; then all processes drain, within bounds.

        Raises RuntimeError where a process of its own imports the program.
        """
        refuse_within_an_import()
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        on_main = threading.current_thread() is threading.main_thread()
        if on_main:
            loop.add_signal_handler(signal.SIGTERM, stopped.set)
        keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
        try:
            await stopped.wait()
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await self._drain()
            if on_main:
                loop.remove_signal_handler(signal.SIGTERM)

    async def _keep(self, number: int) -> None:
        """One place of the fleet: there is a process in it, or a wait for the next one."""
        failures = 0
        while True:
            began = self._clock.mono()
            how = await self._one(number)
            failures = 1 if self._clock.mono() - began >= _STEADY_S else failures + 1
            delay = delay_s(_AGAIN, failures, self._draws.unit())
            _LOG.warning("worker process %d %s, again in %.1f s", number, how, delay)
            await self._clock.sleep(delay)

    async def _one(self, number: int) -> str:
        """Starts one process; how it ended. What the system has no room for now has ended too."""
        try:
            process = self._spawn(number)
        except Exception as error:  # noqa: BLE001 - of the keeper's loop, which logs it
            return f"was not started ({type(error).__name__}: {error})"
        self._at_work[number] = process
        code = await process.ended()
        del self._at_work[number]
        return f"ended with {code}"

    async def _drain(self) -> None:
        left = list(self._at_work.values())
        for process in left:
            process.terminate()
        ends = [asyncio.create_task(process.ended()) for process in left]
        if not ends:
            return
        timeout = asyncio.create_task(self._clock.sleep(DRAIN_S))
        all_ended = asyncio.gather(*ends)
        await asyncio.wait({timeout, all_ended}, return_when=asyncio.FIRST_COMPLETED)
        timeout.cancel()
        for process, end in zip(left, ends, strict=True):
            if not end.done():
                process.kill()
        await all_ended


class _Options(NamedTuple):
    """Of a worker, as they are sent to its process."""

    offers: tuple[tuple[str, str], ...]
    tools: tuple[tuple[str, str], ...]
    announced: tuple[str, str, Brings]
    engine: str | None
    queues: tuple[str, ...]
    slots: int
    cpu_processes: int
    warm: int
    name: str
    build: str


def _counted(processes: int | None) -> int:
    count = os.cpu_count() or 1 if processes is None else processes
    if not 1 <= count <= PROCESSES_MAX:
        message = f"a fleet has 1 to {PROCESSES_MAX} processes, not {count}"
        raise ValueError(message)
    return count


class _Spawned:
    """Not forked: a fork of a process with threads may hang."""

    def __init__(self, options: _Options, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(
            target=_work, args=(options, number), name=f"mainspring-worker-{number}"
        )
        self._process.start()

    async def ended(self) -> int:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        # No thread per process: a fleet has more of them than a pool has threads.
        loop.add_reader(self._process.sentinel, told.set)
        try:
            await told.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        return self._process.exitcode or 0

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def _path_of(
    offer: "Workflow[..., object] | Step[..., object] | Tool[..., object]",
) -> tuple[str, str]:
    return offer.function.__module__, offer.function.__qualname__


def _found(path: tuple[str, str]) -> object:
    module, name = path
    return cast("object", getattr(import_module(module), name))


def _offered(path: tuple[str, str]) -> "Workflow[..., object] | Step[..., object]":
    found = _found(path)
    if not isinstance(found, (Workflow, Step)):
        message = f"{':'.join(path)} is neither a @workflow nor a @step"
        raise TypeError(message)
    return found


def _tool(path: tuple[str, str]) -> "Tool[..., object]":
    found = _found(path)
    if not isinstance(found, Tool):
        message = f"{':'.join(path)} is no @tool"
        raise TypeError(message)
    return found


def _work(options: _Options, number: int) -> None:
    """The process: a worker until it is told to drain, or its fleet is gone."""
    # Ctrl-C reaches the whole group: the fleet says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(options, number))


async def _serve(options: _Options, number: int) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, stopped.set)
    toolset, instructions, brings = options.announced
    worker = Worker(
        [_offered(path) for path in options.offers],
        tools=[_tool(path) for path in options.tools],
        toolset=toolset,
        instructions=instructions,
        brings=brings,
        engine=options.engine,
        queues=options.queues,
        slots=options.slots,
        processes=options.cpu_processes,
        warm=options.warm,
        name=f"{options.name}-{number}" if options.name else "",
        build=options.build,
    )
    working, stop = asyncio.create_task(worker.run()), asyncio.create_task(stopped.wait())
    # One whose stream has failed ends its process, and the fleet starts another.
    await asyncio.wait((working, stop), return_when=asyncio.FIRST_COMPLETED)
    if parent is not None:
        loop.remove_reader(parent.sentinel)
    stop.cancel()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
