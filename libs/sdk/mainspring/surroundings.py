"""What a go is made of: its engine, the code it runs, and the branches of it that wait."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sized
from typing import Final, Protocol

import msgspec

from mainspring.values import Shape
from mainspring_kernel.limits import FRAME_BYTES_TARGET, WORKFLOW_WAITS_MAX
from mainspring_schema.workflows import StepRecord, Wait

_SOON: Final = frozenset({"signal", "detached"})


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

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> Shape[object]: ...

    @property
    def function(self) -> Callable[..., Coroutine[object, object, object]]: ...


class Open:
    """A branch that waits."""

    def __init__(self, wait: Wait, came: "asyncio.Future[StepRecord]") -> None:
        self.wait = wait
        self.came = came
        self.armed = False
        """The engine was told of it."""

    @property
    def soon(self) -> bool:
        """Whether the engine may find its result with the commit that tells it of this.

        Then the worker is not given back. A child is none of these: told at once it is over 4 ms
        sooner, but 40 parents at once had a third fewer, for most of them need one commit more.
        """
        return not self.armed and self.wait.kind in _SOON

    def told(self, found: int) -> Wait:
        """As the engine is told of it by a worker that knows of so many finds.

        The second time without a child's input: it has that, and many of them fill a frame.
        """
        child = self.wait.child
        if self.armed and child is not None:
            child = msgspec.structs.replace(child, input=b"null")
        return msgspec.structs.replace(self.wait, armed=self.armed, seen=found, child=child)


def check_room(waiting: Sized) -> None:
    """Raises ValueError where as many branches wait as an engine keeps."""
    if len(waiting) >= WORKFLOW_WAITS_MAX:
        message = f"a workflow waits for {WORKFLOW_WAITS_MAX} things at once, and not for more"
        raise ValueError(message)


def fit_a_frame(opened: Iterable[Open]) -> bool:
    """Whether the result that says that the workflow rests has room to tell them."""
    return sum(size_of(one.wait) for one in opened) <= FRAME_BYTES_TARGET


def size_of(wait: Wait) -> int:
    """About how many bytes it takes to tell a wait."""
    return 0 if wait.child is None else len(wait.child.input)


class Working:
    """A step at work: the go does not stand still."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._count(1)

    def __exit__(self, *_: object) -> None:
        self._count(-1)
