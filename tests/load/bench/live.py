"""How far the bench is, while it goes on: a table that fills, or one line per part without a
terminal."""

import sys
import time
from collections import deque
from typing import IO, Final

from msgspec import Struct, field
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

REFRESHES_PER_S: Final = 8
RATES_KEPT: Final = 40
RATE_SECONDS: Final = 0.5
BLOCKS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: list[float]) -> str:
    """One block per value, the largest one full."""
    top = max(values, default=0.0)
    if top <= 0:
        return BLOCKS[0] * len(values)
    return "".join(BLOCKS[round(value / top * (len(BLOCKS) - 1))] for value in values)


class Part(Struct, kw_only=True):
    name: str
    began_s: float
    ended_s: float | None = None
    text: str = ""
    found: list[str] = field(default_factory=list)


class Rates:
    """How many came per second, from a count that only rises."""

    def __init__(self) -> None:
        self.values: deque[float] = deque(maxlen=RATES_KEPT)
        self._count = 0
        self._at_s = 0.0

    def note(self, count: int, now_s: float) -> None:
        if count < self._count or not self._at_s:
            self._count, self._at_s = count, now_s
        elif now_s - self._at_s >= RATE_SECONDS:
            self.values.append((count - self._count) / (now_s - self._at_s))
            self._count, self._at_s = count, now_s


class Progress:
    """Stages of one or more parts, one after the other. Use as a context manager."""

    def __init__(self, stages: int, stream: IO[str] = sys.stderr) -> None:
        self._stages = stages
        self._stage = 1
        self._stream = stream
        self._parts: list[Part] = []
        self._rates = Rates()
        self._began_s = time.monotonic()
        self._live: Live | None = None
        if stream.isatty():
            console = Console(file=stream)
            self._live = Live(
                console=console, get_renderable=self._table, refresh_per_second=REFRESHES_PER_S
            )

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_part()
        if self._live is not None:
            self._live.stop()

    def part(self, name: str) -> None:
        """Begins the next part."""
        self._end_part()
        self._parts.append(Part(name=name, began_s=time.monotonic()))
        self._rates = Rates()
        if self._live is None:
            elapsed = time.monotonic() - self._began_s
            head = f"{self._stage}/{self._stages} {elapsed:4.0f} s"
            print(f"{head}  {name}", file=self._stream, flush=True)

    def stage_ended(self) -> None:
        """All its parts are over."""
        self._stage += 1

    def step(self, text: str) -> None:
        """Says how the part goes; only a terminal shows it."""
        if self._parts:
            self._parts[-1].text = text

    def count(self, done: int, what: str) -> None:
        """The same with a number that rises, from which the rate is drawn."""
        self._rates.note(done, time.monotonic())
        self.step(f"{done:,} {what}")

    def found(self, text: str) -> None:
        """A result of this part."""
        if self._parts:
            self._parts[-1].found.append(text)

    def _end_part(self) -> None:
        if self._parts and self._parts[-1].ended_s is None:
            self._parts[-1].ended_s = time.monotonic()
            self._parts[-1].text = ""

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for part in self._parts:
            table.add_row(*self._row(part))
        ended = self._stage - 1
        bar = ProgressBar(total=self._stages, completed=ended, width=RATES_KEPT)
        elapsed = Text(f"{time.monotonic() - self._began_s:.0f} s", style="dim")
        foot = Table.grid(padding=(0, 2))
        foot.add_row(bar, f"{ended}/{self._stages}", elapsed)
        return Group(table, foot)

    def _row(self, part: Part) -> list[RenderableType]:
        now = time.monotonic() if part.ended_s is None else part.ended_s
        seconds = Text(f"{now - part.began_s:.0f} s", style="dim", justify="right")
        if part.ended_s is not None:
            return [Text("✓", style="green"), part.name, seconds, "  ".join(part.found)]
        values = list(self._rates.values)
        shown = Text(part.text)
        if values:
            shown.append(f"  {values[-1]:,.0f}/s ", style="bold")
            shown.append(sparkline(values), style="cyan")
        return [Spinner("dots"), Text(part.name, style="bold"), seconds, shown]
