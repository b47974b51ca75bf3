"""Frames and payloads of an earlier protocol, and of a later one: read with what they have."""

from uuid import UUID

import msgspec
import pytest

from mainspring_rpc.frames import from_worker_from_proto, to_worker_from_proto
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held
from mainspring_schema.tasks import PlainResult, PlainTask, TaskPayload, TaskResult, WorkflowTask
from mainspring_schema.workflows import StepRecord, Wait

TASK = UUID(int=7)
LATER = b"\xfa\x3e\x05later"
"""Field 999 of a protocol to come: a string."""


def test_a_frame_of_the_first_protocol_attaches_a_worker() -> None:
    attach = pb.Attach(incarnation=TASK.bytes, attach_number=1, name="old", queues=["default"])

    frame = from_worker_from_proto(pb.WorkRequest(attach=attach))

    assert frame.attach is not None
    assert (frame.attach.build, frame.attach.capabilities, frame.attach.held) == ("", (), ())
    assert (frame.credits, frame.results, frame.emits, frame.beat) == (0, (), (), None)


def test_members_of_a_later_protocol_are_passed_over() -> None:
    known = pb.WorkRequest(credits=3, starts=[pb.Start(task_id=TASK.bytes, fence=2)])
    task = pb.Task(task_id=TASK.bytes, fence=1, session_id=TASK.bytes, org_id=TASK.bytes)
    answer = pb.WorkResponse(tasks=[task])

    frame = from_worker_from_proto(pb.WorkRequest.FromString(known.SerializeToString() + LATER))
    told = to_worker_from_proto(pb.WorkResponse.FromString(answer.SerializeToString() + LATER))

    assert (frame.credits, frame.starts) == (3, (Held(TASK, 2),))
    assert [one.held for one in told.tasks] == [Held(TASK, 1)]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {"type": "task", "task_type": "add", "input": b"[1]"},
            PlainTask(task_type="add", input=b"[1]"),
        ),
        (
            {"type": "workflow", "workflow_id": TASK, "workflow_type": "order", "key": "k"},
            WorkflowTask(workflow_id=TASK, workflow_type="order", key="k"),
        ),
        (
            {"type": "task", "task_type": "add", "input": b"[1]", "of_tomorrow": [1]},
            PlainTask(task_type="add", input=b"[1]"),
        ),
    ],
)
def test_a_payload_of_another_version_is_read(
    payload: dict[str, object], expected: TaskPayload
) -> None:
    read: TaskPayload = msgspec.msgpack.decode(pack(payload), type=TaskPayload)

    assert read == expected


def test_a_result_without_what_came_later_is_read() -> None:
    read: TaskResult = msgspec.msgpack.decode(pack({"type": "task"}), type=TaskResult)

    assert read == PlainResult()


def test_steps_and_waits_without_what_came_later_are_read() -> None:
    step = msgspec.msgpack.decode(pack({"step": "1", "name": "a"}), type=StepRecord)
    wait = msgspec.msgpack.decode(pack({"step": "2", "name": "b", "kind": "sleep"}), type=Wait)

    assert (step.kind, step.flaw, step.attempts) == ("step", None, 1)
    assert (wait.child, wait.armed) == (None, False)
