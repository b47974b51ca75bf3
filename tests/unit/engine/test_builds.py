"""What is pinned to a build goes to workers of that build alone."""

import msgspec
import pytest

from mainspring_engine.domain.plain import made_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.workflow import children
from mainspring_engine.usecases.workflows import check_build
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, SeededIds
from mainspring_kernel.limits import WORKFLOW_KEY_CHARS_MAX
from mainspring_schema.plain import SubmitTask
from mainspring_schema.tasks import PlainTask, WorkflowResult
from mainspring_schema.workflows import ChildStart, StartWorkflow, Wait
from tests.unit.engine.program import Desk

IDS = SeededIds(ManualClock(), seed=4)


def of_child(queue: str) -> Wait:
    return Wait(step="1", name="pay", kind="child", child=ChildStart(type="pay", queue=queue))


def test_each_go_of_a_pinned_workflow_is_for_its_build() -> None:
    desk = Desk(build="b7")
    (first,) = desk.last.tasks
    desk.claimed()

    desk.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    (second,) = desk.last.tasks
    assert first.route == second.route == Route(capability="workflow:order", build="b7")
    assert desk.data[0][1]["build"] == "b7"


def test_a_workflow_without_a_build_is_for_any() -> None:
    desk = Desk()

    (task,) = desk.last.tasks
    assert task.route.build == ""
    assert "build" not in desk.data[0][1]


@pytest.mark.parametrize(("queue", "build"), [("default", "b7"), ("gpu", "")])
def test_the_pin_goes_with_a_child_on_the_same_queue(queue: str, build: str) -> None:
    desk = Desk(build="b7")
    desk.claimed()

    desk.suspends(of_child(queue))

    (told,) = desk.told
    assert told.kind == children.START
    assert msgspec.msgpack.decode(told.body, type=StartWorkflow).build == build


def test_a_pinned_plain_task_is_for_its_build_and_remembers_it() -> None:
    order = SubmitTask(org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7(), type="add", build="b7")

    made = made_of(order)

    assert made.route == Route(capability="task:add", build="b7")
    assert msgspec.msgpack.decode(made.payload, type=PlainTask).build == "b7"


@pytest.mark.parametrize("build", ["two\nlines", "x" * (WORKFLOW_KEY_CHARS_MAX + 1)])
def test_a_build_that_nobody_can_have_is_refused(build: str) -> None:
    with pytest.raises(ValidationFailed):
        check_build(build)


def test_a_build_may_be_as_packages_name_their_versions() -> None:
    check_build("1.2.0+g45ab")
