"""Where the services spend their time: py-spy's samples of every service during one load."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from mainspring_local.program import tie_to_parent

SERVICES: Final = ("api", "engine", "eventstore", "worker")
SAMPLES_PER_S: Final = 200
SHOWN: Final = 25


@asynccontextmanager
async def sampled(folder: Path, pids: Mapping[str, int], notes: list[str]) -> AsyncGenerator[None]:
    """Samples while the block goes on, which is slower for it; what it found goes to the notes."""
    folder.mkdir(parents=True, exist_ok=True)
    sought = [name for name in SERVICES if name in pids]
    spies = [
        await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "py-spy"), "record", "--format", "raw",
            "--output", str(folder / f"{name}.txt"), "--pid", str(pids[name]),
            "--rate", str(SAMPLES_PER_S), "--gil",
            stdout=DEVNULL, stderr=DEVNULL, stdin=DEVNULL,
            preexec_fn=tie_to_parent(os.getpid(), signal.SIGKILL),
        )
        for name in sought
    ]  # fmt: skip
    try:
        yield
    finally:
        for spy in spies:
            with suppress(ProcessLookupError):  # whom it watched is gone, and so is it
                spy.send_signal(signal.SIGINT)
        for spy in spies:
            await spy.wait()
    notes += [
        shown(name, samples.read_text().splitlines())
        for name in sought
        if (samples := folder / f"{name}.txt").exists()
    ]


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
