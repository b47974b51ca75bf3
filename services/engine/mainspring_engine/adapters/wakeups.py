"""Passes wake-ups from the bus to the claimer, the attachments and the gates."""

import logging
from collections.abc import Callable
from typing import TypeVar

import msgspec

from mainspring_engine.domain.backlog import Group
from mainspring_engine.domain.routes import Route
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.registry import Workers
from mainspring_messaging import Bus, Message
from mainspring_schema import subjects
from mainspring_schema.wake import CancelMarked, ReadyTasks, StepsRecorded

T = TypeVar("T")
_log = logging.getLogger(__name__)


async def listen(
    bus: Bus, claimer: Claimer, attachments: Attachments, gates: Gates, workers: Workers
) -> None:
    """Subscribes for the life of the process. A hint that cannot be read is dropped and logged."""

    def ready(hint: ReadyTasks) -> None:
        _ready(claimer, hint)

    def marked(hint: CancelMarked) -> None:
        for held in hint.held:
            attachments.cancelled(held)

    def recorded(hint: StepsRecorded) -> None:
        attachments.news(hint.workflow_id, hint.task_id)

    def moved(message: Message) -> None:
        del message  # that there was one says it all
        gates.look()

    await bus.subscribe(subjects.WAKE_GATES, moved)

    def drained(_: Message) -> None:
        workers.look()

    await bus.subscribe(subjects.WAKE_WORKERS, drained)
    await bus.subscribe(subjects.WAKE_STEPS, _reading(StepsRecorded, recorded))
    await bus.subscribe(subjects.WAKE_TASKS, _reading(ReadyTasks, ready))
    await bus.subscribe(subjects.WAKE_CANCEL, _reading(CancelMarked, marked))


def _ready(claimer: Claimer, hint: ReadyTasks) -> None:
    if not hint.groups:
        claimer.look()
    routes = tuple(Route.named(*names) for names in hint.routes)
    for number, org_id, priority, from_id in hint.groups:
        if number < len(routes):
            claimer.ready(Group(routes[number], org_id, priority), from_id)


def _reading(type_: type[T], take: Callable[[T], None]) -> Callable[[Message], None]:
    decoder = msgspec.msgpack.Decoder(type_)

    def read(message: Message) -> None:
        try:
            hint = decoder.decode(message.data)
        except msgspec.DecodeError as error:
            _log.warning("a wake-up could not be read: %s", error)
            return
        take(hint)

    return read
