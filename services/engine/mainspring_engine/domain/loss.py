"""What becomes of a task whose attempt ended without a result. Pure; the store compares again."""

from typing import Final

from mainspring_engine.domain.limits import (
    ATTEMPTS_UNCOUNTED_MAX,
    LOSS_REST_MS,
    LOSS_REST_MS_MAX,
    LOSSES_AT_ONCE,
    WORKER_DEATHS_MAX,
)
from mainspring_engine.domain.rows import Closing, Effect, OpenTask
from mainspring_schema.workflows import Flaw

POISON: Final = "poison"
"""Why a task is set aside that ends its workers."""
NO_PROGRESS: Final = "no_progress"
"""Why one is that no worker keeps, or that goes round and round: by itself nothing would change."""
LOSS_RESTS_MS: Final = tuple(
    0 if before < LOSSES_AT_ONCE
    else min(LOSS_REST_MS_MAX, LOSS_REST_MS << (before - LOSSES_AT_ONCE))
    for before in range(ATTEMPTS_UNCOUNTED_MAX - 1)
)  # fmt: skip
"""How long a task rests behind an attempt that ended as no death, by how many such it had before.

A worker that cannot read it gives it back at once, and another one, which could, has to be found.
Behind the last of them it is not given out any more: its lease runs out, and that decides.
"""


def needs_lane(task: OpenTask, *, acknowledged: bool) -> bool:
    """Whether losing this attempt writes events: then it goes through the commit lane.

    A started effect must not begin again, a cancelling turn may be waiting for it, and the last
    allowed loss quarantines the task.
    """
    if task.cancelling or (task.effect.needs_start and task.started):
        return True
    return _is_last(task, acknowledged=acknowledged)


def may_be_asked(task: OpenTask, *, acknowledged: bool) -> bool:
    """Whether another attempt may ask a probe what the effect came to that this one started."""
    if task.effect is not Effect.VERIFIABLE or not task.started:
        return False
    return not _is_last(task, acknowledged=acknowledged)


def why_set_aside(task: OpenTask) -> Flaw:
    """For the dead letter and the user, of a task whose last allowed attempt is lost."""
    if task.deaths + 1 < WORKER_DEATHS_MAX and task.uncounted + 1 >= ATTEMPTS_UNCOUNTED_MAX:
        message = f"the task was given out {task.uncounted + 1} times and no worker kept it"
        return Flaw(code=NO_PROGRESS, message=message)
    return Flaw(code=POISON, message=f"the task lost its worker {task.deaths + 1} times")


def closing_of(*, acknowledged: bool) -> Closing:
    """An attempt that nobody acknowledged, neither its worker nor its stream, is no death."""
    return Closing.EXPIRED if acknowledged else Closing.UNDELIVERED


def _is_last(task: OpenTask, *, acknowledged: bool) -> bool:
    """Whether it may not be given out again after this loss."""
    if acknowledged:
        return task.deaths + 1 >= WORKER_DEATHS_MAX
    return task.uncounted + 1 >= ATTEMPTS_UNCOUNTED_MAX
