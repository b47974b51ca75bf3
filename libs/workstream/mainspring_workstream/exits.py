"""What code that a worker was given raises to end more than itself ends that call alone.

`sys.exit` would end the loop, with all the worker has; no future can carry a StopIteration, so that
whoever waits would do so for ever; and what is no Exception nobody expects.
"""

import asyncio
from collections.abc import Awaitable, Callable
from traceback import format_exception_only
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Exited(RuntimeError):
    """The code wanted its process to end."""

    def __init__(self, status: object) -> None:
        super().__init__(f"it called sys.exit({'' if status is None else repr(status)})")


class Escaped(RuntimeError):
    """The code raised what is no error to Python, but a signal between its parts."""

    @classmethod
    def made_of(cls, error: BaseException) -> "Escaped":
        """In words, for it may come from another process."""
        return cls(f"it raised {''.join(format_exception_only(error)).strip()}")


async def contained(work: Awaitable[T]) -> T:
    """Raises Exited, Escaped; and as it comes an Exception, a cancel, a KeyboardInterrupt."""
    try:
        return await work
    except SystemExit as error:
        raise Exited(error.code) from error
    except (Exception, asyncio.CancelledError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if is_closing(error):
            raise
        raise Escaped.made_of(error) from error


async def undisturbed(work: Awaitable[T]) -> T:
    """As `contained`, of a part of the code that only its task ends.

    A cancel that it raises by itself (of a task of its own, for instance) is Escaped too: taken for
    one of this task, it would end what nobody asked to end.
    """
    try:
        return await contained(work)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        message = "it raised CancelledError, and nobody had cancelled it"
        raise Escaped(message) from error


def carried(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Of plain code, where a future is to bring what it comes to. Raises Escaped."""
    try:
        return call(*args, **kwargs)
    except (StopIteration, GeneratorExit) as error:
        raise Escaped.made_of(error) from error


def is_closing(error: BaseException) -> bool:
    """Whether the coroutine that has just caught it is being closed.

    What it awaits is closed before it, so nothing below it raised the error.
    """
    trace = error.__traceback__
    return isinstance(error, GeneratorExit) and (trace is None or trace.tb_next is None)
