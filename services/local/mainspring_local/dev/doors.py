"""The way of a worker to the engine of the same process: queues instead of a connection."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from mainspring_engine.usecases.conversation import Conversations
from mainspring_kernel.errors import MainspringError
from mainspring_schema.frames import FromWorker, ToWorker
from mainspring_workstream.queue_link import hang_up

FRAMES_MAX = 64  # either way; a full queue makes its writer wait, as a full socket does
Outward = asyncio.Queue[FromWorker | None]
Inward = asyncio.Queue[ToWorker | None]
_log = logging.getLogger(__name__)


class EngineDoor:
    """Serves each stream in a task of its own, as the gRPC server would."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._carriers: set[asyncio.Task[None]] = set()

    def open(self) -> tuple[Outward, Inward]:
        outward, inward = Outward(FRAMES_MAX), Inward(FRAMES_MAX)
        carrier = asyncio.create_task(self._carry(outward, inward), name="worker-stream")
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carriers.discard)
        return outward, inward

    async def close(self) -> None:
        carriers = tuple(self._carriers)
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)

    async def _carry(self, outward: Outward, inward: Inward) -> None:
        try:
            frames = _frames(outward, asyncio.current_task())
            async with aclosing(self._conversations.serve(frames)) as replies:
                async for reply in replies:
                    await inward.put(reply)
        except MainspringError as error:
            _log.warning("a worker's stream was ended: %s", error)
        except Exception:  # noqa: BLE001 - one broken stream must not end the process
            _log.exception("a worker's stream broke")
        finally:
            hang_up(inward)


async def _frames(
    outward: Outward, carrier: "asyncio.Task[None] | None"
) -> AsyncIterator[FromWorker]:
    while (frame := await outward.get()) is not None:
        yield frame
    if carrier is not None:
        # The worker is gone: nobody makes room any more for a reply that waits for it.
        carrier.cancel()
