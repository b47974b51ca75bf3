"""What a provider's failure means to us: one table, by the layer's own categories."""

from typing import Final

import httpx2
import msgspec
import pydantic
from pydantic_ai import exceptions as theirs

from mainspring_worker.adapters.models.providers.halves import joined
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import ModelFailure

_TABLE: Final[tuple[tuple[type[Exception], Kind], ...]] = (
    # The first that fits counts, so the narrower class stands before the wider one.
    (theirs.ModelRateLimitError, Kind.RATE_LIMITED),
    (theirs.ModelQuotaExceededError, Kind.QUOTA_EXHAUSTED),
    (theirs.ModelOverloadedError, Kind.OVERLOADED),
    (theirs.ModelUnavailableError, Kind.UNAVAILABLE),
    (theirs.ModelServerError, Kind.UNAVAILABLE),
    (theirs.ModelTimeoutError, Kind.TIMEOUT),
    (theirs.ModelRequestTimeout, Kind.TIMEOUT),
    (theirs.ModelContextWindowExceededError, Kind.TOO_LONG),
    (theirs.ModelAuthenticationError, Kind.MISCONFIGURED),
    (theirs.ModelNotFoundError, Kind.MODEL_NOT_AVAILABLE),
    (theirs.ContentFilterError, Kind.CONTENT_FILTERED),
    (theirs.UnexpectedModelBehavior, Kind.BAD_OUTPUT),
    (theirs.UserError, Kind.MISCONFIGURED),
    (httpx2.InvalidURL, Kind.MISCONFIGURED),
    (httpx2.UnsupportedProtocol, Kind.MISCONFIGURED),
    (httpx2.TimeoutException, Kind.TIMEOUT),
    (httpx2.TransportError, Kind.CONNECTION_FAILED),
    (pydantic.ValidationError, Kind.BAD_OUTPUT),
)
_STATUSES: Final = {408: Kind.UNAVAILABLE, 409: Kind.UNAVAILABLE, 413: Kind.TOO_LONG}
_REFUSALS: Final = {
    401: Kind.MISCONFIGURED,
    403: Kind.MISCONFIGURED,
    429: Kind.RATE_LIMITED,
}
"""Of answers that no library has read."""
_CLIENT_ERRORS: Final = range(400, 500)
_TOO_LONG: Final = ("prompt is too long", "context length", "context window", "exceeds the maximum")
_SCHEMA: Final = ("input_schema", "function parameters", "invalid schema", "function_declarations")


def classify(error: Exception, *, started: bool, secret: str | None) -> ModelFailure:
    """The failure for whatever the layer raised. `started` tells that bytes of an answer came.

    `secret` is taken out of the message, should a provider repeat it.
    """
    message = joined(_words(error)) or type(error).__name__
    if secret:
        message = message.replace(secret, "…")
    return failure(
        _kind(error, message.lower(), started=started), message, retry_after_ms=_retry_after(error)
    )


def _words(error: Exception) -> str:
    """A library's words. Of a connection that it has not got, also the reason that lies below."""
    if not isinstance(error, theirs.ModelConnectionError):
        return str(error)
    below: BaseException = error
    while (cause := below.__cause__ or below.__context__) is not None:
        below = cause
    said, reason = str(error), str(below)
    return said if reason in said else f"{said.removesuffix('.')}: {reason}"


class _Told(msgspec.Struct, frozen=True):
    message: str


class _Problem(msgspec.Struct, frozen=True):
    """How all three say why they refuse."""

    error: _Told


def refused(status: int, body: bytes, *, secret: str | None, retry_after: str) -> ModelFailure:
    """The failure for an answer that is none, in the provider's words where it has any."""
    try:
        words = msgspec.json.decode(body, type=_Problem).error.message
    except msgspec.MsgspecError:
        words = ""  # another server than a provider's: what it says is not for whoever asks
    if secret:
        words = words.replace(secret, "…")
    message = f"status {status}: {words}" if words else f"status {status}"
    wait_ms = int(retry_after) * 1000 if retry_after.isdecimal() else None
    kind = _REFUSALS.get(status) or _by_status(status, "")
    return failure(kind, message, retry_after_ms=wait_ms)


def _kind(error: Exception, message: str, *, started: bool) -> Kind:
    if isinstance(error, theirs.ModelConnectionError) and not _timed_out(error):
        return Kind.STREAM_CUT if started else Kind.CONNECTION_FAILED
    if isinstance(error, theirs.UnexpectedModelBehavior) and not started:
        return Kind.STREAM_CUT  # a 200 without a single event
    for cause, kind in _TABLE:
        if isinstance(error, cause):
            return kind
    if isinstance(error, theirs.ModelHTTPError):
        return _by_status(error.status_code, message)
    if isinstance(error, theirs.ModelAPIError):
        # No category: an answer that is no JSON, an error event of an unknown type, a stream that
        # ends without its end.
        return Kind.STREAM_CUT if started else Kind.UNAVAILABLE
    return Kind.UNKNOWN


def _by_status(status: int, message: str) -> Kind:
    if status in _STATUSES:
        return _STATUSES[status]
    if any(words in message for words in _TOO_LONG):
        return Kind.TOO_LONG
    if any(words in message for words in _SCHEMA):
        return Kind.INVALID_TOOL_SCHEMA
    return Kind.REJECTED if status in _CLIENT_ERRORS else Kind.UNAVAILABLE


def _timed_out(error: theirs.ModelConnectionError) -> bool:
    return isinstance(error, theirs.ModelTimeoutError)


def _retry_after(error: Exception) -> int | None:
    if not isinstance(error, theirs.ModelAPIError) or error.retry_after is None:
        return None
    return max(0, round(error.retry_after * 1000))
