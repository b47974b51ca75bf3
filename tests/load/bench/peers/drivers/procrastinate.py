"""procrastinate: rows in Postgres, woken by LISTEN and NOTIFY; psycopg with its C half."""

import asyncio
from collections.abc import Callable, Sequence

from procrastinate import App, PsycopgConnector

from tests.load.bench.peers.driver import Driver, Entered, Place

CONCURRENCY = 30


class Peer:
    def __init__(self, place: Place) -> None:
        self._entered: Entered = lambda _: None
        self.app = App(connector=PsycopgConnector(conninfo=place.postgres, max_size=CONCURRENCY))

        @self.app.task(name="task")
        async def handle(number: int) -> None:
            self._entered(number)

        self._handle = handle

    async def prepare(self) -> None:
        async with self.app.open_async():
            await self.app.schema_manager.apply_schema_async()

    async def work(self, entered: Entered, ready: Callable[[], None]) -> None:
        self._entered = entered
        asyncio.get_running_loop().call_later(1.0, ready)
        async with self.app.open_async():
            await self.app.run_worker_async(
                concurrency=CONCURRENCY, listen_notify=True, install_signal_handlers=False
            )

    async def open(self) -> None:
        await self.app.open_async()

    async def close(self) -> None:
        await self.app.close_async()

    async def submit(self, numbers: Sequence[int]) -> None:
        if len(numbers) == 1:
            await self._handle.defer_async(number=numbers[0])
        else:
            await self._handle.batch_defer_async(*({"number": number} for number in numbers))

    async def finished(self) -> int:
        row = await self.app.connector.execute_query_one_async(
            "select count(*) as n from procrastinate_jobs where status = 'succeeded'"
        )
        return int(row["n"])

    async def complete(self, number: int) -> None:
        raise NotImplementedError

    async def workflow(self) -> None:
        raise NotImplementedError


def driver(place: Place) -> Driver:
    return Peer(place)
