"""One line that says how far the bench is; on anything but a terminal, one line per part."""

import sys
import time
from typing import IO, Final

WIDTH: Final = 24
CLEAR: Final = "\r\x1b[2K"


def bar(part: float, width: int = WIDTH) -> str:
    """A bar of which `part` (0 to 1) is filled."""
    filled = round(min(max(part, 0.0), 1.0) * width)
    return "█" * filled + "·" * (width - filled)


class Progress:
    def __init__(self, parts: int, stream: IO[str] = sys.stderr) -> None:
        self._parts = parts
        self._number = 0
        self._name = ""
        self._stream = stream
        self._live = stream.isatty()
        self._began = time.monotonic()

    def part(self, name: str) -> None:
        """Begins the next part."""
        self._number += 1
        self._name = name
        if self._live:
            self.step("")
        else:
            print(self._line("", filled=False), file=self._stream, flush=True)

    def step(self, text: str) -> None:
        """Says how the part goes; only a terminal shows it."""
        if self._live:
            line = self._line(text, filled=True)
            print(f"{CLEAR}{line}", end="", file=self._stream, flush=True)

    def end(self) -> None:
        if self._live:
            print(CLEAR, end="", file=self._stream, flush=True)

    def _line(self, text: str, *, filled: bool) -> str:
        shown = f"{bar((self._number - 1) / self._parts)} " if filled else ""
        elapsed = time.monotonic() - self._began
        head = f"{shown}{self._number}/{self._parts} {elapsed:4.0f} s  {self._name}"
        return f"{head}  {text}".rstrip()
