"""Every error that may leave a service: one base, one class per cause, a stable code each.

The status and the code are decided here, once; HTTP handlers and gRPC servers only translate. A
class registers itself by its code, so that a gRPC client can raise the very error that the server
raised, and docs/errors.md can be compared with `registry()`.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

Scalar = str | int | float | bool | None

_BY_CODE: Final[dict[str, type["MainspringError"]]] = {}

_SERVER_ERROR: Final = 500


class MainspringError(Exception):
    """Something went wrong that no other class names. Its detail is for logs, never for clients."""

    code: ClassVar[str] = "internal_error"
    """Stable, snake_case; clients branch on it."""
    status: ClassVar[int] = 500
    """The HTTP status at the edge."""
    title: ClassVar[str] = "Internal error"
    """The short sentence for people; the same for every occurrence."""

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after_s: float | None = None,
        data: Mapping[str, Scalar] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail: str = detail or self.title
        """What happened this time."""
        self.retry_after_s = retry_after_s
        self.data: Mapping[str, Scalar] = dict(data or {})

    @property
    def is_server_error(self) -> bool:
        """Whether it may lie with us: then nobody knows what came of the request."""
        return self.status >= _SERVER_ERROR

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in cls.__dict__:
            return  # a narrower class of the same cause
        known = _BY_CODE.setdefault(cls.code, cls)
        if known is not cls and known.__qualname__ != cls.__qualname__:
            message = f"error code {cls.code!r} is taken by {known.__qualname__}"
            raise TypeError(message)


_BY_CODE[MainspringError.code] = MainspringError


def registry() -> dict[str, type[MainspringError]]:
    """Every known code with its class, sorted by code."""
    return dict(sorted(_BY_CODE.items()))


def rebuild(
    code: str,
    detail: str,
    *,
    retry_after_s: float | None = None,
    data: Mapping[str, Scalar] | None = None,
) -> MainspringError:
    """The error that another process raised, by its code; the base class for an unknown code."""
    cls = _BY_CODE.get(code, MainspringError)
    # Classes may take other arguments than the base, which has all that crossed the wire.
    error = cls.__new__(cls)
    MainspringError.__init__(error, detail, retry_after_s=retry_after_s, data=data)
    return error


# ── the request is wrong ────────────────────────────────────────────────────────────────────────


class InvalidId(MainspringError):
    """An id is not `prefix_` + 32 lowercase hex digits, has another prefix, or was never given."""

    code = "invalid_id"
    status = 400
    title = "Invalid id"

    def __init__(self, prefix: str, text: str, *, expected: str | None = None) -> None:
        wanted = expected or f"{prefix}_ and 32 lowercase hex digits"
        super().__init__(f"{text!r} is no {prefix} id: expected {wanted}", data={"prefix": prefix})


class MalformedBody(MainspringError):
    """The body is not JSON, not UTF-8, or not of the media type it claims."""

    code = "malformed_body"
    status = 400
    title = "Malformed body"


class InvalidParameter(MainspringError):
    """A query parameter or header has a value that cannot be read, or nobody reads it."""

    code = "invalid_parameter"
    status = 400
    title = "Invalid parameter"


class UnknownEventType(MainspringError):
    """A filter names an event type that does not exist."""

    code = "unknown_event_type"
    status = 400
    title = "Unknown event type"


class ConflictingCursors(MainspringError):
    """`since_id` and `after_sequence` were given together."""

    code = "conflicting_cursors"
    status = 400
    title = "Give since_id or after_sequence, not both"


class ConflictingReferences(MainspringError):
    """A body names one thing twice: by its id and by its name."""

    code = "conflicting_references"
    status = 400
    title = "Give an id or a name, not both"


class CursorMismatch(MainspringError):
    """A cursor belongs to another session, or points past the end of this one."""

    code = "cursor_mismatch"
    status = 400
    title = "The cursor belongs to another session"


class Unauthenticated(MainspringError):
    """The credential is none that opens this; whether there is anything to open is not told."""

    code = "unauthenticated"
    status = 401
    title = "Not authenticated"


class PermissionDenied(MainspringError):
    """The caller is known and may not do this."""

    code = "permission_denied"
    status = 403
    title = "Not permitted"


class NotFound(MainspringError):
    """No such thing in this organization. Things of other organizations answer the same."""

    code = "not_found"
    status = 404
    title = "Not found"


class MethodNotAllowed(MainspringError):
    """The path exists, with other methods."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


