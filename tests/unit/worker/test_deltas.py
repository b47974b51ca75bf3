"""Fragments: batches, offsets in characters, resets, the flush that never was."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mainspring_kernel.limits import DELTA_FLUSH_BYTES, DELTA_FLUSH_MS, DELTA_FLUSH_MS_MAX
from mainspring_workstream.deltas import Anchor, DeltaBuffer, FlushInterval

INTERVAL_S = 0.03


def buffer(attempt: int = 1) -> DeltaBuffer:
    return DeltaBuffer(
        Anchor(session_id=UUID(int=1), turn_id=UUID(int=2), anchor="message_1", attempt=attempt)
    )


def test_text_waits_one_interval_for_company() -> None:
    deltas = buffer()

    deltas.add("text", "a", 1.0)
    deltas.add("text", "b", 1.02)

    assert deltas.due_at(INTERVAL_S) == 1.0 + INTERVAL_S
    assert [d.fragment for d in deltas.take()] == ["ab"]
    assert deltas.due_at(INTERVAL_S) is None


def test_long_text_is_due_at_once() -> None:
    deltas = buffer()

    deltas.add("text", "x" * DELTA_FLUSH_BYTES, 1.0)

    assert deltas.due_at(INTERVAL_S) == 1.0


def test_offsets_count_characters_per_channel() -> None:
    deltas = buffer()
    deltas.add("text", "äöü", 0.0)
    first = deltas.take()
    deltas.add("thinking", "hm", 0.0)
    deltas.add("text", "😀!", 0.0)

    second = deltas.take()

    assert [(d.channel, d.offset) for d in first + second] == [
        ("text", 0),
        ("thinking", 0),
        ("text", 3),
    ]


def test_first_fragment_of_a_later_attempt_resets() -> None:
    deltas = buffer(attempt=2)
    deltas.add("thinking", "a", 0.0)
    deltas.add("text", "b", 0.0)
    taken = deltas.take()
    deltas.add("text", "c", 0.0)

    taken += deltas.take()

    assert [d.reset for d in taken] == [True, False, False]
    assert {d.attempt for d in taken} == {2}


def test_channel_complete_before_its_first_flush_sends_nothing() -> None:
    deltas = buffer()
    deltas.add("text", "all of it", 0.0)

    deltas.complete()

    assert deltas.due_at(INTERVAL_S) is None
    assert deltas.take() == []


def test_flushed_channel_sends_its_rest() -> None:
    deltas = buffer()
    deltas.add("text", "begin", 0.0)
    deltas.take()
    deltas.add("text", " end", 0.0)
    deltas.add("tool:0", "{}", 0.0)

    deltas.complete()

    assert [(d.channel, d.fragment) for d in deltas.take()] == [("text", " end")]


@given(st.lists(st.tuples(st.sampled_from(["text", "thinking", "tool:0"]), st.text())))
def test_fragments_of_a_channel_join_to_what_was_said(pieces: list[tuple[str, str]]) -> None:
    deltas = buffer()
    said: dict[str, str] = {}
    told: dict[str, str] = {}

    for number, (channel, text) in enumerate(pieces):
        deltas.add(channel, text, 0.0)
        said[channel] = said.get(channel, "") + text
        if number % 3 == 0:
            for delta in deltas.take():
                assert delta.offset == len(told.get(delta.channel, ""))
                told[delta.channel] = told.get(delta.channel, "") + delta.fragment
    for delta in deltas.take():
        told[delta.channel] = told.get(delta.channel, "") + delta.fragment

    assert told == {channel: text for channel, text in said.items() if text}


def test_interval_stretches_with_slow_flights_up_to_its_bound() -> None:
    interval = FlushInterval()
    idle = interval.seconds

    for _ in range(50):
        interval.flew(0.05)
    loaded = interval.seconds
    for _ in range(50):
        interval.flew(5.0)

    assert idle == DELTA_FLUSH_MS / 1000
    assert 0.09 < loaded <= 0.1
    assert interval.seconds == DELTA_FLUSH_MS_MAX / 1000
