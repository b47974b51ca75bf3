from collections.abc import AsyncIterator

import pytest

from mainspring_worker.adapters.tool_thread import ToolThread
from tests.unit.builtin_tools.calling import Caller, api_resources


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    threads = ToolThread()
    yield Caller(await api_resources(), threads)
    threads.close()
