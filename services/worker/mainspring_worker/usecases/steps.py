"""Which code carries out which kind of task, and the bound of what it may report."""

import logging
from typing import Final, assert_never

import msgspec

from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.tracing import use_trace
from mainspring_runtime.logs import log_fields
from mainspring_schema.codec import pack
from mainspring_schema.tasks import (
    PlainTask,
    QueryTask,
    ReasonResult,
    ReasonTask,
    StepTask,
    ToolResult,
    ToolTask,
    WorkflowTask,
)
from mainspring_worker.domain.limits import STEP_RESULT_BYTES_MAX
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.usecases.act import Acting
from mainspring_worker.usecases.errands import Errands
from mainspring_worker.usecases.reason import Reasoning
from mainspring_workstream.attempt import Attempt, AttemptVoid, HandedBack
from mainspring_workstream.overweight import too_large

_LOG: Final = logging.getLogger(__name__)


class Steps:
    """One per worker. What it calls carries the attempt's trace, not a span of this process."""

    def __init__(self, *, reasoning: Reasoning, acting: Acting, errands: Errands) -> None:
        self._reasoning = reasoning
        self._acting = acting
        self._errands = errands

    async def __call__(self, attempt: Attempt) -> bytes:
        """The packed result. Raises HandedBack, AttemptVoid or CancelledError for none."""
        if isinstance(attempt.payload, PlainTask | StepTask):
            with use_trace(attempt.trace):
                return pack(await self._errands.carry_out(attempt, attempt.payload))
        if isinstance(attempt.payload, WorkflowTask | QueryTask):
            raise HandedBack  # its code is at another worker; this one never offered it
        session = to_wire(Prefix.SESSION, attempt.task.session_id)
        turn = to_wire(Prefix.TURN, attempt.payload.turn_id)
        with use_trace(attempt.trace), log_fields(session=session, turn=turn):
            try:
                return _packed(attempt.payload, await self._carry_out(attempt, attempt.payload))
            except (HandedBack, AttemptVoid, MainspringError):
                raise
            except Exception as error:
                if not isinstance(attempt.payload, ReasonTask):
                    raise
                return _fault(error)

    async def _carry_out(
        self, attempt: Attempt, payload: ReasonTask | ToolTask
    ) -> ReasonResult | ToolResult:
        match payload:
            case ReasonTask():
                return await self._reasoning.carry_out(attempt, payload)
            case ToolTask(brought=ToolResult() as brought):
                return await self._acting.read(attempt, payload, brought)
            case ToolTask():
                return await self._acting.carry_out(attempt, payload)
            case _:
                assert_never(payload)


def _fault(error: Exception) -> bytes:
    """Of a model call that met a fault of ours: it counts, for each attempt is paid."""
    _LOG.exception("a model call failed in the worker itself")
    told = failure(Kind.UNKNOWN, f"the worker failed: {type(error).__name__}")
    return pack(ReasonResult(failure=told.failure))


def _packed(payload: ReasonTask | ToolTask, result: ReasonResult | ToolResult) -> bytes:
    body = pack(result)
    if len(body) <= STEP_RESULT_BYTES_MAX:
        return body
    told = too_large(payload, len(body), STEP_RESULT_BYTES_MAX)
    if isinstance(told, ReasonResult) and isinstance(result, ReasonResult):
        # What was used is paid for all the same.
        told = msgspec.structs.replace(told, usage=result.usage)
    return pack(told)
