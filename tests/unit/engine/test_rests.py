"""What a go is told of the rest that it follows."""

import msgspec

from mainspring_schema.tasks import AttemptPayload, WorkflowResult, WorkflowTask
from mainspring_schema.workflows import Wait
from tests.unit.engine.program import Desk

GO = Wait(step="1", name="go", kind="signal")


def told(desk: Desk) -> tuple[int, int]:
    (new,) = desk.last.tasks
    task = msgspec.msgpack.decode(new.payload, type=AttemptPayload)
    assert isinstance(task, WorkflowTask)
    return task.go, task.rested


def test_the_first_go_follows_no_rest() -> None:
    assert told(Desk()) == (1, 0)


def test_a_go_names_the_attempt_that_left_the_workflow_at_rest() -> None:
    desk = Desk()
    desk.claimed()
    fence = desk.claimed().fence  # the one before was lost

    desk.suspends(GO)
    desk.signal("go")

    assert (told(desk), fence) == ((2, fence), 2)


def test_a_rest_whose_end_came_meanwhile_is_named_too() -> None:
    desk = Desk()
    desk.signal("go")
    fence = desk.claimed().fence

    desk.suspends(GO)

    assert told(desk) == (2, fence)


def test_code_that_starts_over_rests_nowhere() -> None:
    desk = Desk()
    desk.claimed()
    desk.suspends(GO)
    desk.signal("go")
    desk.claimed()

    desk.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    assert told(desk) == (3, 0)
