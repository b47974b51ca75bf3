"""What every scenario gets, and how it accounts for what it did."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from msgspec import Struct

from tests.load.bench import accounting, processes
from tests.load.bench.accounting import Mark
from tests.load.bench.crew import BenchFailed, Crew
from tests.load.bench.gathered import Gathered
from tests.load.bench.ground import Ground, OwnStack
from tests.load.bench.live import Progress
from tests.load.bench.orders import Open
from tests.load.bench.plan import Plan
from tests.load.bench.profile import sampled
from tests.load.bench.report import Cost
from tests.load.bench.sampler import Sampler

QUIET_CORES = 0.15  # the bench itself and the kernel's own work stay below


class Bench(Struct, frozen=True, kw_only=True):
    ground: Ground
    root: Path
    folder: Path
    """For what processes of this bench write; gone with it."""
    agent_id: str
    plan: Plan
    progress: Progress
    gathered: Gathered
    sampler: Sampler
    profile: Path | None = None
    """Where samples of the services go; None takes none."""

    @property
    def own(self) -> OwnStack:
        """Raises BenchFailed on a stack that somebody else started."""
        if isinstance(self.ground, OwnStack):
            return self.ground
        msg = "this stops and counts processes: it needs a stack of its own, without --target"
        raise BenchFailed(msg)

    def opening(self, sessions: int, org_ids: Sequence[str] = ("",)) -> Open:
        return Open(
            host=self.ground.host,
            port=self.ground.port,
            agent_id=self.agent_id,
            org_ids=list(org_ids),
            sessions=sessions,
        )

    def crew(self, size: int) -> Crew:
        return Crew(self.root, size)

    def profiler(self, load: str = "") -> AbstractAsyncContextManager[None]:
        """`load` is the folder's part for one of several in a bench."""
        if self.profile is None:
            return nullcontext()
        return sampled(self.profile / load, self.ground.pids(), self.gathered.notes)

    def tell(self, done: int) -> None:
        self.progress.count(done, "turns")

    async def mark(self) -> Mark:
        return await accounting.mark(self.ground)


async def account(
    bench: Bench,
    load: str,
    before: Mark,
    clients_cpu_s: float,
    units: int,
    others: Sequence[Cost] = (),
) -> Mark:
    """Keeps the costs of the load that ended now; `others` had processes of their own."""
    after = await bench.mark()
    costs = processes.costs(before.usage, after.usage, units)
    costs = [*costs, *others, clients_cost(clients_cpu_s, units)]
    bench.gathered.costs[load] = costs
    known = sum(cost.cpu_s for cost in costs)
    seconds = after.at_s - before.at_s
    cores = processes.others(after.busy_s - before.busy_s, known, seconds)
    # A machine that does other things as well measures them too.
    if before.usage and cores > QUIET_CORES:
        note = f"{load}: other processes of this machine used {cores:.1f} cores meanwhile"
        bench.gathered.notes.append(note)
    return after


def clients_cost(cpu_s: float, units: int) -> Cost:
    per_unit = cpu_s * 1000 / max(units, 1)
    return Cost(process="(clients)", cpu_s=cpu_s, cpu_ms_per_unit=per_unit, memory_mib=0.0)
