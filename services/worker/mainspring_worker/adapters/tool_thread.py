"""Runs tools beside the stream's loop, so that one that blocks never keeps the worker from beating.

Quick tools of ours (pure, not marked as heavy) run in place, for a hop between threads costs more
than they do. All others share one loop in a thread of its own; those that compute (`cpu_bound`) get
a thread each from a small pool.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from msgspec import structs

from mainspring_schema.events import StoredEvent
from mainspring_schema.messages import Json
from mainspring_worker.adapters.crossing import CrossingResources
from mainspring_worker.ports.tool import Tool, ToolContext, ToolOutcome, unseen
from mainspring_workstream.exits import contained
from mainspring_workstream.showing import Channel

_LOG: Final = logging.getLogger(__name__)
T = TypeVar("T")
_POOL_THREADS: Final = 4
"""Computing tools share the process' cores with everything else."""
_STOP_S: Final = 2.0
"""How long a tool's thread may take to end; it is a daemon, so it cannot hold the process."""


class ToolThread:
    """Started by its first use; `close` ends it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    async def call(self, tool: Tool, arguments: Json, context: ToolContext) -> ToolOutcome:
        hints = tool.definition.hints
        if hints is not None and hints.cpu_bound:
            return await self._compute(tool, arguments, _crossing(context))
        long = hints is not None and (hints.long_running or hints.open_world)
        if tool.definition.effect_class == "pure" and not long:
            return await contained(tool.call(arguments, context))
        return await self.beside(tool.call(arguments, _crossing(context)))

    async def probe(self, tool: Tool, arguments: Json, context: ToolContext) -> ToolOutcome:
        return await self.beside(tool.probe(arguments, _crossing(context)))

    async def beside(self, work: Awaitable[T]) -> T:
        """Carries something out where the tools are."""
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(contained(work), self._tool_loop())
        )

    async def _compute(self, tool: Tool, arguments: Json, context: ToolContext) -> ToolOutcome:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_POOL_THREADS, thread_name_prefix="tool")
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: asyncio.run(contained(tool.call(arguments, context)))
        )

    def _tool_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_run_for_ever, args=(self._loop,), name="tools", daemon=True
            )
            self._thread.start()
        return self._loop

    def close(self) -> None:
        """Ends the threads; a tool that blocks is left behind. Safe twice."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        if self._loop is None or self._thread is None:
            return
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        ended = asyncio.run_coroutine_threadsafe(_end_calls(), loop)
        with suppress(TimeoutError):
            ended.result(_STOP_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_S)
        if not thread.is_alive():
            loop.close()


async def _end_calls() -> None:
    calls = asyncio.all_tasks() - {asyncio.current_task()}
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


def _run_for_ever(loop: asyncio.AbstractEventLoop) -> None:
    """Until it is stopped: a task that a tool left behind may want to end all of it."""
    while True:
        try:
            loop.run_forever()
        except SystemExit:
            _LOG.warning("a task of a tool called sys.exit")
        else:
            return


def _crossing(context: ToolContext) -> ToolContext:
    """The same context for code on another loop: what it asks for comes back to this one."""
    home = asyncio.get_running_loop()

    async def tell(message: str) -> None:
        await context.progress(message)

    async def progress(message: str) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(tell(message), home))

    def output(channel: Channel, text: str) -> None:
        with suppress(RuntimeError):  # the worker ends, and its loop is closed
            home.call_soon_threadsafe(context.output, channel, text)

    async def read(after: int) -> tuple[StoredEvent, ...]:
        return await context.history(after)

    async def history(after: int) -> tuple[StoredEvent, ...]:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(read(after), home))

    return structs.replace(
        context,
        progress=progress,
        output=context.output if context.output is unseen else output,
        history=history,
        resources=CrossingResources(context.resources, home),
    )
