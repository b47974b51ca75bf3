"""Queries of workflows at an engine that a test stands in for."""

from abc import ABC, abstractmethod

from mainspring_kernel.errors import NoWorker, QueryFailed
from mainspring_schema.workflows import GetWorkflow, QueryWorkflow, WorkflowView
from tests.api.plain_backend import PlainBackend


class QueryBackend(PlainBackend, ABC):
    """Answers what `answers` holds, as long as there are `workers`."""

    def __init__(self) -> None:
        super().__init__()
        self.workers = True
        self.answers: dict[str, bytes] = {}
        self.queries: list[QueryWorkflow] = []

    @abstractmethod
    async def get_workflow(self, command: GetWorkflow) -> WorkflowView: ...

    async def query_workflow(self, command: QueryWorkflow) -> bytes:
        await self.get_workflow(GetWorkflow(org_id=command.org_id, workflow_id=command.workflow_id))
        if not self.workers:
            raise NoWorker(retry_after_s=1)
        self.queries.append(command)
        if command.name not in self.answers:
            raise QueryFailed
        return self.answers[command.name]
