"""What an engine believes to be ready, how it shares credits, and which groups a claim reads."""

from uuid import UUID

import pytest

from mainspring_engine.domain.backlog import Backlog, Group, ReadyGroup
from mainspring_engine.domain.claim_plan import groups_of, left_of
from mainspring_engine.domain.limits import (
    CLAIM_DEPTH_SPARE,
    CLAIM_GROUPS_MAX,
    SHARES_REMEMBERED_MAX,
)
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.shares import Shares

ROUTE, OTHER = Route(queue="a"), Route(queue="b")
A, B = UUID(int=1), UUID(int=2)


def group(org_id: UUID = A, route: Route = ROUTE) -> Group:
    return Group(route, org_id, 0)


def task(n: int) -> UUID:
    return UUID(int=n)


# ── marks ───────────────────────────────────────────────────────────────────────────────────────


def test_a_mark_is_the_lowest_id_that_was_told() -> None:
    backlog = Backlog()
    for n in (7, 3, 9):
        backlog.ready(group(), task(n))

    assert backlog.take(ROUTE) == {group(): task(3)}
    assert backlog.routes() == ()


def test_what_comes_during_a_claim_is_kept_beside_what_the_claim_leaves() -> None:
    backlog = Backlog()
    backlog.ready(group(), task(3))
    taken = backlog.take(ROUTE)
    backlog.ready(group(B), task(5))

    backlog.put_back(taken)

    assert backlog.take(ROUTE) == {group(): task(3), group(B): task(5)}


def test_a_whole_pass_raises_marks_and_forgets_what_is_gone() -> None:
    backlog = Backlog()
    backlog.ready(group(A), task(1))
    backlog.ready(group(B), task(1))
    backlog.lacks_credits(ROUTE)
    backlog.lacks_credits(OTHER)

    backlog.begin_pass()
    backlog.end_pass([ReadyGroup(group=group(A), from_id=task(50))], whole=True)

    assert (backlog.short(ROUTE), backlog.short(OTHER)) == (True, False)
    assert backlog.take(ROUTE) == {group(A): task(50)}


def test_what_comes_during_a_pass_is_not_forgotten_by_it() -> None:
    backlog = Backlog()
    backlog.begin_pass()
    backlog.ready(group(B), task(4))

    backlog.end_pass([], whole=True)

    assert backlog.take(ROUTE) == {group(B): task(4)}


def test_a_part_of_a_pass_forgets_nothing() -> None:
    backlog = Backlog()
    backlog.ready(group(A), task(4))
    backlog.begin_pass()

    backlog.end_pass([ReadyGroup(group=group(B), from_id=task(9))], whole=False)

    assert backlog.take(ROUTE) == {group(A): task(4), group(B): task(9)}


def test_above_its_bound_a_new_group_waits_for_a_pass() -> None:
    backlog = Backlog(groups_max=2)
    for n in range(3):
        backlog.ready(group(UUID(int=n)), task(n))
    assert len(backlog.take(ROUTE)) == 2

    backlog.ready(group(UUID(int=9)), task(9))

    assert len(backlog.take(ROUTE)) == 1


def test_what_nobody_serves_makes_room_for_what_somebody_does() -> None:
    served, unknown = Route(queue="a"), Route(queue="b")
    backlog = Backlog(groups_max=2, known=lambda route: route.queue == "a")
    for n in range(2):
        backlog.ready(group(task(n), unknown), task(n))

    backlog.ready(group(A, served), task(9))
    backlog.ready(group(B, unknown), task(10))
    backlog.ready(group(UUID(int=3), unknown), task(11))

    assert backlog.take(served) == {group(A, served): task(9)}
    assert backlog.take(unknown) == {group(B, unknown): task(10)}


def test_the_longest_line_makes_room_for_others_by_those_who_came_last() -> None:
    keyed = [Route(queue="a", keys=(f"key/{n}",)) for n in range(4)]
    backlog = Backlog(groups_max=4)
    for n, route in enumerate(keyed):
        backlog.ready(group(A, route), task(n))

    backlog.ready(group(A, Route(queue="a", keys=("key/4",))), task(4))
    backlog.ready(group(A, OTHER), task(5))

    assert backlog.routes() == (keyed[0], keyed[1], OTHER)


