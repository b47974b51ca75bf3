"""Who says nothing for too long is passed over; who speaks is as good as before."""

from uuid import UUID

import pytest

from mainspring_engine.domain.limits import WORKER_SILENT_HOLDING_S, WORKER_SILENT_IDLE_S
from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Offer, Route
from mainspring_engine.domain.silence import Silence

OFFER = Offer(queues=frozenset({"q"}), capabilities=frozenset({""}), build="1")
ROUTE = Route(queue="q", capability="", build="", model="")
FROZEN, AWAKE = UUID(int=1), UUID(int=2)


def seconds_until_deaf(silence: Silence, *, holding: bool) -> int:
    return next(n for n in range(100) if silence.passes(1.0, holding=holding))


@pytest.mark.parametrize(
    ("holding", "bound_s"), [(True, WORKER_SILENT_HOLDING_S), (False, WORKER_SILENT_IDLE_S)]
)
def test_silence_is_borne_up_to_its_bound(holding: bool, bound_s: float) -> None:
    assert seconds_until_deaf(Silence(), holding=holding) == bound_s + 1


def test_a_word_ends_the_silence() -> None:
    silence = Silence()
    seconds_until_deaf(silence, holding=True)

    silence.heard()

    assert not silence.passes(1.0, holding=True)


def test_what_an_idle_worker_owed_does_not_count_once_it_holds_something() -> None:
    silence = Silence()
    for _ in range(int(WORKER_SILENT_HOLDING_S) + 3):
        silence.passes(1.0, holding=False)

    assert not silence.passes(1.0, holding=True)
    assert seconds_until_deaf(silence, holding=True) == WORKER_SILENT_HOLDING_S


def roster() -> Roster:
    roster = Roster()
    for incarnation in (FROZEN, AWAKE):
        roster.add(Seat(incarnation, 1, OFFER, 5))
    return roster


def picked(roster: Roster, prefer: UUID | None = None) -> list[UUID]:
    seats = [roster.pick(ROUTE, prefer) for _ in range(4)]
    return [seat.incarnation for seat in seats if seat is not None]


def test_a_deaf_worker_gets_nothing_not_even_its_own_sessions() -> None:
    seats = roster()

    seats.fell_silent(FROZEN)

    assert picked(seats, prefer=FROZEN) == [AWAKE] * 4
    assert [seat.incarnation for seat in seats.free()] == [AWAKE]


def test_a_worker_that_speaks_again_gets_its_share() -> None:
    seats = roster()
    seats.fell_silent(FROZEN)
    picked(seats)

    seats.spoke(FROZEN)

    assert FROZEN in picked(seats)
