"""The threads in which plain functions of steps and tools run."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar

from mainspring_workstream.exits import carried

P = ParamSpec("P")
T = TypeVar("T")
THREADS_MAX: Final = 256
"""Of one process, made as they are needed: most wait for somebody's answer. asyncio's own are six
on two cores, so that a worker's hundred slots would wait for each other, beyond their timeouts."""
_THREADS: Final = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="mainspring-step")


def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
    """As `asyncio.to_thread`, in threads of our own. What no future carries is Escaped."""
    call = partial(copy_context().run, partial(carried, function, *args, **kwargs))
    return asyncio.get_running_loop().run_in_executor(_THREADS, call)
