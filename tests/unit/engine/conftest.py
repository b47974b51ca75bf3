"""A whole engine over memory, and a worker that adds; a workflow whose code is at a worker."""

from collections.abc import AsyncIterator

import pytest

from mainspring_engine.main import Engine
from mainspring_messaging import MemoryBus
from tests.integration.engine.scripted_worker import ScriptedWorker
from tests.unit.engine.program import Desk
from tests.unit.engine.whole import IDS, whole_engine


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[Engine]:
    async with whole_engine(bus) as engine:
        yield engine


@pytest.fixture
async def worker(engine: Engine) -> AsyncIterator[ScriptedWorker]:
    worker = ScriptedWorker(IDS)
    await worker.attach(engine.conversations, slots=2, capabilities=("task:add",))
    yield worker
    await worker.leave()


@pytest.fixture
def held() -> Desk:
    desk = Desk()
    desk.claimed()
    return desk
