"""What a go is made of: its engine, and the code it runs."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from mainspring.values import Shape
from mainspring_schema.workflows import StepRecord, Wait


class Engine(Protocol):
    """What a go asks of its engine."""

    def checkpoint(self, steps: tuple[StepRecord, ...], waits: tuple[Wait, ...]) -> Awaitable[None]:
        """Over once they are committed. Raises where the attempt holds its task no more."""
        ...

    async def recorded(self, places: tuple[str, ...]) -> dict[str, StepRecord]:
        """What is recorded by now, at these places at least."""
        ...


class Code(Protocol):
    """A workflow as a go runs it."""

    pipelined: bool
    compensates: bool

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> Shape[object]: ...

    @property
    def function(self) -> Callable[..., Coroutine[object, object, object]]: ...


class Working:
    """A step at work: the go does not stand still."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._count(1)

    def __exit__(self, *_: object) -> None:
        self._count(-1)
