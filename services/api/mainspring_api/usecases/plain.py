"""What callers see of a plain task's end."""

from typing import Final

from mainspring_api.ports.control import Control
from mainspring_kernel.clock import Clock
from mainspring_kernel.plain_limits import PLAIN_RECHECK_S_MAX, PLAIN_RECHECK_S_MIN
from mainspring_schema.plain import GetPlainTask, PlainTaskView

_ENDED: Final = frozenset({"completed", "failed"})


async def ended(
    control: Control, clock: Clock, command: GetPlainTask, *, wait_s: float
) -> PlainTaskView:
    """The task once it has ended, or as it is after `wait_s`. Raises NotFound.

    A plain task has no events that could tell its end: it is looked at again, ever more seldom.
    """
    deadline = clock.mono() + wait_s
    pause_s = PLAIN_RECHECK_S_MIN
    while True:
        view = await control.get_plain_task(command)
        left_s = deadline - clock.mono()
        if view.status in _ENDED or left_s <= 0:
            return view
        await clock.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, PLAIN_RECHECK_S_MAX)
