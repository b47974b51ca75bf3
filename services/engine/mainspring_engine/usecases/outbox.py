"""The queue to one worker: what is put meanwhile leaves in one frame. Putting never waits."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from mainspring_engine.domain.limits import OUTBOX_ITEMS_MAX
from mainspring_kernel.limits import FRAME_BYTES_TARGET, FRAME_TASKS_MAX
from mainspring_schema.frames import (
    Acknowledgement,
    Attached,
    Config,
    Held,
    History,
    Task,
    ToWorker,
)

T = TypeVar("T")


class FrameOutbox:
    """Collects the parts of the next frame.

    Above its bound it overflows: the stream is ended, and what the worker held comes back by its
    attach or its leases.
    """

    def __init__(self) -> None:
        self._attached: Attached | None = None
        self._tasks: list[Task] = []
        self._results: list[Acknowledgement] = []
        self._starts: list[Acknowledgement] = []
        self._emits: list[Acknowledgement] = []
        self._progress: list[Acknowledgement] = []
        self._lost: list[Held] = []
        self._cancelled: list[Held] = []
        self._renewed: list[Held] = []
        self._configs: list[Config] = []
        self._histories: deque[History] = deque()
        self._count = 0
        self._leaving = False
        self._drained = False
        self._closed = False
        self._wake = asyncio.Event()

    @property
    def overflowed(self) -> bool:
        return self._count > OUTBOX_ITEMS_MAX

    def attached(self, attached: Attached) -> None:
        self._attached = attached
        self._woken()

    def task(self, task: Task) -> None:
        self._tasks.append(task)
        self._woken()

    def result(self, acknowledgement: Acknowledgement) -> None:
        self._results.append(acknowledgement)
        self._woken()

    def start(self, acknowledgement: Acknowledgement) -> None:
        self._starts.append(acknowledgement)
        self._woken()

    def emit(self, acknowledgement: Acknowledgement) -> None:
        self._emits.append(acknowledgement)
        self._woken()

    def progress(self, acknowledgement: Acknowledgement) -> None:
        self._progress.append(acknowledgement)
        self._woken()

    def lost(self, held: Held) -> None:
        self._lost.append(held)
        self._woken()

    def cancelled(self, held: Held) -> None:
        self._cancelled.append(held)
        self._woken()

    def renewed(self, held: Held) -> None:
        self._renewed.append(held)
        self._woken()

    def heard(self) -> None:
        """An idle worker learns by any frame that its stream carries."""
        self._woken()

    def config(self, config: Config) -> None:
        self._configs.append(config)
        self._woken()

    def unwritten(self) -> frozenset[Held]:
        return frozenset(task.held for task in self._tasks)

    def history(self, history: History) -> None:
        self._histories.append(history)
        self._woken()

    def pages_unread(self) -> int:
        return len(self._histories)

    def drained(self) -> None:
        """Tells a worker that drains, behind all tasks that are for it, that it gets no more."""
        self._drained = True
        self._woken()

    def leave(self) -> None:
        """Tells the worker to attach elsewhere."""
        self._leaving = True
        self._woken()

    def close(self) -> None:
        """Ends the writer; what was not written is void."""
        self._closed = True
        self._wake.set()

    async def next_frame(self) -> ToWorker | None:
        """Waits for something to say. None once closed."""
        await self._wake.wait()
        if self._closed:
            return None
        frame = ToWorker(
            attached=self._attached,
            tasks=self._take_tasks(),
            results=tuple(self._results),
            starts=tuple(self._starts),
            emits=tuple(self._emits),
            progress=tuple(self._progress),
            lost=tuple(self._lost),
            cancelled=tuple(self._cancelled),
            configs=_take(self._configs, FRAME_TASKS_MAX, _weight_of),
            renewed=tuple(self._renewed),
            leaving=self._leaving,
            drained=self._drained and not self._tasks,
            # One page is as large as a frame should be.
            histories=(self._histories.popleft(),) if self._histories else (),
        )
        self._attached = None
        self._drained = self._drained and not frame.drained
        for part in (
            self._results,
            self._starts,
            self._emits,
            self._progress,
            self._lost,
            self._cancelled,
            self._renewed,
        ):
            part.clear()
        self._count = len(self._tasks) + len(self._configs) + len(self._histories)
        if not self._count:
            self._wake.clear()
        return frame

    def _take_tasks(self) -> tuple[Task, ...]:
        """As many as a frame should carry, so that beats are not stuck behind large payloads."""
        return _take(self._tasks, FRAME_TASKS_MAX, _size_of)

    def _woken(self) -> None:
        self._count += 1
        self._wake.set()


def _take(items: list[T], count_max: int, size_of: Callable[[T], int]) -> tuple[T, ...]:
    """The first ones that fit, one at least; they leave the list."""
    size = count = 0
    for item in items[:count_max]:
        size += size_of(item)
        if count and size > FRAME_BYTES_TARGET:
            break
        count += 1
    taken = tuple(items[:count])
    del items[:count]
    return taken


def _size_of(task: Task) -> int:
    """About how many bytes it takes: what strangers made, without its envelopes."""
    size = len(task.payload) + (0 if task.config is None else len(task.config.body))
    if task.tail:
        size += sum(len(event.payload) for event in task.tail)
    if task.recorded:
        size += sum(len(step.result) for step in task.recorded)
    if task.progress:
        size += sum(len(said.details) for said in task.progress)
    return size


def _weight_of(config: Config) -> int:
    return len(config.body)