def test_routes_that_somebody_serves_wait_in_the_order_in_which_they_came() -> None:
    keyed = [Route(queue="a", keys=(f"key/{n}",)) for n in range(3)]
    backlog = Backlog()
    for route in (keyed[0], OTHER, keyed[1], Route(queue="c"), keyed[2]):
        backlog.ready(group(A, route), task(1))
    backlog.put_back(backlog.take(keyed[0]))
    asked: list[Route] = []

    def serves(route: Route) -> bool:
        asked.append(route)
        return route.queue != "c"

    assert tuple(backlog.waiting(serves)) == (OTHER, keyed[1], keyed[2], keyed[0])
    assert asked == [Route(queue="a"), OTHER, Route(queue="c")]


def test_what_came_is_told_once_and_only_where_it_still_waits() -> None:
    backlog = Backlog()
    for route in (ROUTE, OTHER):
        backlog.ready(group(A, route), task(1))
    backlog.take(OTHER)

    assert backlog.new() == (ROUTE,)
    backlog.ready(group(B), task(2))
    assert backlog.new() == ()


# ── shares ──────────────────────────────────────────────────────────────────────────────────────


def test_who_was_idle_saved_nothing_up_and_owes_nothing() -> None:
    shares = Shares()
    shares.given([A] * 100)

    assert shares.lead(B) == 0
    assert shares.lead(A) == 1


def test_a_heavier_organization_moves_ahead_more_slowly() -> None:
    shares = Shares()
    shares.weigh({A: 4.0})
    shares.given([A, B, A, A, A])

    assert shares.lead(A) == pytest.approx(shares.lead(B) - 0.75 + 0.75)
    assert shares.weight(A) == 4


def test_serving_whoever_is_least_ahead_divides_by_weight() -> None:
    shares = Shares()
    shares.weigh({A: 3.0})
    served: list[UUID] = []

    for _ in range(400):
        served.append(min((A, B), key=shares.lead))
        shares.given(served[-1:])

    assert served.count(A) == pytest.approx(300, abs=2)


def test_who_is_level_with_the_clock_is_forgotten() -> None:
    shares = Shares()
    for n in range(3 * SHARES_REMEMBERED_MAX):
        shares.given([UUID(int=n), A, A])

    assert shares.remembered <= SHARES_REMEMBERED_MAX + 1


# ── what a claim reads ──────────────────────────────────────────────────────────────────────────


def test_a_claim_reads_those_who_are_least_ahead_and_leaves_the_others_for_the_next() -> None:
    shares = Shares()
    shares.given([UUID(int=0)])
    marks = {group(UUID(int=n)): task(n) for n in range(CLAIM_GROUPS_MAX + 1)}

    chosen, left = groups_of(marks, 10, shares)

    assert list(left) == [group(UUID(int=0))]
    assert len(chosen) == CLAIM_GROUPS_MAX


@pytest.mark.parametrize(("groups", "depth"), [(1, 100), (4, 50), (100, 2)])
def test_each_group_is_read_twice_as_deep_as_its_part(groups: int, depth: int) -> None:
    marks = {group(UUID(int=n)): task(n) for n in range(groups)}

    chosen, _ = groups_of(marks, 100, Shares())

    assert {ready.depth for ready in chosen} == {depth + CLAIM_DEPTH_SPARE}


def test_a_claim_that_was_not_filled_leaves_only_what_it_did_not_read_to_the_end() -> None:
    few = ReadyGroup(group=group(A), from_id=task(1), depth=2 + CLAIM_DEPTH_SPARE)
    many = ReadyGroup(group=group(B), from_id=task(1), depth=2 + CLAIM_DEPTH_SPARE)
    taken = [(group(A), task(5)), (group(B), task(6)), (group(B), task(8))]

    assert left_of([few, many], taken, all_of_them=False) == {group(B): task(8)}
    assert left_of([few, many], taken, all_of_them=True) == {group(A): task(5), group(B): task(8)}
