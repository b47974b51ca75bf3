"""The conversation for a model call: tail first, the log for what is missing, kept for the next."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest

from mainspring_harness.errors import TranscriptBroken
from mainspring_kernel.ids import Position
from mainspring_schema.events import StoredEvent
from mainspring_worker.adapters.memory import MemoryEventLog
from mainspring_worker.ports.eventlog import LogPage
from mainspring_worker.usecases.context import Contexts
from tests.unit.worker.making import SESSION, event, history, task


class CountingLog(MemoryEventLog):
    """Counts reads and answers in pages of two events."""

    def __init__(self, events: Sequence[StoredEvent] = ()) -> None:
        super().__init__()
        self.events[SESSION] = list(events)
        self.reads: list[Position] = []

    async def read(
        self, session_id: UUID, org_id: UUID, *, after: Position, events_only: bool
    ) -> LogPage:
        self.reads.append(after)
        page = await super().read(session_id, org_id, after=after, events_only=events_only)
        cut = page.events[:2]
        return msgspec.structs.replace(page, events=cut, more=len(cut) < len(page.events))


MORE = (event(4, "turn.completed", {}), event(5, "session.idled", {}))


async def test_tail_from_the_start_needs_no_read() -> None:
    log = CountingLog()

    transcript = await Contexts(log).fold(task(tail=history()), through_seq=3)

    assert transcript.position == 3
    assert len(transcript.messages()) == 1
    assert log.reads == []


async def test_tail_behind_the_session_start_needs_no_read() -> None:
    log = CountingLog()
    tail = (
        event(2, "turn.started", {}),
        event(3, "reason.started", {"harness_id": "harness_1", "consumed": []}),
    )

    transcript = await Contexts(log).fold(task(tail=tail), through_seq=3)

    assert transcript.position == 3
    assert log.reads == []


async def test_missing_events_are_read_once_in_pages() -> None:
    log = CountingLog((*history(), *MORE))

    transcript = await Contexts(log).fold(task(tail=MORE[1:]), through_seq=5)

    assert transcript.position == 5
    assert log.reads == [Position(0), Position(2), Position(4)]


async def test_kept_context_takes_only_the_tail() -> None:
    log = CountingLog()
    contexts = Contexts(log)
    await contexts.fold(task(tail=history()), through_seq=3)

    transcript = await contexts.fold(task(tail=MORE), through_seq=5)

    assert transcript.position == 5
    assert log.reads == []


async def test_tail_that_overlaps_what_is_kept_is_taken_once() -> None:
    contexts = Contexts(CountingLog())
    await contexts.fold(task(tail=history()), through_seq=3)

    transcript = await contexts.fold(task(tail=(*history(), *MORE)), through_seq=5)

    assert len(transcript.messages()) == 1


async def test_events_past_the_task_are_left_out() -> None:
    log = CountingLog((*history(), *MORE))

    transcript = await Contexts(log).fold(task(), through_seq=3)

    assert transcript.position == 3


async def test_position_behind_what_is_kept_is_folded_anew() -> None:
    log = CountingLog((*history(), *MORE))
    contexts = Contexts(log)
    await contexts.fold(task(), through_seq=5)

    transcript = await contexts.fold(task(), through_seq=3)

    assert transcript.position == 3


async def test_log_that_ends_too_early_is_refused() -> None:
    contexts = Contexts(CountingLog(history()))

    with pytest.raises(TranscriptBroken):
        await contexts.fold(task(), through_seq=5)
