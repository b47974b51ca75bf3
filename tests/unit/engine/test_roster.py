"""Who gets tasks that come alone, and who those that come together."""

from collections import Counter
from uuid import UUID

import pytest

from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Offer, Route

ROUTE = Route(queue="default", capability="task:note")
OFFER = Offer(queues=frozenset({"default"}), capabilities=frozenset({"task:note"}), build="")


def roster_of(workers: int, slots: int) -> Roster:
    roster = Roster()
    for number in range(workers):
        roster.add(Seat(UUID(int=number + 1), 1, OFFER, slots))
    return roster


def picked(roster: Roster, tasks: int, *, among: int) -> Counter[UUID]:
    seats = (roster.pick(ROUTE, among=among) for _ in range(tasks))
    return Counter(seat.incarnation for seat in seats if seat is not None)


def test_tasks_that_come_alone_go_round() -> None:
    assert set(picked(roster_of(10, 100), 10, among=1).values()) == {1}


def test_tasks_that_come_together_share_workers_with_many_slots() -> None:
    shares = picked(roster_of(1000, 300), 512, among=512)

    assert len(shares) == 512 / 128
    assert max(shares.values()) == 128


def test_few_workers_never_get_everything() -> None:
    assert max(picked(roster_of(1000, 200), 32, among=32).values()) == 8


def test_a_few_that_come_together_still_go_round() -> None:
    assert set(picked(roster_of(1000, 100), 7, among=7).values()) == {1}


@pytest.mark.parametrize("slots", [1, 4, 8])
def test_workers_with_few_slots_get_them_one_by_one(slots: int) -> None:
    assert max(picked(roster_of(1000, slots), 256, among=256).values()) == 1


def test_what_comes_together_takes_every_credit_there_is_and_no_more() -> None:
    assert picked(roster_of(3, 20), 100, among=100).total() == 60


def test_a_worker_that_left_is_filled_no_further() -> None:
    roster = roster_of(2, 100)
    first = roster.pick(ROUTE, among=256)
    assert first is not None
    assert roster.remove(first.incarnation, 1)

    assert first.incarnation not in picked(roster, 20, among=256)


def test_a_route_is_known_while_a_worker_that_serves_it_is_attached() -> None:
    roster, pinned = Roster(), Route(queue="default", capability="task:note", build="b7")
    seat = Seat(UUID(int=1), 1, OFFER, 1)
    roster.add(seat)
    assert (roster.known(ROUTE), roster.known(pinned)) == (True, False)

    newer = Offer(queues=OFFER.queues, capabilities=OFFER.capabilities, build="b7")
    roster.add(Seat(seat.incarnation, 2, newer, 0))
    assert not roster.remove(seat.incarnation, 1)
    assert (roster.known(ROUTE), roster.known(pinned)) == (True, True)
    assert not roster.serves(pinned)

    roster.give_back(seat.incarnation, 2)
    assert roster.serves(pinned)
    assert roster.remove(seat.incarnation, 2)
    assert (roster.known(ROUTE), roster.known(pinned)) == (False, False)
    assert not roster.serves(ROUTE)


def test_a_credit_of_an_older_attach_is_none_of_the_newer_one() -> None:
    """A worker's newest attach says itself how much is free: more would exceed its slots."""
    roster = Roster()
    roster.add(Seat(UUID(int=1), 1, OFFER, 1))
    assert roster.pick(ROUTE) is not None
    newer = Seat(UUID(int=1), 2, OFFER, 1)
    roster.add(newer)

    roster.give_back(UUID(int=1), 1)

    assert newer.free_slots == 1


def test_workers_that_were_full_serve_again_in_turn_once_they_have_room() -> None:
    roster = roster_of(3, 1)
    assert len(picked(roster, 3, among=1)) == 3
    assert not roster.serves(ROUTE)

    for number in (2, 1):
        roster.give_back(UUID(int=number), 1)

    assert roster.serves(ROUTE)
    assert picked(roster, 3, among=1) == {UUID(int=1): 1, UUID(int=2): 1}
    assert not roster.serves(ROUTE)


def test_nothing_is_left_of_workers_that_left() -> None:
    roster = roster_of(3, 4)

    for number in range(3):
        assert roster.remove(UUID(int=number + 1), 1)

    assert (roster._rotations, roster._rotating) == ({}, {})
    assert not roster.serves(ROUTE)
