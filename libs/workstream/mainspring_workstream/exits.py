"""`sys.exit` in code that a worker was given ends that call, and not the worker with all it has."""

from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Exited(RuntimeError):
    """The code wanted its process to end."""

    def __init__(self, status: object) -> None:
        super().__init__(f"it called sys.exit({'' if status is None else repr(status)})")


async def contained(work: Awaitable[T]) -> T:
    """Raises Exited; asyncio would let a SystemExit end the loop, whoever else is on it."""
    try:
        return await work
    except SystemExit as error:
        raise Exited(error.code) from error
