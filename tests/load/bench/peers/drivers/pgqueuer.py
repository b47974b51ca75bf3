"""PgQueuer: rows in Postgres, woken by LISTEN and NOTIFY; over asyncpg, in batches."""

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from tests.load.bench.peers.driver import Driver, Entered, Place

DEQUEUE = 100


class Peer:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._connection: asyncpg.Connection | None = None
        self._submitted = 0

    async def prepare(self) -> None:
        connection = await asyncpg.connect(self._place.postgres)
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    async def work(self, entered: Entered, ready: Callable[[], None]) -> None:
        connection = await asyncpg.connect(self._place.postgres)
        manager = PgQueuer(AsyncpgDriver(connection))

        @manager.entrypoint("task")
        async def handle(task: Job) -> None:
            entered(int(task.payload or b"0"))

        asyncio.get_running_loop().call_later(1.0, ready)
        await manager.run(batch_size=DEQUEUE)

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(self._place.postgres, min_size=4, max_size=4)

    async def close(self) -> None:
        await self._pool.close()

    async def submit(self, numbers: Sequence[int]) -> None:
        async with self._pool.acquire() as connection:
            queries = Queries(AsyncpgDriver(connection))
            if len(numbers) == 1:
                await queries.enqueue("task", str(numbers[0]).encode())
            else:
                payloads = [str(number).encode() for number in numbers]
                await queries.enqueue(["task"] * len(numbers), list(payloads), [0] * len(numbers))
        self._submitted += len(numbers)

    async def finished(self) -> int:
        left = await self._pool.fetchval("select count(*) from pgqueuer")
        return self._submitted - left

    async def complete(self, number: int) -> None:
        raise NotImplementedError

    async def workflow(self) -> None:
        raise NotImplementedError


def driver(place: Place) -> Driver:
    return Peer(place)
