"""The branches of a workflow's code that wait."""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec

from mainspring_kernel.limits import FRAME_BYTES_TARGET, WORKFLOW_WAITS_MAX
from mainspring_schema.workflows import StepRecord, Wait

_SOON: Final = frozenset({"signal", "detached"})


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


class Branches(dict[str, Open]):
    """By their places. What hears of a cancel waits as well, and is no reason to rest."""

    _hearing = ""

    @property
    def waits(self) -> bool:
        """Whether the code waits for anything."""
        return len(self) > (self._hearing in self)

    @property
    def full(self) -> bool:
        """Whether as many wait as an engine keeps."""
        return len(self) >= WORKFLOW_WAITS_MAX

    def begin(self, wait: Wait) -> Open:
        assert not self.full, "who waits has asked for room"  # noqa: S101 - else an engine refuses
        if wait.is_of_cancel:
            self._hearing = wait.step
        self[wait.step] = opened = Open(wait, asyncio.get_running_loop().create_future())
        return opened

    def told(self, found: int) -> tuple[Wait, ...]:
        """All, for the result that says that the workflow rests."""
        return tuple(opened.told(found) for opened in self.values())

    def fresh(self) -> list[Open]:
        """Those that the engine was not told of."""
        return [opened for opened in self.values() if not opened.armed]

    def soon(self) -> list[Open]:
        return [opened for opened in self.values() if opened.soon]


def arm(opened: Iterable[Open], found: int) -> tuple[Wait, ...]:
    """As the engine is told of them by a worker that knows of so many finds."""
    branches = tuple(opened)
    waits = tuple(one.told(found) for one in branches)
    for one in branches:
        one.armed = True
    return waits


def fit_a_frame(opened: Iterable[Open]) -> bool:
    """Whether the result that says that the workflow rests has room to tell them."""
    return sum(size_of(one.wait) for one in opened) <= FRAME_BYTES_TARGET


def size_of(wait: Wait) -> int:
    """About how many bytes it takes to tell a wait."""
    return 0 if wait.child is None else len(wait.child.input)
