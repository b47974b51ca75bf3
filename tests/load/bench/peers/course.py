"""`./task bench peers`: the same work through others as through us, one after the other."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from mainspring_local.embedded.postgres import Postgres
from mainspring_local.environment import project_root
from tests.load.bench.crew import BenchFailed
from tests.load.bench.gathered import Gathered
from tests.load.bench.histograms import Histogram
from tests.load.bench.live import Progress
from tests.load.bench.peers import servers
from tests.load.bench.peers.drive import (
    Dispatch,
    Prepare,
    Throughput,
    Workflows,
)
from tests.load.bench.peers.driver import Place
from tests.load.bench.peers.driving import Driving
from tests.load.bench.peers.ratios import key_of
from tests.load.bench.peers.servers import LeftOut
from tests.load.bench.peers.traits import TRAITS
from tests.load.bench.plan import Plan

SECONDS_MAX: Final = 60.0
"""Of one peer; what it had found by then is kept."""
MANY: Final = 32
STEPS: Final = 3


def bring_packages() -> None:
    """The dependency group of the peers, beside what is there. Raises BenchFailed."""
    uv = shutil.which("uv")
    if uv is None:
        msg = "peers are brought by uv: start this as `./task bench peers`"
        raise BenchFailed(msg)
    command = [uv, "sync", "--quiet", "--inexact", "--all-packages", "--all-groups", "--all-extras"]
    if subprocess.run(command, cwd=project_root(), check=False).returncode != 0:
        msg = "the packages of the peers could not be brought"
        raise BenchFailed(msg)


async def peers(
    names: Sequence[str], plan: Plan, folder: Path, progress: Progress, gathered: Gathered
) -> None:
    """Each in turn, alone on the machine. One that cannot be had or fails is noted."""
    folder.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        server: Postgres | None = None
        for name in names:
            progress.stage_ended()
            progress.part(name)
            if server is None and name not in ("restate", "temporal"):
                server = await stack.enter_async_context(servers.postgres(folder))
            known = set(gathered.figures)
            try:
                async with asyncio.timeout(SECONDS_MAX), place_of(name, server, folder) as place:
                    driving = Driving(name, place, project_root(), folder / f"{name}.log")
                    await Peer(driving, plan, gathered, progress).measure()
            except LeftOut as reason:
                gathered.notes.append(f"{name} is left out: {reason}")
            except (BenchFailed, TimeoutError) as error:
                gathered.notes.append(f"{name} failed: {error!r}")
            for key in gathered.figures.keys() - known:
                progress.found(f"{key.removeprefix(f'peer_{name}_')} {gathered.figures[key]:.4g}")


@asynccontextmanager
async def place_of(name: str, server: Postgres | None, folder: Path) -> AsyncGenerator[Place]:
    match name:
        case "restate":
            async with servers.restate(folder, project_root() / ".tools" / "peers") as place:
                yield place
        case "temporal":
            async with servers.temporal(folder) as place:
                yield place
        case _:
            assert server is not None
            async with servers.database(server, f"peer_{name}") as place:
                yield place


class Peer:
    def __init__(
        self, driving: Driving, plan: Plan, gathered: Gathered, progress: Progress
    ) -> None:
        self._driving = driving
        self._place = driving.place
        self._plan = plan
        self._gathered = gathered
        self._progress = progress
        self._traits = TRAITS[driving.name]

    async def measure(self) -> None:
        self._gathered.notes.append(f"{self._driving.name}: {self._traits.how}")
        await self._driving.ask(Prepare(place=self._place))
        await self._dispatch()
        await self._throughput()
        if self._traits.steps:
            await self._workflows()

    async def _dispatch(self) -> None:
        self._progress.step("dispatch")
        samples = min(self._traits.samples, self._plan.dispatch_samples)
        pause_s = self._plan.dispatch_pause_s
        order = Dispatch(place=self._place, samples=samples, pause_s=pause_s)
        self._keep_ms("dispatch_idle", (await self._driving.ask(order)).took_ms)

    async def _throughput(self) -> None:
        self._progress.step("throughput")
        tasks = round(self._traits.tasks * self._plan.peers_part)
        async with self._driving.handlers(self._traits.workers):
            answer = await self._driving.ask(Throughput(place=self._place, tasks=tasks))
        self._figure("tasks_per_s", answer.per_s)

    async def _workflows(self) -> None:
        self._progress.step("workflows")
        processes = self._traits.callers_processes
        async with self._driving.handlers(self._traits.handlers):
            one = await self._driving.ask(self._loops(1))
            many = await self._driving.ask_all([self._loops(MANY // processes)] * processes)
        self._keep_ms("workflow3", one.took_ms)
        self._figure("steps_per_s_c32", STEPS * sum(answer.per_s for answer in many))

    def _loops(self, clients: int) -> Workflows:
        plan = self._plan
        return Workflows(
            place=self._place, clients=clients, warm_s=plan.warm_s, window_s=plan.one_s
        )

    def _keep_ms(self, figure: str, encoded: str) -> None:
        name = key_of(self._driving.name, f"{figure}_ms")
        spread = self._gathered.histogram(name, Histogram.summed([encoded]))
        self._figure(f"{figure}_p50_ms", spread.p50)
        self._figure(f"{figure}_p99_ms", spread.p99)

    def _figure(self, figure: str, value: float) -> None:
        self._gathered.figures[key_of(self._driving.name, figure)] = value
