"""What a campaign takes for the fault of its own kills, and what not."""

import pytest

from tests.chaos.listening import Json
from tests.chaos.ordering import are_deaths, children


@pytest.mark.parametrize(
    ("closings", "workers", "explained"),
    [
        (("expired", "expired", "quarantined"), "abc", True),
        (("expired", "undelivered", "expired", "quarantined"), "abcd", True),
        (("expired", "expired", "quarantined"), "aba", False),
        (("expired", "quarantined"), "ab", False),
        (("returned", "expired", "quarantined"), "abc", False),
        (("expired", "expired", "expired", "quarantined"), "abac", True),
    ],
)
def test_three_workers_that_were_lost_explain_a_task_that_was_set_aside(
    closings: tuple[str, ...], workers: str, *, explained: bool
) -> None:
    attempts: list[Json] = [
        {"closing": closing, "worker_id": worker}
        for closing, worker in zip(closings, workers, strict=True)
    ]

    assert are_deaths(attempts) is explained


def test_a_program_may_fail_of_those_that_it_waited_for() -> None:
    told: list[Json] = [
        {"type": "workflow.child_started", "data": {"workflow_id": "a", "detached": True}},
        {"type": "workflow.child_started", "data": {"workflow_id": "b", "detached": False}},
        {"type": "workflow.waiting", "data": {}},
    ]

    assert list(children({"data": told})) == ["b"]
