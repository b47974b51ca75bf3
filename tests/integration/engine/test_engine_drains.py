"""An engine that drains sends its workers elsewhere, and takes none of them in again."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mainspring_kernel.errors import Unavailable
from mainspring_schema.frames import FromWorker
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker


async def no_frames() -> AsyncIterator[FromWorker]:
    for frame in ():
        yield frame


async def test_a_worker_that_knows_no_other_engine_is_not_waited_for_again(house: House) -> None:
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        draining = asyncio.create_task(engine.drain())
        await worker.leave()
        await draining

        with pytest.raises(Unavailable):
            await anext(engine.conversations.serve(no_frames()))
