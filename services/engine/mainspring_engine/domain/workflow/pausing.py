"""Steps of a declared workflow that are not tasks: times, signals, children. Pure."""

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from mainspring_engine.domain.workflow import children, grounds, waiting
from mainspring_engine.domain.workflow.charts import Chart, Unfit
from mainspring_engine.domain.workflow.going import Going
from mainspring_engine.domain.workflow.state import Course
from mainspring_schema.declarations import DeclaredStep
from mainspring_schema.workflows import ChildStart, Wait


class TooDeep(Unfit):
    """A child would stand below too many others."""

    code: ClassVar[str] = children.TOO_DEEP.code


def is_for(step: DeclaredStep, signal: str) -> bool:
    """Whether it waits for such a signal."""
    return step.wait is not None and step.wait.kind == "signal" and step.step == signal


def check_depth(going: Going, step: DeclaredStep) -> None:
    """Raises TooDeep."""
    if step.wait is not None and step.wait.starts and children.is_too_deep(going):
        raise TooDeep(children.TOO_DEEP.message)


def has_come(going: Going, chart: Chart, begun: grounds.Next) -> bool:
    """Whether a step that may begin has nothing to wait for; it is recorded then.

    So a signal is taken that lies there already, and a detached child is started.
    """
    wait = _wait_of(going, chart, begun)
    if wait is None or wait.kind not in ("signal", "detached"):
        return False
    if wait.child is not None:
        return waiting.start(going, wait, wait.child)
    return waiting.came(going, wait)


def arm(going: Going, chart: Chart, course: Course, begun: Iterable[grounds.Next]) -> Course:
    """Those of the steps that wait are waited for from now on; children are started."""
    fresh = tuple(wait for one in begun if (wait := _wait_of(going, chart, one)) is not None)
    if not fresh:
        return course
    for wait in fresh:
        if wait.child is None:
            waiting.add(going, wait)
        else:
            waiting.start(going, wait, wait.child)
    going.emit("workflow.waiting", {"waits": waiting.names(fresh)})
    return msgspec.structs.replace(
        course, waits=(*course.waits, *(int(wait.step) for wait in fresh))
    )


def over(course: Course, number: int) -> Course:
    """The step has finished."""
    done = course.finished | 1 << (number - 1)
    return msgspec.structs.replace(
        course,
        done=grounds.bits(done),
        waits=tuple(n for n in course.waits if n != number),
    )


def _wait_of(going: Going, chart: Chart, begun: grounds.Next) -> Wait | None:
    step = chart.step(begun.number)
    wait = step.wait
    if wait is None:
        return None
    child = None
    if wait.starts:
        child = ChildStart(
            type=step.step,
            input=begun.input,
            queue=step.queue or going.state.queue,
            keys=step.keys,
            circuit=step.circuit,
            start_within_ms=wait.start_within_ms,
        )
    return Wait(
        step=str(begun.number),
        name=step.step,
        kind=wait.kind,
        delay_ms=wait.delay_ms,
        child=child,
    )
