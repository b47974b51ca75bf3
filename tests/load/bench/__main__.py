"""Measures the stack: `python -m tests.load.bench`, or `./task bench`.

It starts a stack of its own in a temporary folder, loads it from other processes, recounts the rows
afterwards and prints what was reached beside what was promised.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mainspring_kernel.errors import MainspringError
from mainspring_local.environment import project_root
from mainspring_local.errors import StartProblem
from tests.load.bench import machine, measure, report
from tests.load.bench.crew import BenchFailed
from tests.load.bench.gathered import Gathered
from tests.load.bench.ground import QUERIES, Ground, ground
from tests.load.bench.plan import Plan, quick
from tests.load.bench.progress import Progress
from tests.load.bench.recovery import recovery
from tests.load.bench.sessions import create_agent
from tests.load.bench.wire import Address, Connection, WireProblem

MODEL: Final = "llmsim"
SECONDS_MAX: Final = 235.0
INTERRUPTED: Final = 130
Part = Callable[[measure.Bench], Awaitable[None]]
# Dispatch comes last: it stops the stack's worker.
PARTS: Final[dict[str, Part]] = {
    "idle": measure.idle,
    "c1": measure.turns_of_one,
    "c32": measure.turns_of_many,
    "sse": measure.streams,
    "history": measure.history,
    "recovery": recovery,
    "dispatch": measure.dispatch,
}


class Arguments(argparse.Namespace):
    json: Path | None = None
    quick: bool = False
    streams: int = 200
    history: int = 200
    only: str = ""
    profile: Path | None = None
    sampling: float = 0.0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="./task bench", description="Measures the stack.")
    top.add_argument("--json", type=Path, metavar="FILE", help="also write one JSON object")
    top.add_argument("--quick", action="store_true", help="less than a minute, rougher figures")
    top.add_argument("--streams", type=int, metavar="N", help="open streams (2000 is promised)")
    top.add_argument("--history", type=int, metavar="N", help="messages of the old session")
    top.add_argument("--only", metavar="PARTS", help=f"some of {','.join(PARTS)}; no traced pass")
    top.add_argument("--sampling", type=float, metavar="RATIO", help="of traces; 0 by default")
    top.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="samples of the services; slows them"
    )
    return top


def plan_of(parsed: Arguments) -> Plan:
    plan = Plan(streams=parsed.streams, history=parsed.history, traced=not parsed.only)
    return quick(plan) if parsed.quick else plan


def parts_of(parsed: Arguments) -> dict[str, Part]:
    """Raises BenchFailed for a part that does not exist."""
    names = parsed.only.split(",") if parsed.only else list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        msg = f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}"
        raise BenchFailed(msg)
    return {name: part for name, part in PARTS.items() if name in names}


class Found(msgspec.Struct, frozen=True):
    """What the parts gathered, and on which server."""

    gathered: Gathered
    postgres: str
    calibration: dict[str, float]
    sampling: dict[str, float]


async def run(parsed: Arguments, folder: Path) -> Found:
    plan, parts = plan_of(parsed), parts_of(parsed)
    progress = Progress(len(parts) + 1 + (len(TRACED) + 1 if plan.traced else 0))
    gathered = Gathered()

    def make(ready: Ground, agent_id: str) -> measure.Bench:
        return measure.Bench(
            ground=ready,
            agent_id=agent_id,
            plan=plan,
            progress=progress,
            gathered=gathered,
            profile=parsed.profile,
        )

    sampling = dict.fromkeys(parts, parsed.sampling)
    calibration = machine.calibration(folder)
    try:
        progress.part("starting a stack")
        async with ground(folder / "home", parsed.sampling) as ready:
            await ready.require_durable()
            postgres = await ready.database.fetchval_as(str, QUERIES["server_version"])
            await carry_out(ready, parts, make)
            for name, count in (await ready.connections()).items():
                gathered.counts[f"connections of {name}"] = count
        if plan.traced:
            progress.part("starting it again, every trace recorded")
            async with ground(folder / "home", 1.0) as ready:
                await carry_out(ready, TRACED, make)
            sampling |= dict.fromkeys(TRACED, 1.0)
    finally:
        progress.end()
    return Found(gathered, postgres, calibration, sampling)


def report_of(found: Found) -> report.Report:
    gathered = found.gathered
    return report.Report(
        machine=machine.machine(),
        calibration=found.calibration,
        versions=machine.versions(found.postgres),
        commit=machine.commit(project_root()),
        sampling=found.sampling,
        figures=gathered.figures,
        spreads=gathered.spreads,
        statements=gathered.statements,
        nested=gathered.nested,
        costs=gathered.costs,
        counts=gathered.counts,
        notes=gathered.notes,
    )


async def one_traced(bench: measure.Bench) -> None:
    await measure.turns_of_one(bench, "_traced")


async def many_traced(bench: measure.Bench) -> None:
    await measure.turns_of_many(bench, "_traced")


TRACED: Final[dict[str, Part]] = {"c1_traced": one_traced, "c32_traced": many_traced}
Make = Callable[[Ground, str], measure.Bench]


async def carry_out(ready: Ground, parts: dict[str, Part], make: Make) -> None:
    connection = Connection(Address(host=ready.host, port=ready.port))
    agent_id = await create_agent(connection, await simulator(connection))
    connection.close()
    bench = make(ready, agent_id)
    for part in parts.values():
        await part(bench)


class _Model(msgspec.Struct, frozen=True):
    id: str
    model_id: str


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model]


async def simulator(connection: Connection) -> str:
    """The id of the model that answers at once."""
    answer = await connection.call("GET", "/models", None)
    models = msgspec.json.decode(answer, type=_Models).data
    return next(model.id for model in models if model.model_id == MODEL)


async def until_stopped(work: Awaitable[Found]) -> Found | None:
    """None where a signal ended it first; all it started has ended then as well."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    working = asyncio.ensure_future(work)
    signalled = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({working, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if not working.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return None
    return working.result()


async def bounded(parsed: Arguments, folder: Path) -> Found:
    # More streams and longer histories are asked for by hand: those may take their time.
    larger = parsed.streams > 200 or parsed.history > 200
    async with asyncio.timeout(None if larger else SECONDS_MAX):
        return await run(parsed, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser().parse_args(arguments, namespace=Arguments())
    folder = Path(tempfile.mkdtemp(prefix="mainspring-bench-"))
    began = time.monotonic()
    try:
        found = asyncio.run(until_stopped(bounded(parsed, folder)))
    except (BenchFailed, StartProblem, WireProblem, MainspringError, TimeoutError) as error:
        kept = folder.with_name(f"{folder.name}-logs")
        shutil.copytree(folder / "home" / "logs", kept)
        print(f"bench: failed: {error!r}; logs are kept in {kept}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if found is None:
        print("bench: stopped", file=sys.stderr)
        return INTERRUPTED
    shown = report_of(found)
    if parsed.json is not None:
        parsed.json.write_bytes(report.encode(shown))
    print(report.render(shown))
    print(
        f"{len(report.missed(shown.figures))} targets missed; commit {shown.commit}, "
        f"{shown.machine['cores']} cores, {time.monotonic() - began:.0f} s"
    )
    return 0


if __name__ == "__main__":
    os.chdir(project_root())
    sys.exit(main())
