"""What the event store lets in, and how pages are cut."""

from uuid import UUID

import pytest
from msgspec.structs import replace

from mainspring_eventstore.domain.deltas import admitted
from mainspring_eventstore.domain.limits import ANCHOR_CHARS_MAX, INT4_MAX
from mainspring_eventstore.domain.pages import cut
from mainspring_kernel.errors import MainspringError, PayloadTooLarge, ValidationFailed
from mainspring_kernel.limits import DELTA_FRAGMENT_BYTES_MAX
from mainspring_schema.events import StoredEvent
from mainspring_schema.grants import DeltaAppend

HONEST = DeltaAppend(
    session_id=UUID(int=1),
    turn_id=UUID(int=2),
    anchor="message_1",
    attempt=1,
    channel="text",
    offset=0,
    fragment="Hello",
)


def test_an_honest_delta_is_let_in_as_it_is() -> None:
    assert admitted(HONEST) is HONEST


def test_a_nul_is_replaced_by_one_character() -> None:
    assert admitted(replace(HONEST, fragment="a\0b")).fragment == "a\ufffdb"


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (replace(HONEST, anchor=""), ValidationFailed),
        (replace(HONEST, channel=""), ValidationFailed),
        (replace(HONEST, anchor="a\0"), ValidationFailed),
        (replace(HONEST, anchor="a" * ANCHOR_CHARS_MAX), ValidationFailed),
        (replace(HONEST, attempt=0), ValidationFailed),
        (replace(HONEST, attempt=INT4_MAX + 1), ValidationFailed),
        (replace(HONEST, offset=INT4_MAX - 2), ValidationFailed),
        (replace(HONEST, offset=3, reset=True), ValidationFailed),
        (replace(HONEST, fragment="ü" * DELTA_FRAGMENT_BYTES_MAX), PayloadTooLarge),
    ],
)
def test_what_nothing_honest_sends_is_refused(
    bad: DeltaAppend, kind: type[MainspringError]
) -> None:
    with pytest.raises(kind):
        admitted(bad)


def test_a_cut_keeps_at_least_one_row_and_says_that_there_is_more() -> None:
    events = [StoredEvent(seq=n, type="t", ts_ms=0, payload=b"x" * 50) for n in (1, 2)]

    tiny = cut(events, [], rows_max=1, bytes_max=1)
    whole = cut(events, [], rows_max=2, bytes_max=10_000)

    assert ([event.seq for event in tiny.events], tiny.more) == ([1], True)
    assert ([event.seq for event in whole.events], whole.more) == ([1, 2], False)
