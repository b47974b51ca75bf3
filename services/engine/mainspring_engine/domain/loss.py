"""What becomes of a task whose attempt ended without a result. Pure; the store compares again."""

from mainspring_engine.domain.rows import Closing, OpenTask
from mainspring_kernel.limits import ATTEMPTS_UNCOUNTED_MAX, WORKER_DEATHS_MAX


def needs_lane(task: OpenTask, *, acknowledged: bool) -> bool:
    """Whether losing this attempt writes events: then it goes through the commit lane.

    A started effect must not begin again, a cancelling turn may be waiting for it, and the last
    allowed loss quarantines the task.
    """
    if task.cancelling or (task.effect.needs_start and task.started):
        return True
    if acknowledged:
        return task.deaths + 1 >= WORKER_DEATHS_MAX
    return task.uncounted + 1 >= ATTEMPTS_UNCOUNTED_MAX


def closing_of(*, acknowledged: bool) -> Closing:
    """An attempt that its worker never acknowledged is no death."""
    return Closing.EXPIRED if acknowledged else Closing.UNDELIVERED
