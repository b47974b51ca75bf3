from typing import NoReturn
from uuid import UUID

from mainspring_kernel.errors import NotImplementedHere
from mainspring_scheduler.domain.slots import Ended
from mainspring_schema.schedules import WorkflowTarget


class NoWorkflows:
    """Where the engine does not start workflows by key yet."""

    async def start(
        self, org_id: UUID, workflow_id: UUID, *, key: str, target: WorkflowTarget
    ) -> UUID:
        del org_id, workflow_id, key, target
        _refuse()

    async def outcome(self, org_id: UUID, workflow_id: UUID) -> Ended | None:
        del org_id, workflow_id
        _refuse()

    async def cancel(self, org_id: UUID, workflow_id: UUID, *, reason: str) -> None:
        del org_id, workflow_id, reason
        _refuse()


def _refuse() -> NoReturn:
    detail = "this engine starts no workflows"
    raise NotImplementedHere(detail)
