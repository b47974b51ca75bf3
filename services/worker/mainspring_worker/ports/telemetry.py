"""Spans of what a worker does inside an attempt."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from mainspring_kernel.tracing import TraceContext

AttributeValue: TypeAlias = str | int | float | bool | tuple[str, ...]


class OpenSpan(Protocol):
    """A span under way."""

    def set(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Adds attributes."""
        ...

    def failed(self, kind: str, message: str) -> None:
        """Marks the span as an error; `kind` becomes error.type."""
        ...


class Spans(Protocol):
    """Where spans are recorded."""

    def open(
        self, name: str, parent: TraceContext | None, attributes: Mapping[str, AttributeValue]
    ) -> AbstractContextManager[OpenSpan]:
        """A span under the attempt's.

        The running code's own context stays the attempt's, so that what other services hang under
        it has a parent that survives this process.
        """
        ...
