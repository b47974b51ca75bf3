from uuid import UUID, uuid4

import pytest

from mainspring_api.domain.cursor import (
    Next,
    Resume,
    StreamCursor,
    check_reach,
    resume_from_id,
)
from mainspring_kernel.errors import CursorMismatch, InvalidId
from mainspring_kernel.ids import Position, position_id
from mainspring_schema.events import StoredDelta, StoredEvent

SESSION = uuid4()


def event(seq: int, *, deltas_before: int = 0) -> StoredEvent:
    return StoredEvent(seq, "turn.started", 0, b"{}", deltas_before)


def delta(seq: int, n: int) -> StoredDelta:
    return StoredDelta(seq, n, 0, UUID(int=1), "m", 1, "text", 0, "x")


def test_the_next_event_and_the_next_delta_are_taken() -> None:
    cursor = StreamCursor(Position(3, 0))

    items = [delta(3, 1), delta(3, 2), event(4, deltas_before=2)]
    verdicts = [cursor.offer(item) for item in items]

    assert verdicts == [Next.TAKE] * 3
    assert cursor.position == Position(4, 0)


@pytest.mark.parametrize("item", [event(3), event(2), delta(2, 9), delta(3, 1)])
def test_what_was_delivered_is_dropped(item: StoredEvent | StoredDelta) -> None:
    cursor = StreamCursor(Position(3, 1))

    assert cursor.offer(item) is Next.DROP
    assert cursor.position == Position(3, 1)


@pytest.mark.parametrize(
    "item",
    [event(5, deltas_before=1), event(4, deltas_before=2), event(4), delta(3, 3), delta(4, 1)],
)
def test_a_hole_is_a_gap_and_moves_nothing(item: StoredEvent | StoredDelta) -> None:
    cursor = StreamCursor(Position(3, 1))

    assert cursor.offer(item) is Next.GAP
    assert cursor.position == Position(3, 1)


def test_a_reading_may_skip_expired_deltas_and_never_steps_back() -> None:
    cursor = StreamCursor(Position(3, 1))

    cursor.advance(Position(4, 0))
    cursor.advance(Position(2, 0))

    assert cursor.position == Position(4, 0)


def test_an_id_says_where_to_go_on() -> None:
    resume = resume_from_id(position_id(2, 7, 3, SESSION), SESSION)

    assert resume == Resume(position=Position(7, 3), epoch=2)


def test_an_id_of_another_session_is_refused() -> None:
    with pytest.raises(CursorMismatch):
        resume_from_id(position_id(1, 7, 0, uuid4()), SESSION)


def test_an_id_without_a_position_is_refused() -> None:
    with pytest.raises(InvalidId):
        resume_from_id(uuid4(), SESSION)


@pytest.mark.parametrize(
    ("resume", "reaches"),
    [
        (Resume(position=Position(5, 0), epoch=2), True),
        (Resume(position=Position(5, 2), epoch=2), True),
        (Resume(position=Position(0, 0)), True),
        (Resume(position=Position(99, 0), epoch=1), False),
    ],
)
def test_an_older_epoch_asks_for_a_resync(resume: Resume, reaches: bool) -> None:
    assert check_reach(resume, epoch=2, head=Position(5, 2)) is reaches


@pytest.mark.parametrize(
    "resume",
    [
        Resume(position=Position(6, 0), epoch=2),
        Resume(position=Position(5, 3), epoch=2),
        Resume(position=Position(6, 0)),
        Resume(position=Position(1, 0), epoch=3),
    ],
)
def test_a_position_nobody_can_have_seen_is_refused(resume: Resume) -> None:
    with pytest.raises(CursorMismatch):
        check_reach(resume, epoch=2, head=Position(5, 2))
