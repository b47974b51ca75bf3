"""Wake-ups from the bus, into the claimer and the links."""

import logging
from typing import Final

import msgspec

from mainspring_engine.domain.routes import Route
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.links import Links
from mainspring_engine.usecases.registry import Workers
from mainspring_messaging import Bus, Message
from mainspring_schema import subjects
from mainspring_schema.wake import CancelMarked, ReadyTasks

_log = logging.getLogger(__name__)
_READY: Final = msgspec.msgpack.Decoder(ReadyTasks)
_MARKED: Final = msgspec.msgpack.Decoder(CancelMarked)


async def listen(bus: Bus, claimer: Claimer, links: Links, gates: Gates, workers: Workers) -> None:
    """Subscribes for the life of the process. A hint that cannot be read is dropped and logged."""

    def ready(message: Message) -> None:
        try:
            hint = _READY.decode(message.data)
        except msgspec.DecodeError as error:
            _log.warning("a wake-up could not be read: %s", error)
            return
        claimer.look(tuple(Route(*names) for names in hint.routes))

    def marked(message: Message) -> None:
        try:
            hint = _MARKED.decode(message.data)
        except msgspec.DecodeError as error:
            _log.warning("a wake-up could not be read: %s", error)
            return
        for held in hint.held:
            links.cancelled(held)

    def moved(message: Message) -> None:
        del message  # that there was one says it all
        gates.look()

    await bus.subscribe(subjects.WAKE_GATES, moved)

    def drained(_: Message) -> None:
        workers.look()

    await bus.subscribe(subjects.WAKE_TASKS, ready)
    await bus.subscribe(subjects.WAKE_CANCEL, marked)
    await bus.subscribe(subjects.WAKE_WORKERS, drained)
