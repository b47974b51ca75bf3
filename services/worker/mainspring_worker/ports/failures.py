"""Why a model call fails, in the house's words: one table for every driver, simulated or real.

The class decides what the engine does (retry, wait, end the turn), the code is what clients see.
"""

from enum import Enum

from mainspring_schema.tasks import ErrorClass, Failure
from mainspring_worker.domain.limits import ERROR_TEXT_CHARS_MAX
from mainspring_worker.ports.model import ModelFailure


class Kind(Enum):
    """The causes, each with its class and its code."""

    RATE_LIMITED = ("rate_limited", "rate_limited")
    QUOTA_EXHAUSTED = ("auth", "provider_quota_exhausted")
    MISCONFIGURED = ("auth", "provider_misconfigured")
    MODEL_NOT_AVAILABLE = ("invalid_request", "model_not_available")
    INVALID_TOOL_SCHEMA = ("invalid_request", "invalid_tool_schema")
    REJECTED = ("invalid_request", "provider_rejected_request")
    CONTENT_FILTERED = ("invalid_request", "provider_content_filtered")
    TOO_LONG = ("context_overflow", "request_too_large")
    OVERLOADED = ("transient", "provider_overloaded")
    UNAVAILABLE = ("transient", "service_unavailable")
    CONNECTION_FAILED = ("transient", "provider_connection_failed")
    STREAM_CUT = ("transient", "provider_stream_cut")
    TIMEOUT = ("transient", "provider_timeout")
    BAD_OUTPUT = ("model_output", "invalid_model_output")
    HOOK_BLOCKED = ("invalid_request", "hook_blocked")
    UNFIT_OUTPUT = ("model_output", "structured_output_invalid")
    CALL_FAILED = ("invalid_request", "background_call_failed")
    UNKNOWN = ("unknown", "processing_error")

    @property
    def error_class(self) -> ErrorClass:
        """What the engine goes by."""
        return self.value[0]

    @property
    def code(self) -> str:
        """What clients go by."""
        return self.value[1]


def failure(kind: Kind, message: str, *, retry_after_ms: int | None = None) -> ModelFailure:
    """The error a driver raises. The message is cut at a bound, for it ends in an event."""
    return ModelFailure(
        Failure(
            error_class=kind.error_class,
            code=kind.code,
            message=message[:ERROR_TEXT_CHARS_MAX],
            retry_after_ms=retry_after_ms,
        )
    )
