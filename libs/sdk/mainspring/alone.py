"""Whether a workflow's code is one task: then one thing at a time can come to it.

The loop's task factory tells. Code may have timers and callbacks beside its task, but what it
awaits of a workflow it awaits in a task.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import TypeVar, cast

from mainspring.place import present_go
from mainspring.recording import Recording

T = TypeVar("T")
Work = Coroutine[object, object, T] | Generator[object, None, T]


class _Telling:
    """Makes tasks as the factory before would, and tells each go whose code makes one."""

    def __init__(self, before: Callable[..., object] | None) -> None:
        self._before = before
        self._task = cast("Callable[..., object]", asyncio.Task)

    def __call__(
        self, loop: asyncio.AbstractEventLoop, work: Work[T], /, **options: object
    ) -> "asyncio.Future[T]":
        """`options` are what this version of Python gives its factories."""
        go = present_go()
        if isinstance(go, Recording):
            go.branches()
        if self._before is not None:
            made = self._before(loop, work, **options)
        else:
            made = self._task(work, loop=loop, **options)
        return cast("asyncio.Future[T]", made)


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """From now on the goes on this loop are told. Its own factory still makes the tasks."""
    if not is_watched(loop):
        loop.set_task_factory(_Telling(loop.get_task_factory()))


def is_watched(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether they are: somebody may have set another factory meanwhile."""
    return isinstance(loop.get_task_factory(), _Telling)
