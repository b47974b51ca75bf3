"""The world outside: one line per effect, on disk before the tool knows that it happened.

Lines are appended by several processes and never taken back, whatever dies.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

What = Literal["applied", "model", "step"]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An effect, a model call that was paid, or the mark of a step. `token` names the call."""

    what: What
    tool: str
    token: str
    key: str
    session: str = ""
    pid: int = 0


class Ledger:
    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: Line) -> None:
        """Returns when the disk has it."""
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, msgspec.json.encode(line) + b"\n")
            os.fdatasync(handle)
        finally:
            os.close(handle)

    def read(self) -> list[Line]:
        if not self._path.exists():
            return []
        decoder = msgspec.json.Decoder(Line)
        with self._path.open("rb") as lines:
            return [decoder.decode(line) for line in lines]

    def effect_keys(self) -> set[str]:
        """Of all effects so far."""
        return {line.key for line in self.read() if line.what == "applied"}
