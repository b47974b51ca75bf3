"""What the api and the scheduler ask of the engine about sessions and turns."""

import asyncio

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.intents import (
    AppealsAnswered,
    Cancelled,
    ClientAnswered,
    SessionClosed,
    Submitted,
)
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.inbox import InboxRows
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.repeats import repeated
from mainspring_kernel.control_errors import SessionBusy
from mainspring_kernel.errors import MainspringError, TooManyRequests
from mainspring_schema import commands
from mainspring_schema.appeals import AnswerAppeals, AppealsReceipt


class Control:
    """Each call returns after its commit. Raises what refused it."""

    def __init__(self, lanes: Lanes, pressure: Backpressure, inbox: InboxRows) -> None:
        self._lanes = lanes
        self._inbox = inbox
        self._pressure = pressure

    async def submit_many(
        self, items: tuple[commands.Submit, ...]
    ) -> tuple[commands.Receipt | MainspringError, ...]:
        """Answers in order; a refused item does not touch the others."""
        asked = [self._asked(item) for item in items]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return tuple(
            [
                await self._unless_known(item, answer)
                if isinstance(answer, SessionBusy)
                else _receipt_or_error(answer)
                for item, answer in zip(items, answers, strict=True)
            ]
        )

    async def _unless_known(
        self, item: commands.Submit, busy: SessionBusy
    ) -> commands.Receipt | MainspringError:
        """A message that comes again meets the very turn that it began: it was not refused."""
        known = await self._inbox.known(item.session_id, item.message_id, item.idempotency_key)
        return busy if known is None else repeated(item, known)

    def _asked(self, item: commands.Submit) -> asyncio.Future[Answer]:
        # Also for a turn that runs: whether one does is known only to its lane.
        try:
            self._pressure.check(item.org_id, Route().queue)
        except TooManyRequests as error:
            refused: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused
        return self._lanes.asked(Submitted(command=item))

    async def cancel(self, command: commands.Cancel) -> commands.CancelReceipt:
        answer = await self._lanes.ask(Cancelled(command=command))
        assert isinstance(answer, commands.CancelReceipt)  # noqa: S101 - one type per command
        return answer

    async def submit_tool_results(
        self, command: commands.SubmitToolResults
    ) -> commands.ToolResultsReceipt:
        answer = await self._lanes.ask(ClientAnswered(command=command))
        assert isinstance(answer, commands.ToolResultsReceipt)  # noqa: S101 - one type per command
        return answer

    async def answer_appeals(self, command: AnswerAppeals) -> AppealsReceipt:
        answer = await self._lanes.ask(AppealsAnswered(command=command))
        assert isinstance(answer, AppealsReceipt)  # noqa: S101 - one type per command
        return answer

    async def close(self, command: commands.Close) -> commands.CloseReceipt:
        answer = await self._lanes.ask(SessionClosed(command=command))
        assert isinstance(answer, commands.CloseReceipt)  # noqa: S101 - one type per command
        return answer


def _receipt_or_error(answer: object) -> commands.Receipt | MainspringError:
    if isinstance(answer, commands.Receipt | MainspringError):
        return answer
    if isinstance(answer, BaseException):
        raise answer
    message = f"a submit was answered with {type(answer).__name__}"
    raise TypeError(message)
