"""What a workflow records while a worker has it takes the deaths of its task back."""

from mainspring_schema.workflows import Wait
from tests.unit.engine.program import Desk

APPROVE = Wait(step="2", name="approve", kind="signal")


def test_what_an_attempt_finds_at_once_bears_its_fence_so_that_it_takes_deaths_back(
    held: Desk,
) -> None:
    held.signal("approve")

    held.emits(waits=(APPROVE,))

    (found,) = held.last.steps
    assert (found.task_id, found.fence) == (held.held.task_id, held.held.fence)


def test_what_comes_to_one_that_waits_is_of_no_attempt(held: Desk) -> None:
    held.emits(waits=(APPROVE,))

    held.signal("approve")

    (found,) = held.last.steps
    assert (found.task_id, found.fence) == (held.id, 0)
