"""The one entry for operators: a question or an order in, its answer out."""

from typing import assert_never

from mainspring_engine.usecases.budgets import Budgets
from mainspring_engine.usecases.deliveries import Inbox
from mainspring_engine.usecases.explaining import Explaining
from mainspring_engine.usecases.inspecting import Inspector
from mainspring_engine.usecases.letters import DeadLetters
from mainspring_engine.usecases.plain_tasks import PlainTasks
from mainspring_engine.usecases.registry import Workers
from mainspring_schema import operations
from mainspring_schema.budgets import (
    ChangeBudget,
    CreateBudget,
    DropBudget,
    GetBudget,
    GetLedger,
    ListBudgets,
    ResumeSession,
    TopUp,
)
from mainspring_schema.configs import GetConfigs
from mainspring_schema.delivery import (
    EditMessage,
    GetDelivery,
    ListWaiting,
    ReorderMessages,
    WithdrawMessage,
)
from mainspring_schema.open_work import FindOpen
from mainspring_schema.plain import CancelPlainTask, RequeuePlainTask
from mainspring_schema.toolsets import ListToolsets


class Operator:
    """Each call raises what its question or order says, and Unavailable."""

    def __init__(  # noqa: PLR0913 - one named use case each
        self,
        *,
        inspector: Inspector,
        workers: Workers,
        letters: DeadLetters,
        explaining: Explaining,
        budgets: Budgets,
        inbox: Inbox,
        plain: PlainTasks,
    ) -> None:
        self._inbox = inbox
        self._plain = plain
        self._budgets = budgets
        self._inspector = inspector
        self._workers = workers
        self._letters = letters
        self._explaining = explaining

    async def work(self) -> None:
        """Carries out what was ordered for later, until cancelled."""
        await self._letters.work()

    async def inspect(self, asked: operations.AnyQuestion) -> object:
        """The answer has the type that the question names."""
        match asked:
            case (
                operations.ListTasks()
                | operations.GetTask()
                | operations.GetHealth()
                | GetConfigs()
                | FindOpen()
            ):
                return await self._inspector.answer(asked)
            case operations.ListWorkers() | operations.GetWorker() | ListToolsets():
                return await self._workers.answer(asked)
            case operations.ListLetters() | operations.GetLetter():
                return await self._letters.answer(asked)
            case operations.Explain():
                return await self._explaining.answer(asked)
            case ListBudgets() | GetBudget() | GetLedger():
                return await self._budgets.answer(asked)
            case GetDelivery() | ListWaiting():
                return await self._inbox.answer(asked)
            case _:
                assert_never(asked)

    async def operate(self, order: operations.AnyOrder) -> object:  # noqa: PLR0911 - one per order
        """The answer has the type that the order names; what it says is committed."""
        match order:
            case operations.DrainWorker(worker_id=worker_id):
                return await self._workers.drain(worker_id, drained=True)
            case operations.ResumeWorker(worker_id=worker_id):
                return await self._workers.drain(worker_id, drained=False)
            case operations.ResolveLetter():
                return await self._letters.resolve(order)
            case operations.ResolveLetters():
                return await self._letters.resolve_many(order)
            case CreateBudget() | ChangeBudget() | TopUp() | DropBudget() | ResumeSession():
                return await self._budgets.carry_out(order)
            case CancelPlainTask() | RequeuePlainTask():
                return await self._plain.carry_out(order)
            case EditMessage() | WithdrawMessage() | ReorderMessages():
                return await self._inbox.carry_out(order)
            case _:
                assert_never(order)
