"""What is a workflow and what a step, said where one is given for the other."""

from collections.abc import Sequence
from typing import TypeVar

from mainspring.definitions import Step, Workflow

T = TypeVar("T")


def check_workflow(given: object) -> None:
    """Raises TypeError."""
    if isinstance(given, Step):
        message = f"{given.name} is a step: submit it, or start its `task`"
        raise TypeError(message)
    if not isinstance(given, Workflow):
        message = f"{_named(given)} is no workflow: decorate it with @workflow"
        raise TypeError(message)


def check_step(given: object) -> None:
    """Raises TypeError."""
    if isinstance(given, Workflow):
        message = f"{given.name} is a workflow: start it"
        raise TypeError(message)
    if not isinstance(given, Step):
        message = f"{_named(given)} is no step: decorate it with @step"
        raise TypeError(message)


def check_offer(given: object) -> None:
    """Raises TypeError, also for an annotation that names what there is not."""
    if not isinstance(given, Step | Workflow):
        message = f"{_named(given)} is neither: decorate it with @workflow or @step"
        raise TypeError(message)
    given.shape.check()


def check_some(offers: Sequence[T], tools: Sequence[object]) -> Sequence[T]:
    """The offers. Raises ValueError where there is nothing at all."""
    if not offers and not tools:
        message = "a worker offers workflows, steps or tools, and this one has none"
        raise ValueError(message)
    return offers


def _named(given: object) -> str:
    return str(getattr(given, "__qualname__", repr(given)))
