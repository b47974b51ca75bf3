"""The span of a POST, told when it is over: only then is the turn it belongs to known."""

from typing import Protocol


class PostSpans(Protocol):
    """Where spans of requests go."""

    def posted(self, *, parent: str | None, start_ns: int, session_id: str, status: int) -> None:
        """A message was answered; `parent` is the traceparent of its turn's root span."""
        ...
