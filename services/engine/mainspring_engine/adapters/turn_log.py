"""Log lines about turns, workflows and attempts, once what they say is committed.

Successes are logged at DEBUG: thousands of turns a second are no news.
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.belonging import belonging, of_attempt
from mainspring_engine.domain.changes import Changes, WorkflowChange
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.ports.outside import AttemptEnd
from mainspring_kernel.tracing import TraceContext, use_trace
from mainspring_runtime.logs import log_fields
from mainspring_schema.events import decode_payload

_log = logging.getLogger(__name__)
_TURN_LEVELS: Final = {Outcome.FAILED: logging.WARNING, Outcome.SEALED: logging.WARNING}
_ATTEMPT_LEVELS: Final = {
    Closing.RETRIED: logging.INFO,
    Closing.EXPIRED: logging.WARNING,
    Closing.UNDELIVERED: logging.INFO,
    Closing.QUARANTINED: logging.WARNING,
    Closing.UNKNOWN: logging.WARNING,
}


class _Failed(msgspec.Struct):
    error: str = ""
    error_code: str | None = None


def turn_ended(changes: Changes, change: WorkflowChange) -> None:
    """With the code of a turn that failed."""
    level = _TURN_LEVELS.get(change.outcome, logging.DEBUG)
    if _log.isEnabledFor(level):
        with _about(changes.after.session_id, change.id, change.traceparent):
            what = "workflow" if change.id == changes.after.session_id else "turn"
            _log.log(level, "%s %s%s", what, change.outcome.name.lower(), _reason(changes))


def attempt_ended(end: AttemptEnd) -> None:
    """An attempt without a result is news: somebody may look for what went wrong."""
    level = _ATTEMPT_LEVELS.get(end.closing, logging.DEBUG)
    if _log.isEnabledFor(level):
        with _about(end.session_id, end.workflow_id, end.traceparent):
            _log.log(level, "attempt %s", end.closing.name.lower(), extra=of_attempt(end.held))


@contextmanager
def _about(session_id: UUID, workflow_id: UUID, traceparent: str) -> Generator[None]:
    fields = belonging(session_id, workflow_id)
    with use_trace(TraceContext.parse(traceparent)), log_fields(**fields):
        yield


def _reason(changes: Changes) -> str:
    payload = next((e.payload for e in changes.events if e.type == "turn.failed"), None)
    if payload is None:
        return ""
    failed = msgspec.json.decode(decode_payload(payload).data, type=_Failed)
    return f": {failed.error_code}: {failed.error}"
