"""Temporal: its development server, and workers over gRPC."""

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.load.bench.peers.driver import Driver, Entered, Place

QUEUE = "bench"
TIMEOUT = timedelta(seconds=30)


@activity.defn
async def step(number: int) -> int:
    return number


class Handler:
    """A workflow object is made anew for each task, so what it calls hangs here."""

    entered: Entered = staticmethod(lambda _: None)


@workflow.defn
class Task:
    @workflow.run
    async def run(self, number: int) -> None:
        Handler.entered(number)


@workflow.defn
class Three:
    @workflow.run
    async def run(self) -> int:
        number = 1
        for _ in range(3):
            number = await workflow.execute_activity(step, number, start_to_close_timeout=TIMEOUT)
        return number


class Peer:
    def __init__(self, place: Place) -> None:
        self._server = place.server
        self._client: Client | None = None
        self._count = 0

    async def prepare(self) -> None:
        """Nothing: the server makes its own file."""

    async def work(self, entered: Entered, ready: Callable[[], None]) -> None:
        Handler.entered = staticmethod(entered)
        client = await Client.connect(self._server)
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[Task, Three],
            activities=[step],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        asyncio.get_running_loop().call_later(1.0, ready)
        await worker.run()

    async def open(self) -> None:
        self._client = await Client.connect(self._server)

    async def close(self) -> None:
        return

    async def submit(self, numbers: Sequence[int]) -> None:
        assert self._client is not None
        for number in numbers:
            await self._client.start_workflow(
                Task.run, number, id=self._id("task"), task_queue=QUEUE
            )

    async def finished(self) -> int | None:
        return None

    async def complete(self, number: int) -> None:
        assert self._client is not None
        await self._client.execute_workflow(Task.run, number, id=self._id("task"), task_queue=QUEUE)

    async def workflow(self) -> None:
        assert self._client is not None
        await self._client.execute_workflow(Three.run, id=self._id("three"), task_queue=QUEUE)

    def _id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{os.getpid()}-{self._count}"


def driver(place: Place) -> Driver:
    return Peer(place)
