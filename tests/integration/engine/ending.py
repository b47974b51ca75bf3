"""Waiting for the end of a workflow as its log tells it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_messaging import Bus, Message
from mainspring_schema.stream import decode_batch
from mainspring_schema.subjects import session_log

_ENDS: Final = frozenset({"workflow.completed", "workflow.failed", "workflow.cancelled"})
_PATIENCE_S: Final = 120


@asynccontextmanager
async def ending(bus: Bus, workflow_id: UUID) -> AsyncGenerator[None]:
    """Start it within; left once it has ended."""
    ended = asyncio.Event()

    def received(message: Message) -> None:
        if any(event.type in _ENDS for event in decode_batch(message.data).events):
            ended.set()

    await bus.subscribe(session_log(DEFAULT_ORG_ID, workflow_id), received)
    await bus.flush(1.0)
    yield
    async with asyncio.timeout(_PATIENCE_S):
        await ended.wait()
