"""A process of a fleet whose worker cannot go on ends, so that its place is looked after."""

import asyncio
import logging
from contextlib import suppress

from mainspring import Fleet
from tests.unit.sdk.fake import double

PATIENCE_S = 60


class Heard(logging.Handler):
    """What is said of processes that are not there any more."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.put_nowait(record.getMessage())


async def test_a_process_whose_worker_s_stream_has_failed_ends() -> None:
    heard = Heard()
    logging.getLogger("mainspring").addHandler(heard)
    fleet = Fleet([double], processes=1, engine="engine-without-a-port")
    working = asyncio.create_task(fleet.run())

    async with asyncio.timeout(PATIENCE_S):
        said = await heard.said.get()

    assert said.startswith("worker process 0 ended with 1, again in")
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    logging.getLogger("mainspring").removeHandler(heard)
