"""Structured logs: one JSON object per line on stderr, with session, turn and trace ids."""

import logging
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final, Protocol

from pythonjsonlogger.msgspec import MsgspecFormatter

from mainspring_kernel.tracing import current_trace

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_fields: ContextVar[Mapping[str, str]] = ContextVar("mainspring_log_fields", default=_NONE)
_NOISY: Final = ("nats", "asyncio", "httpx", "httpcore", "hpack", "opentelemetry", "uvicorn")
"""Libraries whose INFO and DEBUG lines tell about themselves, not about our work."""
_SELDOM: Final = "opentelemetry."
"""While a collector is away it tells so with each export, a dozen times a minute and process."""
_SELDOM_S: Final = 600.0


@contextmanager
def log_fields(**fields: str) -> Generator[None]:
    """Adds fields to every line logged inside the block: `session="session_…", turn="turn_…"`."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


class _Context(logging.Filter):
    """Puts the fields and the trace of the running code on each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.update(_fields.get())
        trace = current_trace()
        if trace is not None:
            record.__dict__["trace_id"] = trace.trace_hex
            record.__dict__["span_id"] = trace.span_hex
        return True


class _Seldom(logging.Filter):
    """Lets the same logger say the same kind of thing once in ten minutes."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_SELDOM):
            return True
        kind = (record.name, record.levelno)
        told = self._told.get(kind)
        if told is not None and 0 <= record.created - told < _SELDOM_S:
            return False
        self._told[kind] = record.created
        return True


class Writes(Protocol):
    """Where lines go; each comes in one call, with its end."""

    def write(self, text: str, /) -> object:
        """Takes a line."""
        ...


def configure(service: str, level: str = "INFO", stream: Writes | None = None) -> None:
    """Sends every logger of the process through one JSON handler. Call once, in main."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        MsgspecFormatter(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
            static_fields={"service": service},
            timestamp="ts",
        )
    )
    handler.addFilter(_Seldom())
    handler.addFilter(_Context())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
