"""Steps of a declared workflow that wait for a time or a signal, in place of a task. Pure."""

from collections.abc import Iterable

import msgspec

from mainspring_engine.domain.workflow import grounds, waiting
from mainspring_engine.domain.workflow.charts import Chart
from mainspring_engine.domain.workflow.going import Going
from mainspring_engine.domain.workflow.state import Course
from mainspring_schema.declarations import DeclaredStep
from mainspring_schema.workflows import Wait


def is_for(step: DeclaredStep, signal: str) -> bool:
    """Whether it waits for such a signal."""
    return step.wait is not None and step.wait.kind == "signal" and step.step == signal


def has_come(going: Going, chart: Chart, number: int) -> bool:
    """Whether a step that may begin has its signal already; it is taken then, and recorded."""
    wait = _wait_of(chart, number)
    return wait is not None and wait.kind == "signal" and waiting.came(going, wait)


def arm(going: Going, chart: Chart, course: Course, begun: Iterable[int]) -> Course:
    """Those of the steps that wait are waited for from now on."""
    fresh = tuple(wait for number in begun if (wait := _wait_of(chart, number)) is not None)
    if not fresh:
        return course
    for wait in fresh:
        waiting.add(going, wait)
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


def _wait_of(chart: Chart, number: int) -> Wait | None:
    step = chart.step(number)
    if step.wait is None:
        return None
    return Wait(step=str(number), name=step.step, kind=step.wait.kind, delay_ms=step.wait.delay_ms)
