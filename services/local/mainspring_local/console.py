"""What the user reads: one line per event, each with the name of who said it."""

import sys
from pathlib import Path
from typing import IO

import msgspec

LOG_BYTES_MAX = 20 * 1024 * 1024  # per service; the file before it is kept, older ones are not
NAME_WIDTH = 10
COLORS = ("36", "33", "35", "32", "34", "96", "93", "95")
LINE_CHARACTERS_MAX = 2000
CLOCK = slice(11, 19)  # the time of day in an ISO timestamp
SHOWN_APART = ("timestamp", "ts", "time", "level", "message", "event", "msg")
HIDDEN = ("service", "logger", "trace_id", "span_id", "color_message")  # they are in the log file


class Console:
    def __init__(self, stream: IO[str] = sys.stdout) -> None:
        self._stream = stream
        self._colored = stream.isatty()
        self._names: list[str] = []
        self._open: str | None = None

    def say(self, text: str) -> None:
        self.line("mainspring", text)

    def line(self, name: str, text: str) -> None:
        self._close()
        print(f"{self._prefix(name)} {indented(text)}", file=self._stream, flush=True)

    def raw(self, text: str) -> None:
        """A line that is the command's answer, not somebody's news."""
        self._close()
        print(text, file=self._stream)

    def begin(self, name: str) -> None:
        """Opens a line that `more` goes on with; any other line closes it."""
        self._close()
        self._open = name
        print(f"{self._prefix(name)} ", end="", file=self._stream, flush=True)

    def more(self, text: str) -> None:
        if self._open is None:
            self.begin("...")
        print(indented(text), end="", file=self._stream, flush=True)

    def _close(self) -> None:
        if self._open is not None:
            self._open = None
            print(file=self._stream)

    def _prefix(self, name: str) -> str:
        prefix = f"{name:<{NAME_WIDTH}} |"
        if self._colored:
            if name not in self._names:
                self._names.append(name)
            color = COLORS[self._names.index(name) % len(COLORS)]
            prefix = f"\x1b[{color}m{prefix}\x1b[0m"
        return prefix


def indented(text: str) -> str:
    """Lines after the first stand below it, so that what one says stays in one column."""
    return text.replace("\n", f"\n{'':<{NAME_WIDTH}} | ")


def readable(line: str) -> str:
    """A JSON log line as a person wants it; any other line as it came."""
    try:
        entry = msgspec.json.decode(line, type=dict[str, object]) if line[:1] == "{" else None
    except msgspec.DecodeError:
        entry = None
    if entry is None:
        return line[:LINE_CHARACTERS_MAX]
    clock = first(entry, ("timestamp", "ts", "time"))[CLOCK]
    level = first(entry, ("level",)).upper()
    message = first(entry, ("message", "event", "msg"))
    rest = " ".join(
        f"{key}={value}" for key, value in entry.items() if key not in (*SHOWN_APART, *HIDDEN)
    )
    return " ".join(part for part in (clock, level, message, rest) if part)[:LINE_CHARACTERS_MAX]


def first(entry: dict[str, object], names: tuple[str, ...]) -> str:
    return next((str(entry[name]) for name in names if name in entry), "")


class LogFile:
    """Every line of one process, as it came; bounded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = path.open("ab")

    def write(self, line: bytes) -> None:
        if self._handle.tell() > LOG_BYTES_MAX:
            self._handle.close()
            self.path.replace(self.path.with_suffix(".log.1"))
            self._handle = self.path.open("ab")
        self._handle.write(line)
        self._handle.flush()

    def close(self) -> None:
        self._handle.close()

    def tail(self, lines: int) -> list[str]:
        with self.path.open("rb") as handle:
            handle.seek(max(0, self.path.stat().st_size - 64 * 1024))
            return handle.read().decode(errors="replace").splitlines()[-lines:]
