"""An event loop without clock, sockets or threads: time jumps to what is due next.

Everything runs on a host. A host that crashes runs nothing any more, not even `finally`; one that
freezes finds everything waiting when it thaws.
"""
# What stands for every port has no type; and no handle is asyncio's own (`_Due`).
# pyright: reportExplicitAny=false, reportAny=false, reportIncompatibleMethodOverride=false

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from enum import Enum
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, Unpack

import msgspec

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


class _Due(msgspec.Struct, eq=False):
    """A callback with its time, and where it runs; a struct is made in a third of a class's time.

    It stands for asyncio's handles and is none: those count their cancelled timers in a loop.
    """

    when_: float
    callback: Callable[..., object]
    args: tuple[Any, ...]
    context: Context
    host: Host | None
    gone: bool = False

    def cancel(self) -> None:
        self.gone = True
        self.args = ()

    def cancelled(self) -> bool:
        return self.gone

    def when(self) -> float:
        return self.when_

    def __repr__(self) -> str:
        return f"<due {self.when_} {self.callback}>"


class Pause:
    """A future that a task awaits: the task itself is what comes due, and goes on in one step."""

    __slots__ = ("_asyncio_future_blocking", "_due", "_loop", "_when")

    def __init__(self, loop: "SimLoop", when: float) -> None:
        self._asyncio_future_blocking = False
        self._due: _Due | None = None
        self._loop, self._when = loop, when

    def __await__(self) -> Generator[Any]:
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self) -> "SimLoop":
        return self._loop

    def add_done_callback(self, wake: Callable[..., object], *, context: Context) -> None:
        self._due = self._loop.call_at(self._when, wake, self, context=context)

    def cancel(self, msg: object = None) -> bool:
        """Of the task: it goes on at once, and hears of it in `result`."""
        del msg
        due = self._due
        if due is None or due.gone:
            return False
        wake, due.gone = due.callback, True
        self._loop.call_soon(wake, self, context=due.context)
        return True

    def result(self) -> None:
        if self._due is not None and self._due.gone:
            raise asyncio.CancelledError


class SimLoop(asyncio.AbstractEventLoop):
    """The least that tasks, futures and timeouts need. `problems` are what nobody caught."""

    def __init__(self) -> None:
        self.steps = 0
        self.problems: list[str] = []
        self._now = 0.0
        self._made: Callable[..., Any] | None = None
        self._ready: deque[_Due] = deque()
        self._timers: list[tuple[float, int, _Due]] = []
        """The order decides between two of one instant, and no callback is ever compared."""
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
        if context is None:  # an empty one is nobody's, and counts
            context = copy_context()
        task: asyncio.Task[Any]
        if self._made is None:
            task = asyncio.Task(coro, loop=self, name=name, context=context)
        else:
            task = self._made(self, coro, name=name, context=context)
        host = context.get(_HOST)
        if host is not None:
            host.tasks.append(task)
        return task

    def set_task_factory(self, factory: Callable[..., Any] | None) -> None:
        self._made = factory

    def get_task_factory(self) -> Callable[..., Any] | None:
        return self._made

    def call_soon(
        self, callback: "Callable[[Unpack[Ts]], object]", *args: "Unpack[Ts]",
        context: Context | None = None,
    ) -> _Due:  # fmt: skip
        if context is None:
            context = copy_context()
        due = _Due(self._now, callback, args, context, context.get(_HOST))
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
        if context is None:
            context = copy_context()
        due = _Due(when, callback, args, context, context.get(_HOST))
        heapq.heappush(self._timers, (when, next(self._order), due))
        return due

    def pause(self, seconds: float) -> "Pause":
        """What to await at once instead of `asyncio.sleep`, at a fifth of its cost."""
        return Pause(self, self._now + seconds)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.problems.append(f"{context.get('message')}: {context.get('exception')!r}")

    # ── time ────────────────────────────────────────────────────────────────────────────────────

    def again(self, due: _Due) -> None:
        """What was parked is ready."""
        self._ready.append(due)

    def run(self, until_s: float, done: Callable[[], bool] | None = None) -> bool:
        """Until `done`, or False at `until_s` of virtual time, or when nothing is left to do.

        Raises Spinning where something is always ready and time cannot go on.
        """
        asyncio._set_running_loop(self)
        ready, rounds, alive = self._ready, 0, State.ALIVE
        try:
            while done is None or not done():
                if not ready:
                    rounds = 0
                    if not self._jump(until_s):
                        return False
                rounds += 1
                if rounds > ROUNDS_MAX:
                    raise Spinning(ready[0])
                steps = 0
                for _ in range(len(ready)):
                    due = ready.popleft()
                    host = due.host
                    if due.gone:
                        continue
                    if host is not None and host.state is not alive and not host.meet(due):
                        continue
                    steps += 1
                    due.context.run(due.callback, *due.args)
                self.steps += steps
            return True
        finally:
            asyncio._set_running_loop(None)

    def _jump(self, until_s: float) -> bool:
        timers = self._timers
        while timers and timers[0][2].gone:
            heapq.heappop(timers)
        if not timers or timers[0][0] > until_s:
            return False
        self._now = now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= now:
            due = heapq.heappop(timers)[2]
            if not due.gone:
                self._ready.append(due)
        return True
