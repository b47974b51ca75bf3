"""Which timers belong to a workflow: its state and its waits name them."""

from uuid import UUID

from mainspring_engine.domain.rows import WaitRow, Workflow
from mainspring_engine.domain.turn import state as turns
from mainspring_engine.domain.workflow import state as workflows
from mainspring_kernel.errors import StateUnreadable


def timer_ids(workflow: Workflow, waits: tuple[WaitRow, ...]) -> tuple[UUID, ...]:
    try:
        own = (turns if workflow.is_turn else workflows).decode(workflow).timer_id
    except StateUnreadable:
        own = None
    return tuple(id_ for id_ in (own, *(row.timer_id for row in waits)) if id_ is not None)
