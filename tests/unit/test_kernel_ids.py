from uuid import UUID, uuid4

import pytest

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import InvalidId
from mainspring_kernel.ids import (
    DEFAULT_ORG_ID,
    LLMSIM_PROVIDER_ID,
    Position,
    Prefix,
    RandomIds,
    SeededIds,
    from_wire,
    is_uuid7,
    parse_position_id,
    position_id,
    session_tag,
    to_wire,
    uuid7_ms,
)

SESSION = UUID("01933b5a-0000-7000-8000-a1b2c3d4e5f6")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "session",
        "session_",
        "agent_01933b5a000070008000a1b2c3d4e5f6",
        "session_01933b5a-0000-7000-8000-a1b2c3d4e5f6",
        "session_01933B5A000070008000A1B2C3D4E5F6",
        "session_01933b5a000070008000a1b2c3d4e5f",
        "session_01933b5a000070008000a1b2c3d4e5f60",
        "session_01933b5a000070008000a1b2c3d4e5f6\n",
        "session_\uff101933b5a000070008000a1b2c3d4e5f6",
        " session_01933b5a000070008000a1b2c3d4e5f6",
        "xsession_01933b5a000070008000a1b2c3d4e5f6",
    ],
)
def test_another_form_than_prefix_and_32_lowercase_hex_is_refused(text: str) -> None:
    with pytest.raises(InvalidId) as caught:
        from_wire(Prefix.SESSION, text)

    assert caught.value.status == 400


def test_a_long_wrong_id_is_not_echoed_in_full() -> None:
    with pytest.raises(InvalidId) as caught:
        from_wire("session", "x" * 10_000)

    assert len(str(caught.value)) < 300


def test_ids_of_any_version_are_read_because_clients_make_random_ones() -> None:
    random_hex = "f" * 32

    assert from_wire("agent", f"agent_{random_hex}") == UUID(random_hex)


def test_prefixes_with_an_underscore_are_read() -> None:
    assert from_wire("voice_conn", to_wire("voice_conn", SESSION)) == SESSION


def test_the_seed_ids_are_those_of_the_reference() -> None:
    assert str(LLMSIM_PROVIDER_ID) == "01933b5a-0000-7000-8000-000000000003"
    assert to_wire(Prefix.ORG, DEFAULT_ORG_ID).startswith("org_01933b5a000070008000")


def test_version_7_ids_carry_time_version_and_variant() -> None:
    clock = ManualClock(wall_ms=1_763_800_000_123)
    made = RandomIds(clock).uuid7()

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert uuid7_ms(made) == 1_763_800_000_123


def test_version_7_is_told_from_others() -> None:
    made = RandomIds(ManualClock()).uuid7()
    others = (uuid4(), SESSION, position_id(1, 2, 3, SESSION), UUID(int=made.int & ~(3 << 62)))

    assert is_uuid7(made)
    assert [is_uuid7(other) for other in others] == [other.version == 7 for other in others]


def test_version_7_ids_rise_while_the_clock_stands_or_steps_back() -> None:
    clock = ManualClock()
    ids = RandomIds(clock)
    made = [ids.uuid7() for _ in range(1000)]
    clock.step_wall(-60_000)
    made += [ids.uuid7() for _ in range(1000)]

    assert made == sorted(set(made))


def test_version_7_ids_borrow_from_the_next_millisecond_when_the_random_part_is_used_up() -> None:
    clock = ManualClock()
    ids = RandomIds(clock, lambda count: b"\xff" * count)
    ids._last_ms, ids._last_random = clock.wall_ms(), (1 << 74) - 1

    made = ids.uuid7()

    assert uuid7_ms(made) == clock.wall_ms() + 1
    assert made.version == 7


def test_a_written_id_is_the_one_that_its_maker_would_have_made() -> None:
    clock = ManualClock()
    ids, others = SeededIds(clock, 1), SeededIds(clock, 1)

    assert ids.uuid7_wire(Prefix.TASK) == to_wire(Prefix.TASK, others.uuid7())
    assert ids.uuid7() == others.uuid7()


def test_a_seed_repeats_its_ids() -> None:
    first, second = SeededIds(ManualClock(), 7), SeededIds(ManualClock(), 7)

    assert [first.uuid7(), first.uuid4()] == [second.uuid7(), second.uuid4()]
    assert first.uuid4().version == 4


def test_a_position_id_is_version_8_and_names_its_session() -> None:
    made = position_id(1, 42, 7, SESSION)

    assert (made.version, made.variant) == (8, "specified in RFC 4122")
    assert parse_position_id(made).position == Position(42, 7)
    assert parse_position_id(made).session_tag == session_tag(SESSION) == 0xA1B2C3D4E5F6


def test_a_position_of_another_uuid_version_is_refused() -> None:
    with pytest.raises(InvalidId) as caught:
        parse_position_id(SESSION)

    assert caught.value.detail == (
        f"{to_wire(Prefix.EVENT, SESSION)!r} is no event id: "
        "expected one that an event or a delta bears"
    )


@pytest.mark.parametrize(
    ("epoch", "seq", "n"), [(64, 1, 0), (0, 1 << 40, 0), (0, 1, 1 << 28), (0, -1, 0)]
)
def test_a_position_that_does_not_fit_is_refused(epoch: int, seq: int, n: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        position_id(epoch, seq, n, SESSION)
