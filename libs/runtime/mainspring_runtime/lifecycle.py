"""A process from its settings to its exit status: start, ready, drain, stop.

0: stopped as asked. 1: could not start, or something it needs failed. 2: bad settings.
"""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final, TypeVar

from mainspring_kernel import limits
from mainspring_kernel.errors import MainspringError
from mainspring_runtime import logs, watching
from mainspring_runtime.open_files import open_files
from mainspring_runtime.settings import ProcessSettings, SettingsError, load
from mainspring_runtime.telemetry import OFF, Telemetry, open_telemetry

S = TypeVar("S", bound=ProcessSettings)
Start = Callable[[S, "Service"], Awaitable[None]]
_log = logging.getLogger(__name__)

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_UNWIND_S: Final = 5.0
"""For cancelled tasks to end once the deadline of the drain has passed."""


class Service:
    """What a start function gets: where to leave what must be closed, and how to stop."""

    def __init__(self, name: str, telemetry: Telemetry = OFF) -> None:
        self.name = name
        self.telemetry = telemetry
        self.stack = AsyncExitStack()
        """Closed in reverse order at the end; a task spawned late ends before what it uses."""
        self.failure: BaseException | None = None
        self._stopping = asyncio.Event()

    def spawn(self, name: str, work: Coroutine[object, None, None]) -> asyncio.Task[None]:
        """A task for as long as the service lives. If it fails, the service stops with status 1."""
        task = asyncio.create_task(work, name=f"{self.name}-{name}")
        task.add_done_callback(self._look_at)
        self.stack.push_async_callback(_end_task, task)
        return task

    def stop(self) -> None:
        """Asks the service to drain and stop. Safe twice."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    async def until_stopped(self) -> None:
        """Returns when somebody asked the service to stop, or a task of it failed."""
        await self._stopping.wait()

    async def close(self) -> None:
        """Closes everything on the stack. Safe twice."""
        self._stopping.set()
        await self.stack.aclose()

    def _look_at(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        _log.error("%s failed", task.get_name(), exc_info=error)
        if self.failure is None:
            self.failure = error
        self.stop()


async def _end_task(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def run_service(
    name: str,
    settings_type: type[S],
    start: Start[S],
    environment: Mapping[str, str],
    words: Sequence[str] = (),
) -> int:
    """Runs a service until SIGTERM or SIGINT and returns its exit status.

    It takes no `words` behind its name, and says so.

    `start` opens what the service needs, leaves closers on `service.stack`, and returns when the
    service is ready to work.
    """
    if words:
        return _say_usage(name, words)
    try:
        settings = load(settings_type, environment)
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"{name}: {problem}\n")
        return EXIT_SETTINGS
    logs.configure(name, settings.log_level)
    open_files()
    telemetry = open_telemetry(name, settings)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_live(name, settings, start, telemetry))
    finally:
        _hear_no_more()
        telemetry.close()


def _say_usage(name: str, words: Sequence[str]) -> int:
    sys.stderr.write(
        f"usage: python -m mainspring_{name}, settings are read from the environment\n"
    )
    return EXIT_OK if words[0] in {"-h", "--help"} else EXIT_SETTINGS


def _hear_no_more() -> None:
    # Python lets go of its handlers before it ends: a signal that is repeated then would be what
    # the process is said to have ended of.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - there are machines without it, and asyncio's own loop works
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _live(name: str, settings: S, start: Start[S], telemetry: Telemetry) -> int:
    service = Service(name, telemetry)
    loop = asyncio.get_running_loop()
    # Explicitly: a background job of a shell starts with SIGINT ignored.
    for number in _SIGNALS:
        loop.add_signal_handler(number, service.stop)
    try:
        status = await _work(service, settings, start)
    finally:
        drained = await _drain(service)
    return status if drained else EXIT_FAILED


async def _work(service: Service, settings: S, start: Start[S]) -> int:
    if not await _start(service, settings, start):
        return EXIT_FAILED
    if not service.stopping:
        _settle_memory()
        _log.info("%s is ready", service.name)
    await service.until_stopped()
    return EXIT_OK if service.failure is None else EXIT_FAILED


def _settle_memory() -> None:
    """What the start made stays until the end: the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*limits.GC_THRESHOLDS)


async def _start(service: Service, settings: S, start: Start[S]) -> bool:
    """False where it failed. A stop during the start cancels it and is no failure."""
    starting = asyncio.ensure_future(_open(service, settings, start))
    stopped = asyncio.create_task(service.until_stopped())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return True
    error = starting.exception()
    if isinstance(error, MainspringError | OSError):
        _log.error("%s cannot start: %s", service.name, error)
    elif error is not None:
        _log.error("%s cannot start", service.name, exc_info=error)
    return error is None


async def _open(service: Service, settings: S, start: Start[S]) -> None:
    await watching.open_metrics(service, settings)
    await start(settings, service)


async def _drain(service: Service) -> bool:
    """Closes everything in order; False where that failed or took too long."""
    _log.info("%s drains", service.name)
    try:
        async with asyncio.timeout(limits.DRAIN_S):
            await service.close()
    except TimeoutError:
        _log.error("%s did not drain within %.0f s", service.name, limits.DRAIN_S)
        return False
    except Exception:  # noqa: BLE001 - whatever fails while closing, the process must still end
        _log.exception("%s did not close cleanly", service.name)
        return False
    else:
        _log.info("%s stopped", service.name)
        return True
    finally:
        await _cancel_leftovers()


async def _cancel_leftovers() -> None:
    leftovers = asyncio.all_tasks() - {asyncio.current_task()}
    for task in leftovers:
        task.cancel()
    if leftovers:
        with suppress(TimeoutError):
            async with asyncio.timeout(_UNWIND_S):
                await asyncio.wait(leftovers)
