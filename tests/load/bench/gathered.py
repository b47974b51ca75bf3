"""What the parts of the bench have found so far, and the recount that guards it."""

from collections.abc import Sequence

from msgspec import Struct, field

from tests.load.bench.crew import BenchFailed
from tests.load.bench.ground import Ground, Recount
from tests.load.bench.orders import Done
from tests.load.bench.percentiles import Spread, spread
from tests.load.bench.report import Cost
from tests.load.bench.statements import PerTurn


class Gathered(Struct, kw_only=True):
    figures: dict[str, float] = field(default_factory=dict)
    spreads: dict[str, Spread] = field(default_factory=dict)
    statements: list[PerTurn] = field(default_factory=list)
    nested: list[PerTurn] = field(default_factory=list)
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def samples(self, name: str, samples: Sequence[float]) -> Spread:
        """Keeps how the samples spread. Raises BenchFailed without any."""
        if not samples:
            msg = f"{name}: nothing was measured"
            raise BenchFailed(msg)
        self.spreads[name] = spread(samples)
        return self.spreads[name]


async def recounted(ground: Ground, before: Recount, done: Sequence[Done], part: str) -> int:
    """How many turns the part made. Raises BenchFailed where clients and rows disagree."""
    after = await ground.recount()
    asked = sum(one.asked for one in done)
    found = {
        "asked by clients": asked,
        "seen to complete by clients": sum(one.completed for one in done),
        "messages in the inbox": after.inputs - before.inputs,
        "completed workflows": after.completed - before.completed,
        "turn.completed in the log": after.logged - before.logged,
    }
    if after.others or set(found.values()) != {asked}:
        told = ", ".join(f"{count} {what}" for what, count in found.items())
        msg = f"{part}: rows and clients do not agree: {told}; {after.others} not completed"
        raise BenchFailed(msg)
    return asked