class UnsupportedMediaType(MainspringError):
    """The body's media type is none that this route reads."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"


class ValidationFailed(MainspringError):
    """The body could be read, but breaks a rule: an unknown member, a wrong type, a bad value."""

    code = "validation_failed"
    status = 422
    title = "Validation failed"


class IdempotencyMismatch(MainspringError):
    """An Idempotency-Key came again with another body. Nothing was done."""

    code = "idempotency_mismatch"
    status = 409
    title = "This Idempotency-Key was used with another body"


# ── the state does not allow it ─────────────────────────────────────────────────────────────────


class Conflict(MainspringError):
    """What is asked contradicts the present state; asking again alike will not help."""

    code = "conflict"
    status = 409
    title = "Conflict"


class NameTaken(MainspringError):
    """Another thing of the organization bears this name."""

    code = "name_taken"
    status = 409
    title = "The name is taken"


class NotWaitingForToolResults(MainspringError):
    """Tool results came for a session that waits for none: too early, or for the second time.

    SDKs retry on exactly this phrase, so it is part of the title.
    """

    code = "not_waiting_for_tool_results"
    status = 409
    title = "The session is not waiting for tool results"
    phrase = "not waiting for tool results"


class NotAwaited(MainspringError):
    """A decision or an answer came for a tool call that does not wait for one any more."""

    code = "not_awaited"
    status = 409
    title = "Nobody waits for this"


class IdempotencyInProgress(MainspringError):
    """The first request with this Idempotency-Key is still at work."""

    code = "idempotency_in_progress"
    status = 409
    title = "A request with this Idempotency-Key is at work"


class WorkflowKeyMismatch(MainspringError):
    """A workflow's key came again with another type, queue or input. Nothing was started."""

    code = "workflow_key_mismatch"
    status = 409
    title = "This key started a workflow of another type, queue or input"


class TaskIdMismatch(MainspringError):
    """A plain task's id came again with another type or input. Nothing was submitted."""

    code = "task_id_mismatch"
    status = 409
    title = "This id is that of another task"


class WorkflowEnded(MainspringError):
    """A signal came for a workflow that has ended: nothing would ever take it."""

    code = "workflow_ended"
    status = 409
    title = "The workflow has ended"


class QueryFailed(MainspringError):
    """The workflow's code has no such query, its handler failed, or the code does not fit."""

    code = "query_failed"
    status = 409
    title = "The query was not answered"


class LeaseLost(MainspringError):
    """A write came from an attempt that holds its task no more: a higher fence exists."""

    code = "lease_lost"
    status = 409
    title = "The task is held by another attempt"

    def __init__(self, task: str, fence: int) -> None:
        detail = f"fence {fence} does not hold task {task}"
        super().__init__(detail, data={"task": task, "fence": fence})


# ── too much, or not now ────────────────────────────────────────────────────────────────────────


class PayloadTooLarge(MainspringError):
    """A body, payload or frame is over its bound; the detail names the bound."""

    code = "payload_too_large"
    status = 413
    title = "Payload too large"

    def __init__(self, what: str, bytes_max: int) -> None:
        super().__init__(
            f"{what} may have at most {bytes_max} bytes", data={"bytes_max": bytes_max}
        )


class TooManyRequests(MainspringError):
    """A bound on new work is reached. Nothing was accepted; try again after Retry-After."""

    code = "too_many_requests"
    status = 429
    title = "Too many requests"

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class NotImplementedHere(MainspringError):
    """This server, or the version that answered, does not know the operation."""

    code = "not_implemented"
    status = 501
    title = "Not implemented"


class Unavailable(MainspringError):
    """A part that is needed cannot be reached. The request may have been done: ask again, alike."""

    code = "unavailable"
    status = 503
    title = "Temporarily unavailable"

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class NoWorker(MainspringError):
    """No worker that could answer a query is there. The workflow itself is as it was."""

    code = "no_worker"
    status = 503
    title = "No worker is there"


class EncryptionUnconfigured(MainspringError):
    """A secret would have to be kept, and the server has no key to seal it under."""

    code = "encryption_unconfigured"
    status = 501
    title = "No key for secrets is configured"


class SecretUnreadable(MainspringError):
    """A kept secret does not open: its key is gone from the settings, or its row was changed."""

    code = "secret_unreadable"
    status = 500
    title = "A secret cannot be read"


class StateUnreadable(MainspringError):
    """What a workflow keeps cannot be read here: a newer version wrote it, or its row was changed.

    It stays where it is, and goes on where an engine can read it.
    """

    code = "state_unreadable"
    status = 500
    title = "The state of a workflow cannot be read"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this engine cannot read the state of a {what}: a newer version wrote it, "
            "or its row was changed"
        )


class DeadlineExceeded(MainspringError):
    """An inner call did not answer in time. It may have been done: ask again, alike."""

    code = "deadline_exceeded"
    status = 504
    title = "No answer in time"

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class ConfigurationUnknown(MainspringError):
    """A folded agent was named by a hash that the engine has no bytes of. Send them along."""

    code = "configuration_unknown"
    status = 409
    title = "The configuration is not known"
