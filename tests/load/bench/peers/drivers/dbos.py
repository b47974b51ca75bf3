"""DBOS: a library in the caller's process that checkpoints into Postgres."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import asyncpg
from dbos import DBOS, DBOSConfig

from tests.load.bench.peers.driver import Driver, Entered, Place

QUEUE = "bench"
POLL_S = 0.01
THREADS = 32


class Peer:
    def __init__(self, place: Place) -> None:
        self._entered: Entered = lambda _: None
        self._postgres = place.postgres
        self._watch: asyncpg.Connection | None = None
        config: DBOSConfig = {
            "name": "bench",
            "system_database_url": place.postgres,
            "application_version": "1",
            "sys_db_pool_size": 20,
            "log_level": "ERROR",
            "console_log_level": "ERROR",
        }
        DBOS(config=config)

        # Plain functions: faster than coroutines here, and its documents' first choice.
        @DBOS.step()
        def step(number: int) -> int:
            return number

        @DBOS.workflow()
        def three() -> int:
            return step(1) + step(2) + step(3)

        @DBOS.workflow()
        async def task(number: int) -> None:
            self._entered(number)

        self._threads = ThreadPoolExecutor(THREADS)
        self._three = three
        self._task = task

    async def prepare(self) -> None:
        DBOS.launch()
        DBOS.destroy()

    async def work(self, entered: Entered, ready: Callable[[], None]) -> None:
        self._entered = entered
        await self.open()
        ready()
        await asyncio.Event().wait()

    async def open(self) -> None:
        DBOS.launch()
        await DBOS.register_queue_async(QUEUE, polling_interval_sec=POLL_S)

    async def close(self) -> None:
        DBOS.destroy()

    async def submit(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            await DBOS.enqueue_workflow_async(QUEUE, self._task, number)

    async def finished(self) -> int:
        if self._watch is None:
            self._watch = await asyncpg.connect(self._postgres)
        return await self._watch.fetchval(
            "select count(*) from dbos.workflow_status "
            "where queue_name = $1 and status = 'SUCCESS'",
            QUEUE,
        )

    async def complete(self, number: int) -> None:
        raise NotImplementedError

    async def workflow(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._three)


def driver(place: Place) -> Driver:
    return Peer(place)
