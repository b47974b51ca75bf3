"""One worker's stream from its attach to its end, over whatever transport."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec

from mainspring_engine.domain.checks import check_attach, check_frame
from mainspring_engine.usecases.attachments import Attachment
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_engine.usecases.worker_streams import WorkerStreams
from mainspring_kernel.errors import MalformedBody, Unavailable
from mainspring_schema.frames import Attach, FromWorker, ToWorker

_log = logging.getLogger(__name__)


class Conversations:
    """Serves streams and knows the open ones, so that a drain can ask them to leave."""

    def __init__(self, streams: WorkerStreams) -> None:
        self._streams = streams
        self._open: dict[FrameOutbox, None] = {}
        """In the order in which they came, so that a simulation is the same again."""
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._leaving = False

    async def serve(self, frames: AsyncIterator[FromWorker]) -> AsyncGenerator[ToWorker]:
        """Yields what the worker is told until either side ends.

        Raises MalformedBody where the first frame does not attach as a worker can, LeaseLost where
        a newer attach is known, Unavailable where this engine drains.
        """
        # Who knows no other engine comes back at once: the drain would wait for it to the end.
        if self._leaving:
            detail = "this engine is leaving"
            raise Unavailable(detail)
        first, attach = await _first_of(frames)
        outbox = FrameOutbox()
        attachment, attached = await self._streams.attach(attach, outbox)
        outbox.attached(attached)
        self._streams.receive(attachment, first)
        self._open[outbox] = None
        self._quiet.clear()
        if self._leaving:
            outbox.leave()
        reader = asyncio.create_task(self._read(attachment, outbox, frames))
        try:
            while (frame := await outbox.next_frame()) is not None:
                yield frame
        finally:
            reader.cancel()
            self._open.pop(outbox, None)
            if not self._open:
                self._quiet.set()
            await self._streams.detach(attachment)

    async def _read(
        self, attachment: Attachment, outbox: FrameOutbox, frames: AsyncIterator[FromWorker]
    ) -> None:
        try:
            async for frame in frames:
                check_frame(frame)
                self._streams.receive(attachment, frame)
                if outbox.overflowed:
                    _log.error(
                        "worker %s reads too slowly: its stream is ended", attachment.incarnation
                    )
                    return
                await self._streams.room(attachment)
        except msgspec.ValidationError as error:
            _log.warning("the stream of worker %s is ended: %s", attachment.incarnation, error)
        finally:
            outbox.close()

    async def drain(self) -> None:
        """Asks every worker to attach elsewhere; returns when all streams have ended."""
        self._leaving = True
        for outbox in tuple(self._open):
            outbox.leave()
        await self._quiet.wait()


async def _first_of(frames: AsyncIterator[FromWorker]) -> tuple[FromWorker, Attach]:
    """The frame that attaches. Raises MalformedBody."""
    first = await anext(frames, None)
    if first is None or first.attach is None:
        detail = "the first frame of a worker stream must attach"
        raise MalformedBody(detail)
    try:
        check_attach(first.attach)
        check_frame(first)
    except msgspec.ValidationError as error:
        raise MalformedBody(str(error)) from error
    return first, first.attach
