"""Queries: what a workflow's code answers of itself, without being moved by it.

A worker replays what is recorded, as far as it goes, and calls the handler over the code's own
variables. So an answer is of what is recorded, also while the workflow waits, is at work elsewhere,
or has ended.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import TypeVar, overload

from mainspring.definitions import Workflow
from mainspring.errors import NotInWorkflow
from mainspring.going import Go
from mainspring.recording import current_recording
from mainspring.saying import readable, said
from mainspring.values import Shape, encode
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.tasks import QueryResult
from mainspring_schema.workflows import Flaw, Mismatch, StepRecord, Wait
from mainspring_workstream.exits import Exited

H = TypeVar("H", bound=Callable[..., object])


@overload
def on_query(handler: H, /, *, name: str = "") -> H: ...
@overload
def on_query(*, name: str) -> Callable[[H], H]: ...
def on_query(handler: Callable[..., object] | None = None, /, *, name: str = "") -> object:
    """Has a plain function in a workflow's code answer the queries of its name.

    `Handle.query(name, …)` calls it. It sees the variables around it as they are where the code
    stands; it must change nothing. The same name again takes the place of the function before.
    Raises TypeError for an async function, NotInWorkflow elsewhere than in a workflow's code.
    """

    def register(function: H) -> H:
        if inspect.iscoroutinefunction(function):
            message = f"{function.__name__}: a query is answered by a plain function"
            raise TypeError(message)
        go = current_recording()
        if go is None:
            message = "on_query() is for the code of a workflow, outside of its steps"
            raise NotInWorkflow(message)
        go.answering(name or function.__name__, function)
        return function

    return register if handler is None else register(handler)


# ── within the worker ───────────────────────────────────────────────────────────────────────────


class Nobody:
    """The engine of a replay: nothing new is ever asked of it."""

    async def checkpoint(self, steps: tuple[StepRecord, ...], waits: tuple[Wait, ...]) -> None:
        """Never called."""
        message = f"a replay records nothing, not {steps} and {waits}"
        raise AssertionError(message)

    async def recorded(self, places: tuple[str, ...]) -> dict[str, StepRecord]:
        """Never called: what is known is all there is."""
        message = f"a replay asks for nothing, not for {places}"
        raise AssertionError(message)


async def answer(
    workflow: "Workflow[..., object]",
    recorded: dict[str, StepRecord],
    name: str,
    arguments: bytes,
) -> QueryResult:
    """Replays the workflow, and has its handler answer."""
    found: list[QueryResult] = []

    def ask() -> None:
        found.append(_ask(go.handlers, name, arguments))

    go = Go(workflow, recorded, Nobody(), draws=SeededDraws(0), replay_only=True, at_rest=ask)
    result = await go.run()
    if result.mismatch is not None:
        return _refused("version_conflict", _told(result.mismatch))
    if not found:
        return _refused("invalid_input", "the workflow's input does not fit the code")
    return found[0]


def _ask(handlers: dict[str, Callable[..., object]], name: str, arguments: bytes) -> QueryResult:
    handler = handlers.get(name)
    if handler is None:
        return _refused("unknown_query", f"{name}; the code answers {_listed(sorted(handlers))}")
    try:
        args, kwargs = Shape(handler).arguments(arguments)
        return QueryResult(result=encode(handler(*args, **kwargs)))
    except SystemExit as error:
        return _failed(Exited(error.code))
    except Exception as error:  # noqa: BLE001 - whatever the user's handler raises is told
        return _failed(error)


def _failed(error: Exception) -> QueryResult:
    return _refused("handler_failed", f"{type(error).__name__}: {said(error)}")


def _refused(code: str, message: str) -> QueryResult:
    return QueryResult(flaw=Flaw(code=code, message=readable(message)))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "no query where it stands"


def _told(mismatch: Mismatch) -> str:
    return f"step {mismatch.step}: {mismatch.recorded} is recorded, {mismatch.found} found"
