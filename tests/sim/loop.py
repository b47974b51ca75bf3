"""An event loop without clock, sockets or threads: time jumps to what is due next.

Everything runs on a host. A host that crashes runs nothing any more, not even `finally`; one that
freezes finds everything waiting when it thaws.
"""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from enum import Enum
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
ROUNDS_MAX: Final = 20_000
"""Of callbacks in one instant."""
Ts = TypeVarTuple("Ts")


class Spinning(Exception):
    """Somebody waits for time without letting it pass."""


class State(Enum):
    ALIVE = "alive"
    FROZEN = "frozen"
    DEAD = "dead"


class Host:
    """A crash domain. A restarted program is another host."""

    def __init__(self, loop: "SimLoop", name: str) -> None:
        self.name = name
        self.state = State.ALIVE
        self.tasks: list[asyncio.Task[Any]] = []
        """Kept, for a coroutine that is collected runs its `finally`."""
        self.crashed: list[Callable[[], None]] = []
        """What the network notices."""
        self._loop = loop
        self._parked: list[_Due] = []
        self._context = Context()
        self._context.run(_HOST.set, self)

    @property
    def up(self) -> bool:
        return self.state is not State.DEAD

    def context(self) -> Context:
        """What is called in it belongs to this host."""
        return self._context.copy()

    def spawn(self, work: Coroutine[Any, Any, T], name: str | None = None) -> "asyncio.Task[T]":
        return self._loop.create_task(work, name=name, context=self.context())

    def run(self, function: Callable[[], T]) -> T:
        """Calls it here at once."""
        return self.context().run(function)

    def crash(self) -> None:
        self.state = State.DEAD
        self._parked.clear()
        for tell in self.crashed:
            tell()

    def freeze(self) -> None:
        if self.state is State.ALIVE:
            self.state = State.FROZEN

    def thaw(self) -> None:
        if self.state is State.FROZEN:
            self.state = State.ALIVE
            parked, self._parked = self._parked, []
            for due in parked:
                self._loop.again(due)

    def meet(self, due: "_Due") -> bool:
        """Whether it may run now."""
        if self.state is State.FROZEN:
            self._parked.append(due)
        return self.state is State.ALIVE


_HOST: ContextVar[Host | None] = ContextVar("host", default=None)


def here() -> Host | None:
    """The host whose code runs."""
    return _HOST.get()


POISON: Final = "collapse"
"""A tool, and a step, that ends its worker each time."""


async def collapse() -> NoReturn:
    """The power fails here: whoever watches over the place starts it again."""
    host = here()
    assert host is not None
    host.crash()
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def _given(context: Context | None) -> Context:
    """An empty one is nobody's, and counts."""
    return copy_context() if context is None else context


class _Due(asyncio.TimerHandle):
    """A callback with its time; by its context it knows where it runs."""

    __slots__ = ("args", "callback", "context", "gone", "host", "order", "when_")

    def __init__(  # pyright: ignore[reportMissingSuperCall] -- see below
        self, when: float, order: int, callback: Callable[..., object], args: tuple[Any, ...],
        context: Context,
    ) -> None:  # fmt: skip
        # Not the base's: it wants a loop that it can count its cancelled timers in.
        self.when_, self.order, self.callback, self.args = when, order, callback, args
        self.context, self.gone = context, False
        self.host = context.get(_HOST)

    def cancel(self) -> None:
        self.gone = True
        self.args = ()

    def cancelled(self) -> bool:
        return self.gone

    def when(self) -> float:
        return self.when_

    def __lt__(self, other: object) -> bool:
        assert isinstance(other, _Due)
        return (self.when_, self.order) < (other.when_, other.order)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<due {self.when_} {self.callback}>"


class SimLoop(asyncio.AbstractEventLoop):
    """The least that tasks, futures and timeouts need. `problems` are what nobody caught."""

    def __init__(self) -> None:
        self.steps = 0
        self.problems: list[str] = []
        self._now = 0.0
        self._ready: deque[_Due] = deque()
        self._timers: list[_Due] = []
        self._order = itertools.count()

    # ── what asyncio asks for ───────────────────────────────────────────────────────────────────

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: object
    ) -> "asyncio.Task[Any]":
        context = _given(context)
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        host = context.get(_HOST)
        if host is not None:
            host.tasks.append(task)
        return task

    def call_soon(
        self, callback: "Callable[[Unpack[Ts]], object]", *args: "Unpack[Ts]",
        context: Context | None = None,
    ) -> _Due:  # fmt: skip
        due = _Due(self._now, 0, callback, args, _given(context))
        self._ready.append(due)
        return due

    def call_soon_threadsafe(
        self, callback: "Callable[[Unpack[Ts]], object]", *args: "Unpack[Ts]",
        context: Context | None = None,
    ) -> _Due:  # fmt: skip
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: "Callable[[Unpack[Ts]], object]", *args: "Unpack[Ts]",
        context: Context | None = None,
    ) -> _Due:  # fmt: skip
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: "Callable[[Unpack[Ts]], object]", *args: "Unpack[Ts]",
        context: Context | None = None,
    ) -> _Due:  # fmt: skip
        due = _Due(when, next(self._order), callback, args, _given(context))
        heapq.heappush(self._timers, due)
        return due

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.problems.append(f"{context.get('message')}: {context.get('exception')!r}")

    # ── time ────────────────────────────────────────────────────────────────────────────────────

    def again(self, due: _Due) -> None:
        """What was parked is ready."""
        self._ready.append(due)

    def run(self, until_s: float, done: Callable[[], bool]) -> bool:
        """Until `done`, or False at `until_s` of virtual time, or when nothing is left to do.

        Raises Spinning where something is always ready and time cannot go on.
        """
        asyncio._set_running_loop(self)
        rounds = 0
        try:
            while not done():
                if not self._ready:
                    rounds = 0
                    if not self._jump(until_s):
                        return False
                rounds += 1
                if rounds > ROUNDS_MAX:
                    raise Spinning(self._ready[0])
                for _ in range(len(self._ready)):
                    self._step(self._ready.popleft())
            return True
        finally:
            asyncio._set_running_loop(None)

    def _jump(self, until_s: float) -> bool:
        while self._timers and self._timers[0].gone:
            heapq.heappop(self._timers)
        if not self._timers or self._timers[0].when_ > until_s:
            return False
        self._now = max(self._now, self._timers[0].when_)
        while self._timers and self._timers[0].when_ <= self._now:
            due = heapq.heappop(self._timers)
            if not due.gone:
                self._ready.append(due)
        return True

    def _step(self, due: _Due) -> None:
        if due.gone or (due.host is not None and not due.host.meet(due)):
            return
        self.steps += 1
        due.context.run(due.callback, *due.args)
