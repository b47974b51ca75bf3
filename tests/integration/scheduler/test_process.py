"""The scheduler as a process: settings, duties, health, drain."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from mainspring_rpc import Channel, ScheduleClient, probe
from mainspring_rpc.generated.scheduler.v1 import scheduler_pb2 as pb
from mainspring_schema import codec
from mainspring_schema.schedules import CreateSchedule, Interval, MessageTarget, Spec
from mainspring_testkit.fixtures import Database as OwnDatabase
from mainspring_testkit.servers import free_port
from tests.integration.scheduler.others import Api, Engine, EventStore, listen

SWEEP_KINDS = {1, 2, 3}
SCHEDULES = 4


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
    api: Api
    settings: dict[str, str]


@pytest.fixture
async def stack(database: OwnDatabase) -> AsyncIterator[Stack]:
    engine, log, api = Engine(), EventStore(), Api()
    server = await listen(engine, log, api)
    yield Stack(
        engine=engine,
        log=log,
        api=api,
        settings={
            "database_url": database.url("scheduler_run"),
            "engine_addr": server.address,
            "eventstore_addr": server.address,
            "resource_addr": server.address,
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
    assert database.sql("select count(*) from scheduler.duty where taken_at is not null") == "6\n"


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


async def test_three_processes_fire_each_slot_once_although_one_is_killed(
    stack: Stack, launch: Launch
) -> None:
    binds = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    processes = [await launch(**stack.settings | {"scheduler_bind": bind}) for bind in binds]
    channel = Channel(binds[0])
    client = ScheduleClient(channel)
    await asyncio.gather(*(probed(bind) for bind in binds))
    for number in range(SCHEDULES):
        await client.create_schedule(
            pb.CreateScheduleRequest(command=codec.pack(each_second(number)))
        )

    posts = [await stack.api.posts.get() for _ in range(2 * SCHEDULES)]
    processes[0].kill()
    posts += [await stack.api.posts.get() for _ in range(6 * SCHEDULES)]

    messages: dict[tuple[object, object], set[UUID]] = {}
    for post in posts:
        slot = (post.metadata["schedule_id"], post.metadata["scheduled_at"])
        messages.setdefault(slot, set()).add(post.message_id)
    assert len({schedule for schedule, _ in messages}) == SCHEDULES
    # What the killed one had begun was asked again, with the same message.
    assert {len(ids) for ids in messages.values()} == {1}
    await channel.close()


def each_second(number: int) -> CreateSchedule:
    return CreateSchedule(
        org_id=UUID(int=1),
        id=UUID(int=100 + number),
        spec=Spec(
            name=f"s{number}",
            timing=Interval(every_ms=1000),
            target=MessageTarget(message=b"{}"),
            overlap="allow_all",
        ),
    )


async def probed(bind: str) -> None:
    while not await probe.serving(bind):
        continue  # pytest's timeout is the bound


async def test_bad_settings_are_a_line_each(launch: Launch) -> None:
    process = await launch(scheduler_bind="0.0.0.0:9004", engine_addr="nowhere")
    _, told = await process.communicate()

    lines = told.decode().splitlines()
    assert process.returncode == 2
    assert [line.split(": ")[1] for line in lines] == [
        "MAINSPRING_DATABASE_URL",
        "MAINSPRING_ENGINE_ADDR",
        "MAINSPRING_EVENTSTORE_ADDR",
        "MAINSPRING_RESOURCE_ADDR",
        "MAINSPRING_SCHEDULER_BIND",
    ]
