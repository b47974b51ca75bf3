"""A worker whose code does not fit a workflow is not asked again while another one may fit."""

from uuid import UUID

import pytest

from mainspring_engine.domain.limits import REFUSALS_AT_ONCE_MAX, REFUSED_WORKFLOWS_MAX
from mainspring_engine.domain.refusals import Refusals
from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Offer, Route
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.domain.workflow.state import Phase
from mainspring_schema.tasks import WorkflowResult
from tests.unit.engine.program import Desk

ROUTE = Route(queue="default", capability="workflow:order")
OFFER = Offer(queues=frozenset({"default"}), capabilities=frozenset({"workflow:order"}), build="")
OTHER_KIND = Offer(queues=frozenset({"default"}), capabilities=frozenset({"task:add"}), build="")
ONE, OTHER, ORDER = UUID(int=1), UUID(int=2), UUID(int=9)


def roster_of(*seats: Seat) -> Roster:
    roster = Roster()
    for seat in seats:
        roster.add(seat)
    return roster


def test_a_refusal_goes_to_a_worker_that_has_not_refused_until_all_have() -> None:
    roster = roster_of(Seat(ONE, 1, OFFER, 4), Seat(OTHER, 1, OFFER, 4))

    first = roster.refused(ORDER, ONE, ROUTE)
    seats = [roster.pick(ROUTE, ONE, but=roster.refusals.of(ORDER)) for _ in range(4)]
    roster.give_back(OTHER, 1, 4)
    second = roster.refused(ORDER, OTHER, ROUTE)

    assert (first, second) == (True, False)
    assert {seat.incarnation for seat in seats if seat is not None} == {OTHER}
    assert roster.pick(ROUTE, but=roster.refusals.of(ORDER)) is None
    assert roster.pick(ROUTE) is not None


@pytest.mark.parametrize(
    "seat", [Seat(OTHER, 1, OFFER, 0), Seat(OTHER, 1, OTHER_KIND, 4)], ids=["busy", "other kind"]
)
def test_who_cannot_take_it_now_is_nobody_to_be_asked_at_once(seat: Seat) -> None:
    roster = roster_of(Seat(ONE, 1, OFFER, 4), seat)

    assert not roster.refused(ORDER, ONE, ROUTE)


def test_a_workflow_does_not_go_round_at_once_for_ever() -> None:
    refusals = Refusals()

    asked = [refusals.note(ORDER, ONE) for _ in range(REFUSALS_AT_ONCE_MAX + 1)]

    assert asked == [True] * REFUSALS_AT_ONCE_MAX + [False]


def test_what_was_refused_longest_ago_is_forgotten_first() -> None:
    refusals = Refusals()
    for number in range(REFUSED_WORKFLOWS_MAX):
        refusals.note(UUID(int=number), ONE)
    refusals.note(UUID(int=0), OTHER)

    refusals.note(UUID(int=REFUSED_WORKFLOWS_MAX), ONE)

    assert refusals.of(UUID(int=0)) == {ONE, OTHER}
    assert refusals.of(UUID(int=1)) == frozenset()


def test_one_that_ended_is_forgotten() -> None:
    refusals = Refusals()
    refusals.note(ORDER, ONE)

    refusals.forget(ORDER)
    refusals.forget(ORDER)

    assert refusals.of(ORDER) == frozenset()
    assert refusals.note(ORDER, ONE)


def test_code_that_differs_has_the_next_go_elsewhere_at_once_and_holds_nothing() -> None:
    held = Desk()
    held.claimed()
    first = held.held

    held.brings(WorkflowResult(outcome="held"), elsewhere=True)

    (close,), (task,) = held.last.closes, held.last.tasks
    assert (close.closing, close.error_code) == (Closing.SUSPENDED, "version_conflict")
    assert close.delay_ms is None
    assert task.id != first.task_id
    assert (held.state.phase, held.state.holds) == (Phase.RUNNING, 0)
    assert "workflow.held" not in held.types


def test_code_that_differs_has_no_next_go_once_it_is_to_stop() -> None:
    held = Desk()
    held.claimed()
    held.cancel()

    held.brings(WorkflowResult(outcome="held"), elsewhere=True)

    assert held.view.workflow is not None
    assert held.view.workflow.outcome is Outcome.CANCELLED
