"""What callers see of a plain task's end."""

from mainspring_api.ports.control import Control
from mainspring_api.ports.endings import Endings
from mainspring_api.usecases.told import told_within
from mainspring_api.usecases.workflows import ENDED
from mainspring_kernel.clock import Clock
from mainspring_schema.plain import GetPlainTask, PlainTaskView


async def ended(
    control: Control, endings: Endings, clock: Clock, command: GetPlainTask, *, wait_s: float
) -> PlainTaskView:
    """The task once it has ended, or as it is after `wait_s`. Raises NotFound.

    A server that drains waits no longer: who asked asks again, and another one.
    """
    if wait_s <= 0:
        return await control.get_plain_task(command)
    deadline = clock.mono() + wait_s
    with endings.of(command.task_id) as told:
        while True:
            # Asked once it is listened for, for it may have ended before.
            view = await control.get_plain_task(command)
            left_s = deadline - clock.mono()
            if view.status in ENDED or left_s <= 0 or endings.leaving:
                return view
            await told_within(told, clock, left_s)
