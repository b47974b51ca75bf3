"""Plain tasks of Mainspring itself, by their types."""

from typing import Final

from mainspring_kernel.clock import Clock
from mainspring_schema.discovery import LIST_MODELS
from mainspring_schema.session_ends import SESSION_END
from mainspring_schema.tasks import PlainResult, PlainTask, StepTask
from mainspring_worker.ports.hooks import HookRunner
from mainspring_worker.usecases.asking import ModelDoor
from mainspring_worker.usecases.discovery import Discovery
from mainspring_worker.usecases.session_ends import SessionEnds
from mainspring_workstream.attempt import Attempt, HandedBack

ERRANDS: Final = (f"task:{LIST_MODELS}", f"task:{SESSION_END}")
"""The capabilities by which these tasks go to workers of the house."""


class Errands:
    """One per worker."""

    def __init__(self, door: ModelDoor, hooks: HookRunner, clock: Clock) -> None:
        self._discovery = Discovery(door, clock)
        self._ends = SessionEnds(hooks)

    async def carry_out(self, attempt: Attempt, payload: PlainTask | StepTask) -> PlainResult:
        """Raises HandedBack for a task of another kind, AttemptVoid for one that is lost."""
        if payload.task_type == LIST_MODELS:
            return await self._discovery.carry_out(attempt, payload)
        if payload.task_type == SESSION_END:
            return await self._ends.carry_out(attempt, payload)
        raise HandedBack
