"""Ends of plain tasks from the bus: one subscription per process, whoever waits."""

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import msgspec

from mainspring_messaging import Bus, Message
from mainspring_schema.subjects import WAKE_ENDED
from mainspring_schema.wake import TasksEnded

_ID_BYTES: Final = 16
_ENDED: Final = msgspec.msgpack.Decoder(TasksEnded)
_log = logging.getLogger(__name__)


class BusEndings:
    """`start` once. Bounded by the requests that wait, which the server bounds."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, set[asyncio.Event]] = {}

    async def start(self, bus: Bus) -> None:
        """Subscribes for the life of the process."""
        await bus.subscribe(WAKE_ENDED, self._receive)

    @contextmanager
    def of(self, task_id: UUID) -> Generator[asyncio.Event]:
        told = asyncio.Event()
        waiting = self._waiting.setdefault(task_id.bytes, set())
        waiting.add(told)
        try:
            yield told
        finally:
            waiting.discard(told)
            if not waiting:
                self._waiting.pop(task_id.bytes, None)

    def _receive(self, message: Message) -> None:
        if not self._waiting:
            return
        try:
            ids = _ENDED.decode(message.data).ids
        except msgspec.MsgspecError:
            # Of a version that is not ours: who waits looks again without it.
            _log.warning("ends of tasks cannot be read")
            return
        for at in range(0, len(ids), _ID_BYTES):
            for told in self._waiting.get(ids[at : at + _ID_BYTES], ()):
                told.set()
