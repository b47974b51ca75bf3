"""Events that attempts send while they work, until a commit has answered them."""

import asyncio
import logging

from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.limits import EMITS_UNANSWERED_MAX
from mainspring_engine.usecases.attachments import Attachment, HeldTask
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.frames import Acknowledgement, Emit, Verdict

_log = logging.getLogger(__name__)


class Unanswered:
    """Of one stream. One that says more than is committed is read on as that goes."""

    def __init__(self) -> None:
        self._count = 0
        self._room = asyncio.Event()
        self._room.set()

    def more(self) -> None:
        self._count += 1
        if self._count >= EMITS_UNANSWERED_MAX:
            self._room.clear()

    def less(self) -> None:
        self._count -= 1
        if self._count < EMITS_UNANSWERED_MAX:
            self._room.set()

    async def room(self) -> None:
        await self._room.wait()


class EmitTicket:
    """Tells the worker, once, and has its stream read on."""

    def __init__(
        self, attachment: Attachment, task: HeldTask, emit: Emit, unanswered: Unanswered
    ) -> None:
        unanswered.more()
        self._unanswered = unanswered
        self._attachment = attachment
        self._task = task
        self._emit = emit

    def done(self, answer: Answer) -> None:
        verdict = answer if isinstance(answer, Verdict) else Verdict.COMMITTED
        self._send(verdict)

    def failed(self, error: Exception) -> None:
        told = self._task.told
        _log.log(level_of(error), "events could not be committed: %s", error, extra=told)
        self._send(Verdict.INVALID)

    def _send(self, verdict: Verdict) -> None:
        self._unanswered.less()
        self._attachment.outbox.emit(
            Acknowledgement(held=self._emit.held, verdict=verdict, counter=self._emit.counter)
        )


def level_of(error: Exception) -> int:
    """What no honest worker says is no fault of ours."""
    return logging.WARNING if isinstance(error, ValidationFailed) else logging.ERROR
