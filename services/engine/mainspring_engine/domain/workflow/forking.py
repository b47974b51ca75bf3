"""What a fork of a declared workflow takes over, and whether that fits what it runs on. Pure."""

from mainspring_engine.domain.changes import CopySteps
from mainspring_engine.domain.workflow import grounds
from mainspring_engine.domain.workflow.charts import Chart
from mainspring_engine.domain.workflow.filling import filled
from mainspring_engine.domain.workflow.going import Going
from mainspring_engine.domain.workflow.state import Course
from mainspring_kernel.errors import Conflict
from mainspring_schema.declarations import DeclaredStep
from mainspring_schema.workflows import Fork, Mismatch


def kept(course: Course, before: int | None) -> tuple[int, ...]:
    """The steps that have finished, and stand before that one."""
    end = course.finished.bit_length() + 1 if before is None else before
    return tuple(number for number in range(1, end) if course.finished >> (number - 1) & 1)


def copied(fork: Fork) -> CopySteps:
    """What the store is to copy, of a workflow of either kind."""
    places = tuple(map(str, fork.kept)) if fork.declaration else None
    return CopySteps(source_id=fork.source_id, bound=fork.bound, places=places)


def taken_over(going: Going, chart: Chart, course: Course, fork: Fork) -> Course:
    """The course as it begins. Raises Conflict, Unfit."""
    mismatch = first_mismatch(going, chart, fork)
    if mismatch is not None:
        detail = (
            f"it cannot go on with what is recorded: at step {mismatch.step} {mismatch.recorded} "
            f"is recorded, {mismatch.found} found; fork it from there"
        )
        raise Conflict(detail)
    done = sum(1 << (number - 1) for number in fork.kept)
    return Course(declaration=course.declaration, done=grounds.bits(done))


def first_mismatch(going: Going, chart: Chart, fork: Fork) -> Mismatch | None:
    """The first step that is kept and would be another one. Raises Unfit, Missing."""
    if fork.declaration == chart.hash:
        return None
    before = going.materials.chart(fork.declaration)
    was, is_now = grounds.values(going, before, None), grounds.values(going, chart, None)
    done = 0
    for number in fork.kept:
        recorded, step = before.step(number), chart.find(number)
        if step is None:
            found = "no step"
        elif named(step) != named(recorded):
            found = named(step)
        elif chart.ancestors(number) & ~done:
            found = f"{named(step)} after a step that is not kept"
        elif filled(recorded.arguments, was) != filled(step.arguments, is_now):
            found = "one with other arguments"
        else:
            done |= 1 << (number - 1)
            continue
        return Mismatch(step=str(number), recorded=named(recorded), found=found)
    return None


def named(step: DeclaredStep) -> str:
    """What tells it from another one, beside its arguments."""
    wait = step.wait
    if wait is None:
        return f"step {step.step}"
    told = f"{wait.kind} {step.step}"
    if wait.starts:
        told += f" on queue {step.queue}"
    return told if wait.delay_ms is None else f"{told} of {wait.delay_ms} ms"
