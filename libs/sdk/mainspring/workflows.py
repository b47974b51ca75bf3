"""`@workflow`: of plain code, or of a function that declares its steps once."""

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Literal, ParamSpec, TypeVar, cast, overload

from mainspring.declaring import draw
from mainspring.definitions import Workflow
from mainspring.errors import NotInWorkflow
from mainspring.values import Shape

P = ParamSpec("P")
T = TypeVar("T")


@overload
def workflow(function: Callable[P, Coroutine[object, object, T]], /) -> Workflow[P, T]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    driver: Literal["code"] = "code",
    pipelined: bool = False,
    compensates: bool = False,
) -> Callable[[Callable[P, Coroutine[object, object, T]]], Workflow[P, T]]: ...
@overload
def workflow(
    *, name: str | None = None, driver: Literal["machine"]
) -> Callable[[Callable[P, T]], Workflow[P, T]]: ...
def workflow(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    driver: Literal["code", "machine"] = "code",
    pipelined: bool = False,
    compensates: bool = False,
) -> object:
    """Makes an async function a workflow: it goes on after any crash, and ends exactly once.

    Its code runs again from the start after each wait or crash, and gets what is recorded instead
    of calling a finished step again. So between steps it must do the same every time: time, chance
    and the outside world belong into steps. It awaits steps, `sleep`, `wait_for_signal`, and groups
    of them.

    `pipelined` does not wait for a step to be recorded before the next one begins: faster, and a
    crash may repeat more than one step.

    With `compensates` a cancel raises `asyncio.CancelledError` where the code waits, once it has
    begun: what it then does counts, also steps, and the workflow ends as `cancelled` when it raises
    that again. `Handle.cancel(force=True)` ends it where it stands, as any cancel does without.

    With `driver="machine"` the plain function only declares the steps (`do`, `parallel`), once; the
    engine runs them, each as a task for any worker, with no code of the workflow in between.
    """

    def decorate(it: Callable[..., object]) -> Workflow[..., object]:
        if driver == "machine":
            if pipelined or compensates:
                message = f"{it.__name__}: pipelined and compensates are of code: this declares"
                raise TypeError(message)
            return _declared(it, name)
        code = cast("Callable[..., Coroutine[object, object, object]]", it)
        return Workflow(code, name=name, pipelined=pipelined, compensates=compensates)

    return decorate if function is None else decorate(function)


def _declared(function: Callable[..., object], name: str | None) -> Workflow[..., object]:
    if inspect.iscoroutinefunction(function):
        message = f"{function.__name__}: what only declares steps is a plain function"
        raise TypeError(message)

    @wraps(function)
    async def nothing(*_args: object, **_kwargs: object) -> object:
        message = f"{function.__name__} is declared: a client starts it, and the engine runs it"
        raise NotInWorkflow(message)

    return Workflow(
        nothing, name=name, pipelined=False, shape=Shape(function), drawn=draw(function)
    )
