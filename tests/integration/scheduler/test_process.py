"""The scheduler as a process: settings, duties, health, drain."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from mainspring_rpc import probe
from mainspring_testkit.fixtures import Database as OwnDatabase
from mainspring_testkit.servers import free_port
from tests.integration.scheduler.others import Engine, EventStore, listen

SWEEP_KINDS = {1, 2, 3}


class Launch:
    """Starts schedulers; what still lives at the end of the test is killed."""

    def __init__(self) -> None:
        self._started: list[Process] = []

    async def __call__(self, **settings: str) -> Process:
        plain = {k: v for k, v in os.environ.items() if not k.startswith("MAINSPRING_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mainspring_scheduler",
            env=plain | {f"MAINSPRING_{name.upper()}": value for name, value in settings.items()},
            stderr=PIPE,
        )  # fmt: skip
        self._started.append(process)
        return process

    async def end(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.communicate()


@pytest.fixture
async def launch() -> AsyncIterator[Launch]:
    launch = Launch()
    yield launch
    await launch.end()


@dataclass(frozen=True, kw_only=True)
class Stack:
    engine: Engine
    log: EventStore
    settings: dict[str, str]


@pytest.fixture
async def stack(database: OwnDatabase) -> AsyncIterator[Stack]:
    engine, log = Engine(), EventStore()
    server = await listen(engine, log)
    yield Stack(
        engine=engine,
        log=log,
        settings={
            "database_url": database.url("scheduler_run"),
            "engine_addr": server.address,
            "eventstore_addr": server.address,
            "scheduler_bind": f"127.0.0.1:{free_port()}",
        },
    )
    await server.stop(0)


async def test_a_started_scheduler_serves_its_duties_answers_health_and_drains(
    stack: Stack, database: OwnDatabase, launch: Launch
) -> None:
    process = await launch(**stack.settings)
    swept = {await stack.engine.kinds.get() for _ in SWEEP_KINDS}
    await stack.log.upkeeps.get()

    assert swept == SWEEP_KINDS
    while not await probe.serving(stack.settings["scheduler_bind"]):
        continue  # the first duties may be out before health answers; pytest's timeout is the bound
    process.send_signal(signal.SIGTERM)
    _, told = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert database.sql("select count(*) from scheduler.duty where taken_at is not null") == "5\n"


async def test_two_replicas_survive_the_death_of_one(stack: Stack, launch: Launch) -> None:
    first = await launch(**stack.settings)
    second = await launch(**stack.settings | {"scheduler_bind": f"127.0.0.1:{free_port()}"})
    for _ in range(6):  # both have planted: each start makes everything due
        await stack.engine.kinds.get()

    first.kill()
    await first.communicate()
    while not stack.engine.kinds.empty():
        stack.engine.kinds.get_nowait()

    assert {await stack.engine.kinds.get() for _ in SWEEP_KINDS} <= SWEEP_KINDS
    second.terminate()
    await second.communicate()
    assert second.returncode == 0


async def test_bad_settings_are_a_line_each(launch: Launch) -> None:
    process = await launch(scheduler_bind="0.0.0.0:9004", engine_addr="nowhere")
    _, told = await process.communicate()

    lines = told.decode().splitlines()
    assert process.returncode == 2
    assert [line.split(": ")[1] for line in lines] == [
        "MAINSPRING_DATABASE_URL",
        "MAINSPRING_ENGINE_ADDR",
        "MAINSPRING_EVENTSTORE_ADDR",
        "MAINSPRING_SCHEDULER_BIND",
    ]
