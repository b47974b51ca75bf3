"""The course of a bench: a ground, the scenarios on it one after the other, and a report."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_local.environment import project_root
from tests.load.bench import accounting, machine, processes
from tests.load.bench.arguments import Arguments, plan_of
from tests.load.bench.bench import Bench
from tests.load.bench.crew import BenchFailed
from tests.load.bench.gathered import Gathered
from tests.load.bench.ground import Ground, OwnStack, ground
from tests.load.bench.live import Progress
from tests.load.bench.peers.course import peers
from tests.load.bench.peers.ratios import ratios
from tests.load.bench.plan import Plan
from tests.load.bench.report import Report, number
from tests.load.bench.sampler import Sampler
from tests.load.bench.scenarios.catalogue import TRACED, Scenario, chosen
from tests.load.bench.scenarios.keys import KEYS
from tests.load.bench.sessions import create_agent
from tests.load.bench.statements import Dead
from tests.load.bench.target import Target, require_loopback, target_ground, target_of
from tests.load.bench.targets import TARGETS
from tests.load.bench.wire import Connection

MODEL: Final = "llmsim"
SHOWN: Final = 3
"""Figures that the live view has room for, behind each scenario."""


class Course(Struct, frozen=True, kw_only=True):
    """What is to be done, checked before anything is started."""

    plan: Plan
    scenarios: Mapping[str, Scenario]
    target: Target | None
    sampling: float
    profile: Path | None


def course_of(parsed: Arguments) -> Course:
    """Raises BenchFailed for what cannot be done."""
    if parsed.peers and parsed.target:
        msg = "peers are measured beside a stack of this machine's own, without --target"
        raise BenchFailed(msg)
    plan = plan_of(parsed)
    target = None
    if parsed.target:
        target = target_of(parsed.target, parsed.engine, parsed.postgres)
        if not parsed.allow_remote:
            require_loopback(target)
    database = target is None or bool(target.postgres)
    scenarios = chosen(parsed.scenarios, own=target is None, database=database)
    return Course(
        plan=plan, scenarios=scenarios, target=target, sampling=parsed.sampling,
        profile=parsed.profile,
    )  # fmt: skip


async def conduct(parsed: Arguments, folder: Path) -> Report:
    """Raises BenchFailed, and whatever keeps a stack from starting."""
    course = course_of(parsed)
    calibration = machine.calibration(folder)
    gathered = Gathered()
    sampling = dict.fromkeys(course.scenarios, course.sampling)
    traced = TRACED if course.plan.traced else {}
    stages = len(course.scenarios) + 1 + (len(traced) + 1 if traced else 0) + len(parsed.peers)
    with Progress(stages) as progress:
        progress.part("starting a stack" if course.target is None else "reaching the stack")
        async with stood(course, folder, course.sampling) as ready:
            await ready.require_durable()
            postgres = await ready.postgres_version()
            await carry_out(course, course.scenarios, ready, folder, progress, gathered)
            dead = await accounting.dead_tuples(ready)
            await note_holdings(ready, gathered)
        if traced:
            progress.stage_ended()
            progress.part("starting it again, every trace recorded")
            async with ground(folder / "home", 1.0) as again:
                await carry_out(course, traced, again, folder, progress, gathered)
            sampling |= dict.fromkeys(traced, 1.0)
        if parsed.peers:
            await peers(parsed.peers, course.plan, folder / "peers", progress, gathered)
            gathered.figures |= ratios(gathered.figures)
    found = Found(calibration=calibration, postgres=postgres, sampling=sampling, dead=dead)
    return report_of(parsed, course, found, gathered)


class Found(Struct, frozen=True, kw_only=True):
    """About the ground, beside what the scenarios gathered."""

    calibration: dict[str, float]
    postgres: str
    sampling: dict[str, float]
    dead: list[Dead]


def report_of(parsed: Arguments, course: Course, found: Found, gathered: Gathered) -> Report:
    return Report(
        machine=machine.machine(),
        calibration=found.calibration,
        versions=machine.versions(found.postgres),
        commit=machine.commit(project_root()),
        settings=settings_of(parsed, course),
        sampling=found.sampling,
        figures=gathered.figures,
        spreads=gathered.spreads,
        histograms=gathered.histograms,
        series=gathered.series,
        statements=gathered.statements,
        nested=gathered.nested,
        costs=gathered.costs,
        counts=gathered.counts,
        notes=gathered.notes,
        dead=found.dead,
    )


@asynccontextmanager
async def stood(course: Course, folder: Path, ratio: float) -> AsyncGenerator[Ground]:
    if course.target is not None:
        async with target_ground(course.target) as found:
            yield found
    else:
        async with ground(folder / "home", ratio) as own:
            yield own


async def carry_out(
    course: Course,
    scenarios: Mapping[str, Scenario],
    ready: Ground,
    folder: Path,
    progress: Progress,
    gathered: Gathered,
) -> None:
    connection = Connection(ready.api)
    agent_id = await create_agent(connection, await simulator(connection))
    connection.close()
    async with Sampler(ready) as sampler:
        bench = Bench(
            ground=ready,
            root=project_root(),
            folder=folder,
            agent_id=agent_id,
            plan=course.plan,
            progress=progress,
            gathered=gathered,
            sampler=sampler,
            profile=course.profile,
        )
        for name, scenario in scenarios.items():
            progress.stage_ended()
            known = set(gathered.figures)
            await scenario.part(bench)
            missing = [key for key in KEYS[name](course.plan) if key not in gathered.figures]
            if missing:
                gathered.notes.append(f"{name} left no {', '.join(missing)}")
            for text in headlines(gathered.figures, known):
                progress.found(text)
    if sampler.memory.lines and scenarios is course.scenarios:
        gathered.series["memory"] = sampler.memory


def headlines(figures: Mapping[str, float], known: set[str]) -> list[str]:
    """What came new and was promised, as much of it as a line has room for."""
    new = [key for key in figures if key not in known and key in TARGETS]
    return [f"{key} {number(figures[key])}" for key in new[:SHOWN]]


async def note_holdings(ready: Ground, gathered: Gathered) -> None:
    """Memory and connections at the end."""
    if isinstance(ready, OwnStack):
        for name, one in processes.usage(ready.pids()).items():
            gathered.figures[f"rss_mib_{name}"] = one.memory_mib
    if ready.database is not None:
        connections = await ready.connections()
        gathered.figures["postgres_connections"] = sum(connections.values())
        for name, count in connections.items():
            gathered.counts[f"connections of {name}"] = count


def settings_of(parsed: Arguments, course: Course) -> dict[str, str]:
    """What was asked for; no password of a database URL."""
    found = {"scenarios": " ".join(course.scenarios), "quick": str(parsed.quick).lower()}
    if course.target is not None:
        api = course.target.api
        found["target"] = f"{api.host}:{api.port}"
        found["engines"] = ",".join(course.target.engines)
    plan = msgspec.to_builtins(course.plan)
    return found | {name: msgspec.json.encode(value).decode() for name, value in plan.items()}


class _Model(Struct, frozen=True):
    id: str
    model_id: str


class _Models(Struct, frozen=True):
    data: list[_Model]


async def simulator(connection: Connection) -> str:
    """The id of the model that answers at once. Raises BenchFailed where there is none."""
    answer = await connection.call("GET", "/models", None)
    for model in msgspec.json.decode(answer, type=_Models).data:
        if model.model_id == MODEL:
            return model.id
    msg = f"the stack has no model {MODEL}, which answers at once"
    raise BenchFailed(msg)
