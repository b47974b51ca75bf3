"""Where in a workflow's code a step stands: the same place in every replay.

Places count up in the order of calls. A branch that runs as a task of its own (`asyncio.gather`, a
task group) takes one place and counts within it, so what branches do at the same time has the same
places however they overtake each other.
"""

import asyncio
from contextvars import ContextVar, Token
from typing import Generic, TypeVar

G = TypeVar("G")


class Scope(Generic[G]):
    """One branch of one go."""

    def __init__(
        self,
        go: G,
        prefix: str,
        owner: "asyncio.Task[object] | None",
        ended: "set[str] | None" = None,
    ) -> None:
        self.go = go
        self._prefix = prefix
        self._owner = owner
        self._count = 0
        self._ended: set[str] = set() if ended is None else ended
        """Branches of the whole go that came to their end, by what their places begin with."""

    def next_place(self) -> str:
        """Of a step that begins in this branch."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def here(self) -> "Scope[G]":
        """This branch, or the new one of a task that begins its first step."""
        task = asyncio.current_task()
        if task is self._owner:
            return self
        branch = Scope(self.go, f"{self.next_place()}/", task, self._ended)
        if task is not None:
            task.add_done_callback(branch._over)
        enter(branch)
        return branch

    def is_over(self, prefix: str) -> bool:
        """Whether there was such a branch, and it came to its end by itself."""
        return prefix in self._ended

    def _over(self, task: "asyncio.Task[object]") -> None:
        if not task.cancelled():
            self._ended.add(self._prefix)


_scope: ContextVar[Scope[object] | None] = ContextVar("mainspring_scope", default=None)


def current_scope() -> Scope[object] | None:
    """None outside of a workflow, and inside of a step: steps do not nest."""
    scope = _scope.get()
    return None if scope is None else scope.here()


def present_go() -> object:
    """Whose code runs here, without a place in it; None as `current_scope`."""
    scope = _scope.get()
    return None if scope is None else scope.go


class aside:  # noqa: N801 - it reads as what the block does
    """What the block makes, a task or a timer, is none of the code's. Steps begin so."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        self._before: Token[Scope[object] | None] | None = None

    def __enter__(self) -> None:
        self._before = _scope.set(None)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _scope.reset(self._before)


def enter(scope: Scope[G]) -> None:
    """For the present task and those it makes."""
    _scope.set(scope)  # pyright: ignore[reportArgumentType] -- whoever reads it checks what it is
