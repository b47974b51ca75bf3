"""The conversation of a session up to a position, from the cache, the task's tail and the log."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct

from mainspring_harness.errors import TranscriptBroken
from mainspring_harness.transcript import Transcript
from mainspring_kernel.ids import Position
from mainspring_kernel.limits import CONTEXT_CACHE_BYTES_MAX
from mainspring_schema.events import StoredEvent
from mainspring_schema.frames import Task
from mainspring_worker.domain.limits import CONTEXT_CACHE_ENTRIES_MAX, READ_PAGES_MAX
from mainspring_worker.ports.eventlog import EventLog
from mainspring_workstream.cache import Cache

FIRST_MESSAGE_SEQ: Final = 2
_ENTRY_BYTES: Final = 1024
"""What an entry costs beside its payloads."""


class _Context(Struct, frozen=True):
    transcript: Transcript
    size: int


class Contexts:
    """One per worker. A turn's cost must not grow with the session's age, so folds are kept."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._kept: Cache[UUID, _Context] = Cache(
            entries_max=CONTEXT_CACHE_ENTRIES_MAX, bytes_max=CONTEXT_CACHE_BYTES_MAX
        )

    async def fold(self, task: Task, *, through_seq: int) -> Transcript:
        """The transcript at exactly `through_seq`; it is the caller's own.

        Raises TranscriptBroken where even the event store's rows cannot be folded, Unavailable or
        DeadlineExceeded where the event store is needed and does not answer.
        """
        kept = self._kept.get(task.session_id)
        try:
            if kept is not None and kept.transcript.position <= through_seq:
                return await self._advance(task, kept, through_seq)
        except TranscriptBroken:
            # What was kept may be at fault; the log is not: fold it anew.
            self._kept.drop(task.session_id)
        # Every log begins with session.started, which holds no message.
        begins = 1 if task.tail and task.tail[0].seq == FIRST_MESSAGE_SEQ else 0
        return await self._advance(task, _Context(Transcript(begins), _ENTRY_BYTES), through_seq)

    async def _advance(self, task: Task, kept: _Context, through_seq: int) -> Transcript:
        transcript = kept.transcript.copy()
        size = kept.size
        tail = [event for event in task.tail if event.seq <= through_seq]
        if transcript.position < through_seq and not _joins(tail, transcript.position, through_seq):
            size += await self._read_into(transcript, task, through_seq)
        size += _take(transcript, tail)
        if transcript.position != through_seq:
            message = f"the log ends at {transcript.position}, the task reads to {through_seq}"
            raise TranscriptBroken(message)
        self._kept.put(task.session_id, _Context(transcript, size), size=size)
        return transcript.copy()

    async def _read_into(self, transcript: Transcript, task: Task, through_seq: int) -> int:
        size = 0
        for _ in range(READ_PAGES_MAX):
            page = await self._log.read(
                task.session_id,
                task.org_id,
                after=Position(transcript.position),
                events_only=True,
            )
            size += _take(transcript, [e for e in page.events if e.seq <= through_seq])
            if not page.more or not page.events or page.events[-1].seq >= through_seq:
                break
        return size


def _joins(tail: list[StoredEvent], position: int, through_seq: int) -> bool:
    """Whether the tail alone leads from the position to the end."""
    return bool(tail) and tail[0].seq <= position + 1 and tail[-1].seq == through_seq


def _take(transcript: Transcript, events: Iterable[StoredEvent]) -> int:
    """Folds the events in; the bytes of those that were new."""
    new = [event for event in events if event.seq > transcript.position]
    transcript.take(new)
    return sum(len(event.payload) for event in new)
