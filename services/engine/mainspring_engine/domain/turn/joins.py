"""Calls of a turn that wait for a child without a worker: handed back, and made ready by its news.

The call stays an open task, delayed for as long as it may wait. The next attempt finds the child as
it stands then, so news that was lost, or came too early, costs time and nothing else.
"""

from typing import Final

from msgspec import structs

from mainspring_engine.domain.changes import CloseTask
from mainspring_engine.domain.limits import JOIN_LOOK_MS_MAX, JOIN_UNLINKED_MS
from mainspring_engine.domain.materials import NotYet
from mainspring_engine.domain.rows import Closing, TaskState
from mainspring_engine.domain.turn import links
from mainspring_engine.domain.turn.state import OpenCall
from mainspring_engine.domain.turn.turn import Delivery, Turn
from mainspring_schema.lineage import ChildTurn

JOINS: Final = "joins_child"
"""The code of an attempt that was handed back to wait for a child; no failure."""


def park(turn: Turn, delivery: Delivery, call: OpenCall, child: ChildTurn) -> None:
    """The worker gives the call back. A child that is over already is looked at again soon."""
    live = links.is_live(turn.plan, turn.materials, child.turn_id)
    wait_ms = min(max(child.wait_ms, JOIN_UNLINKED_MS), JOIN_LOOK_MS_MAX)
    turn.plan.closes.append(
        CloseTask(
            task_id=delivery.task_id,
            fence=delivery.fence,
            expected=TaskState.LEASED,
            closing=Closing.RETURNED,
            result_hash=delivery.hash,
            error_code=JOINS,
            delay_ms=wait_ms if live else JOIN_UNLINKED_MS,
        )
    )
    turn.put_call(structs.replace(call, child=child.turn_id.bytes if live else b""))


def wake(turn: Turn, call: OpenCall) -> None:
    """There is news: the call is made ready, unless its own time came first.

    Raises TasksMissing, and NotYet before anything was added.
    """
    if any(close.task_id == call.task_id for close in turn.plan.closes):
        raise NotYet
    tasks = turn.materials.open_tasks(turn.workflow.id)
    task = next((one for one in tasks if one.id == call.task_id), None)
    if task is not None and task.state is TaskState.DELAYED:
        turn.plan.closes.append(
            CloseTask(
                task_id=task.id,
                fence=task.fence,
                expected=TaskState.DELAYED,
                closing=Closing.RETURNED,
                delay_ms=0,
            )
        )
    turn.put_call(structs.replace(call, child=b""))


def leave(turn: Turn, call: OpenCall) -> None:
    """The turn is cancelled: the call is made no more, and open until its child has ended."""
    turn.put_call(structs.replace(call, task_id=None))
