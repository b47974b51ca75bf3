"""Spans as lines of JSON in a file of this process: traces without any collector.

A line is written at most 50 ms after its span ended, in one write per batch, so a process that is
killed loses little and never leaves half a line before a whole one.
"""

import asyncio
import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from mainspring_kernel import limits
from mainspring_runtime.spans import SpanRecord

_FLUSH_S: Final = 0.05
"""How long a span waits for others, so that they are one write."""
_BATCH_SPANS_MAX: Final = 256
"""So many do not wait any longer."""
_log = logging.getLogger(__name__)


class SpanFile:
    """`<service>-<pid>.jsonl` in a folder; at half of its bound it becomes `….1.jsonl`."""

    def __init__(
        self, folder: Path, service: str, *, bytes_max: int = limits.TRACE_FILE_BYTES_MAX
    ) -> None:
        self._service = service
        self._path = folder / f"{service}-{os.getpid()}.jsonl"
        self._older = self._path.with_suffix(".1.jsonl")
        self._bytes_max = bytes_max
        self._encoder = msgspec.json.Encoder()
        self._records: list[SpanRecord] = []
        self._timer: asyncio.TimerHandle | None = None
        self._file: int | None = None
        self._written = 0
        self.dropped = 0

    def put(self, record: SpanRecord) -> None:
        """Keeps it for the next write; encoding waits too, off the caller's path."""
        self._records.append(record)
        if len(self._records) >= _BATCH_SPANS_MAX:
            self.flush()
        elif self._timer is None:
            self._flush_soon()

    def flush(self) -> None:
        """Writes now. A full disk costs spans, never the caller."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        records, self._records = self._records, []
        if not records:
            return
        lines = [self._encoder.encode(line(each, self._service)) for each in records]
        block = b"\n".join(lines) + b"\n"
        try:
            self._make_room(len(block))
            self._write(block)
        except OSError as error:
            if self.dropped == 0:
                _log.warning("spans cannot be written to %s: %s", self._path, error)
            self.dropped += len(lines)

    def close(self) -> None:
        """Writes the rest and closes the file. Safe twice."""
        self.flush()
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _flush_soon(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()  # no loop that would come back later: a script, a thread
        else:
            self._timer = loop.call_later(_FLUSH_S, self.flush)

    def _make_room(self, size: int) -> None:
        if self._file is not None and self._written + size > self._bytes_max // 2:
            os.close(self._file)
            self._file = None
            self._path.replace(self._older)

    def _write(self, block: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file = os.open(self._path, flags, 0o600)
            self._written = os.fstat(self._file).st_size
        self._written += os.write(self._file, block)


def line(record: SpanRecord, service: str) -> dict[str, object]:
    """The JSON object of one span; ids in hex, as everywhere outside."""
    parent = record.parent_span_id
    return {
        "trace_id": record.context.trace_hex,
        "span_id": record.context.span_hex,
        "parent_id": None if parent is None else f"{parent:016x}",
        "name": record.name,
        "kind": record.kind.value,
        "start_ns": record.start_ns,
        "end_ns": record.end_ns,
        "attributes": record.attributes,
        "links": [{"trace_id": each.trace_hex, "span_id": each.span_hex} for each in record.links],
        "status": record.status.value,
        "message": record.message,
        "service": service,
    }
