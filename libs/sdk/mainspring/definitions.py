"""`@step`, and what workflows and steps are: plain functions with a name that lasts."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from functools import update_wrapper
from importlib import import_module
from typing import Generic, ParamSpec, TypeVar, cast, overload

import msgspec
from msgspec import Struct

from mainspring.children import child
from mainspring.computing import Process, Processes
from mainspring.deadlines import too_late
from mainspring.declaring import Drawn
from mainspring.errors import StepFailed, WaitTimedOut
from mainspring.heartbeats import alive
from mainspring.options import bound_s, queue_named, texts
from mainspring.recording import current_recording
from mainspring.retries import Retry
from mainspring.telling import held_by_nothing
from mainspring.threads import in_thread
from mainspring.values import Shape, check_keys, check_step_name, encode
from mainspring_workstream.exits import carried

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Options(Struct, frozen=True, kw_only=True):
    """How a task is submitted, or a workflow started; the latter has no priority."""

    keys: tuple[str, ...] = ()
    circuit: str | None = None
    priority: int = 0
    build: str | None = None
    start_within_s: float | None = None
    close_within_s: float | None = None


class Step(Generic[P, T_co]):
    """A function whose result is recorded. Outside of a workflow it is just called.

    `task` is the step as a workflow of its own, for any worker that offers the step: a client may
    start it, and a workflow whose step names a queue does.
    """

    def __init__(  # noqa: PLR0913 - one named option each
        self,
        function: Callable[P, Awaitable[T_co] | T_co],
        *,
        name: str | None,
        retry: Retry,
        timeout_s: float | None,
        heartbeat_s: float | None,
        start_within_s: float | None = None,
        close_within_s: float | None = None,
        cpu_bound: bool,
        queue: str | None,
        keys: tuple[str, ...] = (),
        circuit: str | None = None,
    ) -> None:
        check_function(function)
        self.function = function
        self.name = check_step_name(name or function.__name__)
        self.queue = queue
        self.keys = keys
        self.circuit = circuit
        self.retry = retry
        self.timeout_s, self.heartbeat_s = timeout_s, heartbeat_s
        self.start_within_s, self.close_within_s = start_within_s, close_within_s
        self.cpu_bound = cpu_bound
        self._is_async = inspect.iscoroutinefunction(function)
        self.shape: Shape[T_co] = Shape(function)
        update_wrapper(self, function, updated=())
        self.__name__, self.__wrapped__ = function.__name__, function  # for type checkers
        check_keys(keys, circuit, self.shape.parameters)
        self._bare = queue is None and bool(keys or circuit or start_within_s)
        """Whether options of tasks are still to be told of as void within a workflow."""
        self._fixed = None if _keyed_by_arguments(keys) else self._options(keys)
        if cpu_bound and self._is_async:
            message = f"{self.name}: what computes in a process of its own is a plain function"
            raise TypeError(message)
        self.task: Workflow[P, T_co] = Workflow(
            self._here, name=f"step:{self.name}", pipelined=False, shape=self.shape
        )

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """Raises StepFailed once it has failed for good."""
        if self.queue is not None and current_recording() is not None:
            return await self._as_task(self.queue, *args, **kwargs)
        return await self._here(*args, **kwargs)

    async def _as_task(self, queue: str, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """The engine keeps its time, so it ends although no worker ever comes."""
        asked = child(
            self.task,
            queue=queue,
            timeout_s=self.close_within_s,
            keys=self.keys_of(args, kwargs),
            circuit=self.circuit,
            start_within_s=self.start_within_s,
        )
        try:
            return await asked.run(*args, **kwargs)
        except WaitTimedOut as error:
            raise StepFailed(too_late(self.close_within_s)) from error

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> "Call[T_co]":
        """A call to be submitted with others. Raises TypeError for arguments that do not fit."""
        options = self._fixed or self._options(self.keys_of(args, kwargs))
        return Call(self, encode(self.shape.sent(args, kwargs)), options)

    def _options(self, keys: tuple[str, ...]) -> Options:
        return Options(keys=keys, circuit=self.circuit, start_within_s=self.start_within_s)

    def keys_of(self, args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[str, ...]:
        """Its keys, with the arguments that they name. Raises TypeError where those do not fit."""
        if self._fixed is not None:
            return self.keys
        named = self.shape.named(args, kwargs)
        return tuple(key.format_map(named) for key in self.keys)

    async def _here(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        go = current_recording()
        if go is None:
            return await self.call(args, kwargs, None)
        if self._bare:
            self._bare = False
            held_by_nothing(self.name)
        return await go.step(self, args, kwargs)

    async def call(
        self, args: tuple[object, ...], kwargs: dict[str, object], processes: Processes | None
    ) -> T_co:
        """One attempt: async code here, sync code in a thread, computing code in a process."""
        if self.cpu_bound and processes is not None:
            # While it waits for one nothing of it has begun, so its time has not either.
            async with processes.lent() as process:
                await process.ready(self.function.__module__)
                return await self._timed(args, kwargs, process)
        return await self._timed(args, kwargs, None)

    async def _timed(
        self, args: tuple[object, ...], kwargs: dict[str, object], process: Process | None
    ) -> T_co:
        if self.timeout_s is None and self.heartbeat_s is None:
            return await self._called(args, kwargs, process)
        bound = asyncio.timeout(self.timeout_s)
        try:
            async with bound, alive(self.heartbeat_s):
                return await self._called(args, kwargs, process)
        except TimeoutError as error:
            if self.timeout_s is None or not bound.expired():
                raise
            message = f"an attempt did not end within {self.timeout_s:g} s"
            raise TimeoutError(message) from error

    def _called(
        self, args: tuple[object, ...], kwargs: dict[str, object], process: Process | None
    ) -> Awaitable[T_co]:
        if self._is_async:
            return cast("Callable[..., Awaitable[T_co]]", self.function)(*args, **kwargs)
        plain = cast("Callable[..., T_co]", self.function)
        if process is not None:
            return process.compute(_Call(plain, args, kwargs))
        return in_thread(plain, *args, **kwargs)


def check_function(function: Callable[..., object]) -> None:
    """Raises TypeError for what no worker could call and be done with."""
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        message = f"{function.__qualname__}: a step returns once, and does not yield"
        raise TypeError(message)
    first = next(iter(inspect.signature(function).parameters), "")
    if first in ("self", "cls") and "." in function.__qualname__.rpartition("<locals>.")[2]:
        message = (
            f"{function.__qualname__}: a step is a function, not a method: nobody records self"
        )
        raise TypeError(message)


def _keyed_by_arguments(keys: tuple[str, ...]) -> bool:
    return any("{" in key for key in keys)


class Call(Generic[T_co]):
    """A step with its arguments, as a client submits it."""

    def __init__(self, step: "Step[..., T_co]", input_: bytes, options: Options) -> None:
        self.step = step
        self.input = input_
        self.options = options

    def with_options(self, given: Options) -> "Call[T_co]":
        """The same call: keys are added, everything else takes the place of what was."""
        options = msgspec.structs.replace(
            given,
            keys=tuple(dict.fromkeys((*self.options.keys, *given.keys))),
            circuit=given.circuit or self.options.circuit,
            start_within_s=given.start_within_s or self.options.start_within_s,
        )
        return Call(self.step, self.input, options)


class _Call(Generic[T]):
    """Picklable, as a lambda is not. The process imports the function by its name."""

    def __init__(
        self, function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        self._path = (function.__module__, function.__qualname__)
        self._args = args
        self._kwargs = kwargs

    def __call__(self) -> T:
        module, name = self._path
        found = cast("object", getattr(import_module(module), name))
        function = cast("Callable[..., T]", getattr(found, "__wrapped__", found))
        return carried(function, *self._args, **self._kwargs)


class Workflow(Generic[P, T_co]):
    """A durable program. Calling it runs the plain function; a client starts it.

    One that is declared has what it `drawn` came to in place of code.
    """

    def __init__(
        self,
        function: Callable[P, Coroutine[object, object, T_co]],
        *,
        name: str | None,
        pipelined: bool,
        compensates: bool = False,
        shape: Shape[T_co] | None = None,
        drawn: Drawn | None = None,
    ) -> None:
        if not inspect.iscoroutinefunction(function):
            message = f"{function.__name__}: a workflow is an async function"
            raise TypeError(message)
        self.function = function
        self.name = name or function.__name__
        self.pipelined = pipelined
        self.compensates = compensates
        self.drawn = drawn
        self.shape: Shape[T_co] = shape or Shape(function)
        update_wrapper(self, function, updated=())
        self.__name__, self.__wrapped__ = function.__name__, function  # for type checkers

    @property
    def declaration(self) -> msgspec.Raw | None:
        """As JSON; None where it is code."""
        return None if self.drawn is None else msgspec.Raw(self.drawn.declaration)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, object, T_co]:
        return self.function(*args, **kwargs)


_RETRY = Retry()


@overload
def step(function: Callable[P, Awaitable[T]], /) -> Step[P, T]: ...
@overload
def step(function: Callable[P, T], /) -> Step[P, T]: ...
@overload
def step(
    *,
    name: str | None = None,
    retry: Retry = ...,
    timeout_s: float | timedelta | None = None,
    heartbeat_s: float | timedelta | None = None,
    start_within_s: float | timedelta | None = None,
    close_within_s: float | timedelta | None = None,
    cpu_bound: bool = False,
    queue: str | None = None,
    keys: Sequence[str] = (),
    circuit: str | None = None,
) -> "_Decorator": ...
def step(  # noqa: PLR0913 - one named option each
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry = _RETRY,
    timeout_s: float | timedelta | None = None,
    heartbeat_s: float | timedelta | None = None,
    start_within_s: float | timedelta | None = None,
    close_within_s: float | timedelta | None = None,
    cpu_bound: bool = False,
    queue: str | None = None,
    keys: Sequence[str] = (),
    circuit: str | None = None,
) -> object:
    """Makes a function a step: its result is recorded once, and never computed again.

    Async functions run on the worker's loop, plain ones in a thread, `cpu_bound` ones in a process
    of a small pool. `name` (default: the function's) is what is recorded: renaming it later is a
    change of the workflow. `timeout_s` bounds one attempt, None does not; `heartbeat_s` bounds how
    long an attempt may go without calling `heartbeat`. `close_within_s` bounds all attempts and the
    waits between them, and of a task also its wait for a worker; one that no worker took within
    `start_within_s` fails. With a `queue` each call is a task of its own, done by any worker of it
    that offers the step. Tasks alone are under the limits of their `keys`
    ("customer:{customer_id}", with the argument of that name), and held back by their `circuit`
    while too many fail. Raises TypeError or ValueError for options that say nothing.
    """
    decorator = _Decorator(
        name=name,
        retry=retry,
        timeout_s=bound_s("timeout_s", timeout_s),
        heartbeat_s=bound_s("heartbeat_s", heartbeat_s),
        start_within_s=bound_s("start_within_s", start_within_s),
        close_within_s=bound_s("close_within_s", close_within_s),
        cpu_bound=cpu_bound,
        queue=queue_named(queue),
        keys=texts("keys", keys),
        circuit=circuit,
    )
    return decorator if function is None else decorator(function)


class _Decorator:
    def __init__(  # noqa: PLR0913 - one named option each
        self,
        *,
        name: str | None,
        retry: Retry,
        timeout_s: float | None,
        heartbeat_s: float | None,
        start_within_s: float | None,
        close_within_s: float | None,
        cpu_bound: bool,
        queue: str | None,
        keys: tuple[str, ...],
        circuit: str | None,
    ) -> None:
        self._keys = keys
        self._circuit = circuit
        self._start_within_s = start_within_s
        self._close_within_s = close_within_s
        self._name = name
        self._retry = retry
        self._timeout_s = timeout_s
        self._heartbeat_s = heartbeat_s
        self._cpu_bound = cpu_bound
        self._queue = queue

    @overload
    def __call__(self, function: Callable[P, Awaitable[T]], /) -> Step[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> Step[P, T]: ...
    def __call__(self, function: Callable[..., object], /) -> object:
        return Step(
            function,
            name=self._name,
            retry=self._retry,
            timeout_s=self._timeout_s,
            heartbeat_s=self._heartbeat_s,
            start_within_s=self._start_within_s,
            close_within_s=self._close_within_s,
            cpu_bound=self._cpu_bound,
            queue=self._queue,
            keys=self._keys,
            circuit=self._circuit,
        )
