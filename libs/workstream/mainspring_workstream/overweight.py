"""What no frame carries: too large, or no Unicode. It is told to who says it, and never sent.

Sent as it is it would end the stream, again each time the worker comes back, and nothing else of
this worker would be heard.
"""

from typing import Final, assert_never

from mainspring_kernel.limits import KIB, RPC_MESSAGE_BYTES_MAX
from mainspring_schema.codec import pack
from mainspring_schema.frames import Emit
from mainspring_schema.tasks import (
    AttemptPayload,
    AttemptResult,
    Failure,
    PlainResult,
    PlainTask,
    QueryResult,
    QueryTask,
    ReasonResult,
    ReasonTask,
    StepTask,
    ToolResult,
    ToolTask,
    WorkflowResult,
    WorkflowTask,
)
from mainspring_schema.workflows import Flaw

CODE: Final = "result_too_large"
RESULT_BYTES_MAX: Final = RPC_MESSAGE_BYTES_MAX - 256 * KIB
"""The rest of the message is for what rides in the same frame: beats, starts, small results."""


def writable(text: str) -> str:
    """The same without surrogates alone, as of a file's name that is no UTF-8."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def is_sendable(value: object) -> bool:
    """False for what JSON may have and a frame has not: whole numbers over 64 bits."""
    try:
        _size_of(value)
    except Unsendable:
        return False
    return True


class Unsendable(ValueError):
    """What an attempt says in its middle cannot be sent."""


def sendable(emit: Emit) -> Emit:
    """The same. Raises Unsendable."""
    size = _size_of(emit)
    if size > RESULT_BYTES_MAX:
        message = f"{size} bytes at once: at most {RESULT_BYTES_MAX} can be sent"
        raise Unsendable(message)
    return emit


def _size_of(value: object) -> int:
    try:
        return len(pack(value))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        message = f"what it says cannot be sent: {error}"
        raise Unsendable(message) from error


def carried(payload: AttemptPayload, body: bytes) -> bytes:
    """The packed result, or the packed failure that it is too large."""
    if len(body) <= RESULT_BYTES_MAX:
        return body
    return pack(too_large(payload, len(body), RESULT_BYTES_MAX))


def too_large(payload: AttemptPayload, size: int, bytes_max: int) -> AttemptResult:
    """What a task comes to whose result is over its bound."""
    why = f"the result has {size} bytes, at most {bytes_max} are kept"
    flaw = Flaw(code=CODE, message=why)
    failure = Failure(error_class="model_output", code=CODE, message=why)
    match payload:
        case ReasonTask():
            return ReasonResult(failure=failure)
        case ToolTask():
            return ToolResult(status="error", error=why, failure=failure)
        case WorkflowTask():
            return WorkflowResult(outcome="failed", flaw=flaw)
        case PlainTask() | StepTask():
            return PlainResult(flaw=flaw, lasting=True)
        case QueryTask():
            return QueryResult(flaw=flaw)
        case _:
            assert_never(payload)
