from uuid import UUID

from mainspring_api.domain.accumulate import Accumulators
from mainspring_api.domain.limits import SSE_ACCUMULATED_CHARS_MAX, SSE_ANCHORS_MAX
from mainspring_schema.events import StoredDelta


def delta(
    fragment: str, offset: int, *, anchor: str = "m", attempt: int = 1, reset: bool = False
) -> StoredDelta:
    return StoredDelta(1, 1, 0, UUID(int=1), anchor, attempt, "text", offset, fragment, reset)


def test_fragments_add_up() -> None:
    texts = Accumulators()

    assert [texts.add(delta("Hel", 0)), texts.add(delta("lo", 3))] == ["Hel", "Hello"]


def test_a_fragment_that_comes_again_changes_nothing() -> None:
    texts = Accumulators()
    texts.add(delta("Hel", 0))
    texts.add(delta("lo", 3))

    assert texts.add(delta("lo", 3)) == "Hello"


def test_a_reset_starts_anew() -> None:
    texts = Accumulators()
    texts.add(delta("old", 0))

    assert texts.add(delta("new", 0, attempt=2, reset=True)) == "new"


def test_a_beginning_that_is_unknown_is_told() -> None:
    texts = Accumulators()
    texts.add(delta("Hel", 0))

    assert texts.joins(delta("lo", 3))
    assert not texts.joins(delta("lo", 4))
    assert not texts.joins(delta("lo", 3, attempt=2))
    assert not texts.joins(delta("lo", 3, anchor="other"))
    assert texts.joins(delta("x", 0, anchor="other"))


def test_a_text_stops_growing_at_its_bound() -> None:
    texts = Accumulators()
    texts.add(delta("x" * SSE_ACCUMULATED_CHARS_MAX, 0))
    later = delta("y", SSE_ACCUMULATED_CHARS_MAX)

    assert texts.joins(later)
    assert texts.add(later) == "x" * SSE_ACCUMULATED_CHARS_MAX


def test_the_oldest_text_goes_first() -> None:
    texts = Accumulators()
    for number in range(SSE_ANCHORS_MAX + 1):
        texts.add(delta("x", 0, anchor=str(number)))

    assert not texts.joins(delta("y", 1, anchor="0"))
    assert texts.joins(delta("y", 1, anchor="1"))
