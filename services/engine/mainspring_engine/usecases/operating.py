"""The one door for operators: a question or an order in, its answer out."""

from typing import assert_never

from mainspring_engine.usecases.inspecting import Inspector
from mainspring_engine.usecases.registry import Workers
from mainspring_schema import operations


class Operator:
    """Each call raises what its question or order says, and Unavailable."""

    def __init__(self, *, inspector: Inspector, workers: Workers) -> None:
        self._inspector = inspector
        self._workers = workers

    async def inspect(self, asked: operations.AnyQuestion) -> object:
        """The answer has the type that the question names."""
        match asked:
            case operations.ListTasks():
                return await self._inspector.tasks(asked)
            case operations.GetTask():
                return await self._inspector.task(asked)
            case operations.ListWorkers():
                return await self._workers.page(asked)
            case operations.GetWorker(worker_id=worker_id):
                return await self._workers.get(worker_id)
            case operations.GetHealth():
                return await self._inspector.health(asked)
            case _:
                assert_never(asked)

    async def operate(self, order: operations.AnyOrder) -> object:
        """The answer has the type that the order names; what it says is committed."""
        match order:
            case operations.DrainWorker(worker_id=worker_id):
                return await self._workers.drain(worker_id, drained=True)
            case operations.ResumeWorker(worker_id=worker_id):
                return await self._workers.drain(worker_id, drained=False)
            case _:
                assert_never(order)
