"""What the parts of the bench have found so far, and the recount that guards it."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from tests.load.bench.crew import BenchFailed
from tests.load.bench.ground import Ground, Recount
from tests.load.bench.histograms import Histogram, Spread
from tests.load.bench.orders import Done, Kind
from tests.load.bench.report import Cost, Series
from tests.load.bench.statements import PerTurn

LAG_MS_MAX: Final = 5.0
"""A timer's own coarseness and a busy core; more is a client that cannot keep up."""


class Gathered(Struct, kw_only=True):
    figures: dict[str, float] = field(default_factory=dict)
    spreads: dict[str, Spread] = field(default_factory=dict)
    histograms: dict[str, str] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    statements: list[PerTurn] = field(default_factory=list)
    nested: list[PerTurn] = field(default_factory=list)
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def samples(self, name: str, samples: Sequence[float]) -> Spread:
        """Keeps how the samples spread. Raises BenchFailed without any."""
        return self.histogram(name, Histogram.of(samples))

    def histogram(self, name: str, histogram: Histogram) -> Spread:
        """The same of what was recorded elsewhere."""
        if not histogram.count:
            msg = f"{name}: nothing was measured"
            raise BenchFailed(msg)
        self.spreads[name] = histogram.spread()
        self.histograms[name] = histogram.encode()
        return self.spreads[name]

    def latency(self, name: str, ms: Histogram) -> Spread:
        """Keeps milliseconds under `name`, their P50 and P99 as figures. Raises BenchFailed."""
        spread = self.histogram(f"{name}_ms", ms)
        self.figures[f"{name}_p50_ms"] = spread.p50
        self.figures[f"{name}_p99_ms"] = spread.p99
        return spread

    def lag(self, name: str, lag: Histogram) -> None:
        """Notes a client that could not keep its own schedule: it measured itself as well."""
        late = lag.percentile(0.99)
        if late > LAG_MS_MAX:
            self.notes.append(f"{name}: the client came {late:.1f} ms late to its schedule (P99)")


async def recounted(
    ground: Ground,
    before: Recount | None,
    done: Sequence[Done],
    part: str,
    kind: Kind = "turn",
) -> int:
    """How many of a kind the part made. Raises BenchFailed where clients and rows disagree."""
    after = await ground.recount()
    asked = sum(one.asked for one in done)
    found = {
        "asked by clients": asked,
        "seen to complete by clients": sum(one.completed for one in done),
    }
    others = 0
    if before is not None and after is not None:
        others = after.others - before.others
        found |= _rows(before, after, kind)
    if others or set(found.values()) != {asked}:
        told = ", ".join(f"{count} {what}" for what, count in found.items())
        msg = f"{part}: rows and clients do not agree: {told}; {others} not completed"
        raise BenchFailed(msg)
    return asked


def _rows(before: Recount, after: Recount, kind: Kind) -> dict[str, int]:
    if kind == "task":
        return {"attempts of plain tasks": after.tasks - before.tasks}
    return {
        "messages in the inbox": after.inputs - before.inputs,
        "completed workflows": after.completed - before.completed,
        "turn.completed in the log": after.logged - before.logged,
    }
