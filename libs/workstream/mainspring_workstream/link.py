"""The road to an engine: one stream of frames each way."""

from typing import Protocol

from mainspring_kernel.errors import MainspringError
from mainspring_schema.frames import FromWorker, ToWorker


class LinkBroken(MainspringError):
    """The stream to the engine is gone: refused, reset, closed, or the engine left."""

    code = "link_broken"
    status = 503
    title = "The stream to the engine broke"


class EngineStream(Protocol):
    """One attach. Used by one writer and one reader."""

    async def send(self, frame: FromWorker) -> None:
        """Returns when the frame has left, which is no proof of arrival. Raises LinkBroken."""
        ...

    async def receive(self) -> ToWorker:
        """The next frame, in the engine's order. Raises LinkBroken when there will be none."""
        ...

    async def close(self) -> None:
        """Ends the stream; safe twice, also while `receive` waits."""
        ...


class EngineLink(Protocol):
    """Where streams come from. Whether and when to try again is the caller's business."""

    async def open(self) -> EngineStream:
        """A new stream, to another engine than the last one if there are several.

        Raises LinkBroken where none can be had.
        """
        ...

    async def close(self) -> None:
        """Closes what is kept between streams; safe twice."""
        ...
