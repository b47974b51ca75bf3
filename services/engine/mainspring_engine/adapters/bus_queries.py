"""Queries from engine to engine over the bus. One that is lost there ends by its deadline."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.limits import (
    QUERIES_AT_ONCE_MAX,
    QUERY_AGAIN_S,
    QUERY_HEARD_S,
    QUERY_S,
)
from mainspring_kernel.errors import (
    DeadlineExceeded,
    MainspringError,
    NoWorker,
    TooManyRequests,
    rebuild,
)
from mainspring_kernel.ids import Ids
from mainspring_messaging import Bus, Message
from mainspring_schema.codec import pack
from mainspring_schema.subjects import query_answers, query_questions
from mainspring_schema.wake import QueryAnswered, QueryAsked
from mainspring_schema.workflows import QueryWorkflow

_ASKED: Final = msgspec.msgpack.Decoder(QueryAsked)
_ANSWERED: Final = msgspec.msgpack.Decoder(QueryAnswered)
_log = logging.getLogger(__name__)


class _Asked:
    """A question of this engine: whether it arrived, and what came of it."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()


class BusQueries:
    """`me` is this engine's replica id. `listen` before the first `ask`."""

    def __init__(self, bus: Bus, *, me: UUID, ids: Ids) -> None:
        self._bus = bus
        self._me = me
        self._ids = ids
        self._open: dict[UUID, _Asked] = {}
        self._working: set[asyncio.Task[None]] = set()

    async def listen(self, answer: Callable[[QueryWorkflow], Awaitable[bytes]]) -> None:
        """Subscribes for the life of the process; `answer` asks a worker that is attached here."""

        def asked(message: Message) -> None:
            self._asked(message, answer)

        await self._bus.subscribe(query_questions(self._me), asked)
        await self._bus.subscribe(query_answers(self._me), self._answered)

    async def ask(self, replica: UUID, command: QueryWorkflow) -> bytes:
        """As the port says."""
        if not self._bus.connected:
            detail = "its worker is attached to another engine, and the bus between them is away"
            raise NoWorker(detail, retry_after_s=QUERY_AGAIN_S)
        id_ = self._ids.uuid7()
        asked = self._open[id_] = _Asked()
        question = QueryAsked(id=id_, asker=self._me, command=command)
        self._bus.publish(query_questions(replica), pack(question))
        try:
            await _until_heard(asked)
            async with asyncio.timeout(QUERY_S):
                return await asked.answer
        except TimeoutError as error:
            detail = f"the engine of its worker did not answer within {QUERY_S:.0f} s"
            raise DeadlineExceeded(detail) from error
        finally:
            del self._open[id_]
            if asked.answer.done() and not asked.answer.cancelled():
                asked.answer.exception()  # it came as its asker left: nobody else will look at it

    # ── messages ────────────────────────────────────────────────────────────────────────────────

    def _asked(self, message: Message, answer: Callable[[QueryWorkflow], Awaitable[bytes]]) -> None:
        try:
            question = _ASKED.decode(message.data)
        except msgspec.MsgspecError:
            _log.warning("a query of another engine cannot be read")
            return
        if len(self._working) >= QUERIES_AT_ONCE_MAX:
            full = TooManyRequests("too many queries are under way")
            self._tell(question, QueryAnswered(id=question.id, error=_told(full)))
            return
        self._tell(question, QueryAnswered(id=question.id, under_way=True))
        task = asyncio.ensure_future(self._serve(question, answer))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _serve(
        self, question: QueryAsked, answer: Callable[[QueryWorkflow], Awaitable[bytes]]
    ) -> None:
        try:
            told = QueryAnswered(id=question.id, result=await answer(question.command))
        except MainspringError as error:
            told = QueryAnswered(id=question.id, error=_told(error))
        self._tell(question, told)

    def _tell(self, question: QueryAsked, answer: QueryAnswered) -> None:
        self._bus.publish(query_answers(question.asker), pack(answer))

    def _answered(self, message: Message) -> None:
        try:
            answer = _ANSWERED.decode(message.data)
        except msgspec.MsgspecError:
            _log.warning("an answer of another engine cannot be read")
            return
        asked = self._open.get(answer.id)
        if asked is None or asked.answer.done():
            return
        asked.heard.set()
        if answer.under_way:
            return
        if answer.error is None:
            asked.answer.set_result(answer.result)
        else:
            code, detail, retry_after_s = answer.error
            asked.answer.set_exception(rebuild(code, detail, retry_after_s=retry_after_s))


async def _until_heard(asked: _Asked) -> None:
    """Raises NoWorker: an engine that says nothing at all died, or is as good as dead."""
    try:
        async with asyncio.timeout(QUERY_HEARD_S):
            await asked.heard.wait()
    except TimeoutError as error:
        detail = f"the engine of its worker was not heard of within {QUERY_HEARD_S:.0f} s"
        raise NoWorker(detail, retry_after_s=QUERY_AGAIN_S) from error


def _told(error: MainspringError) -> tuple[str, str, float | None]:
    return error.code, error.detail, error.retry_after_s
