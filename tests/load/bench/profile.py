"""Where the services spend their time: py-spy's samples of every service during one part."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from tests.load.bench.measure import Bench

SERVICES: Final = ("api", "engine", "eventstore", "worker")
SAMPLES_PER_S: Final = 200
SHOWN: Final = 25


def profiled(
    part: Callable[[Bench], Awaitable[None]], folder: Path
) -> Callable[[Bench], Awaitable[None]]:
    """The part with py-spy beside it; its figures are slower than without."""

    async def with_samples(bench: Bench) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pids = bench.ground.pids()
        seconds = bench.plan.warm_s + bench.plan.many_s
        spies = [
            await asyncio.create_subprocess_exec(
                str(Path(sys.executable).parent / "py-spy"), "record", "--format", "raw",
                "--output", str(folder / f"{name}.txt"), "--pid", str(pids[name]),
                "--rate", str(SAMPLES_PER_S), "--duration", str(round(seconds)),
                stdout=DEVNULL, stderr=DEVNULL, stdin=DEVNULL,
            )
            for name in SERVICES
        ]  # fmt: skip
        try:
            await part(bench)
        finally:
            for spy in spies:
                await spy.wait()
        for name in SERVICES:
            lines = (folder / f"{name}.txt").read_text().splitlines()
            bench.gathered.notes.append(shown(name, lines))

    return with_samples


def shown(name: str, stacks: Iterable[str]) -> str:
    """The functions in which the samples lie: by themselves, and with all they call."""
    own, total, samples = counted(stacks)
    rows = [
        f"{count / samples:6.1%} own  {total[frame] / samples:6.1%} all  {frame}"
        for frame, count in own.most_common(SHOWN)
    ]
    heavy = [
        f"{count / samples:6.1%} all  {frame}" for frame, count in total.most_common(2 * SHOWN)
    ]
    return "\n".join([f"{name}: {samples} samples", *rows, "", *heavy])


def counted(stacks: Iterable[str]) -> tuple[Counter[str], Counter[str], int]:
    """Own samples, samples with callees, and how many there were."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    samples = 0
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            total[frame] += int(count)
        samples += int(count)
    return own, total, samples
