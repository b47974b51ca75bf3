"""Tells a webhook that a session was deleted, again and again until the webhook takes it."""

import asyncio
import logging
from typing import Final

import msgspec

from mainspring_kernel.backoff import Policy, bound_s
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.session_ends import SessionEnd
from mainspring_schema.tasks import PlainResult, PlainTask, StepTask
from mainspring_schema.workflows import Flaw
from mainspring_worker.ports.hooks import HookFailed, HookRefused, HookRunner
from mainspring_workstream.attempt import Attempt

_LOG: Final = logging.getLogger(__name__)
_TOLD: Final = msgspec.json.Decoder(SessionEnd)
ATTEMPTS_MAX: Final = 6
PAUSE: Final = Policy(first_s=4, factor=2, max_s=60)
"""Two minutes of pauses in all: the signature was made with the deletion, and gets old."""


class SessionEnds:
    """One per worker."""

    def __init__(self, runner: HookRunner) -> None:
        self._runner = runner

    async def carry_out(self, attempt: Attempt, payload: PlainTask | StepTask) -> PlainResult:
        """That it was told, or why not; after the last attempt for good."""
        try:
            told = _TOLD.decode(payload.input)
        except msgspec.MsgspecError as error:
            flaw = Flaw(code="invalid_arguments", message=str(error))
            return PlainResult(flaw=flaw, lasting=True)
        once = to_wire(Prefix.TASK, attempt.held.task_id)
        try:
            async with asyncio.timeout(told.timeout_ms / 1000):
                await self._runner.tell(told, once=once)
        except HookRefused as error:
            return PlainResult(flaw=Flaw(code="hook_failed", message=str(error)), lasting=True)
        except (HookFailed, TimeoutError) as error:
            why = str(error) or f"no answer within {told.timeout_ms} ms"
            _LOG.warning("a hook of a session's end failed: %s", why, extra={"hook": told.hook_id})
            return _again(why, attempt.task.failures + 1)
        return PlainResult()


def _again(why: str, failed: int) -> PlainResult:
    pause_ms = round(bound_s(PAUSE, failed) * 1000) if failed < ATTEMPTS_MAX else None
    return PlainResult(flaw=Flaw(code="hook_failed", message=why), retry_ms=pause_ms)
