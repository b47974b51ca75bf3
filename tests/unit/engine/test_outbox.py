"""What rides one frame to a worker."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_kernel.limits import FRAME_BYTES_TARGET
from mainspring_schema.events import StoredEvent
from mainspring_schema.frames import Config, Held, History, StepProgress, Task
from mainspring_schema.workflows import StepRecord

ID = UUID(int=1)
TASK = Task(held=Held(ID, 1), session_id=ID, org_id=ID, traceparent="", payload=b"")
LARGE = bytes(FRAME_BYTES_TARGET * 2 // 3)


@pytest.mark.parametrize(
    "member",
    [
        {"payload": LARGE},
        {"config": Config(hash=b"", body=LARGE)},
        {"tail": (StoredEvent(seq=1, type="a", ts_ms=0, payload=LARGE),)},
        {"recorded": (StepRecord(step="0", name="", kind="input", result=LARGE),)},
        {"progress": (StepProgress("", LARGE),)},
    ],
    ids=lambda member: str(*member),
)
async def test_whatever_is_large_of_a_task_fills_its_frame(member: dict[str, object]) -> None:
    outbox, large = FrameOutbox(), msgspec.structs.replace(TASK, **member)
    for task in (TASK, TASK, large, large, TASK):
        outbox.task(task)

    frames = [await outbox.next_frame() for _ in range(2)]

    assert [frame and len(frame.tasks) for frame in frames] == [3, 2]


async def test_a_drain_is_answered_once_and_behind_all_tasks() -> None:
    outbox, large = FrameOutbox(), msgspec.structs.replace(TASK, payload=LARGE)
    for _ in range(2):
        outbox.task(large)
    outbox.drained()
    outbox.renewed(TASK.held)

    frames = [await outbox.next_frame() for _ in range(2)]
    outbox.renewed(TASK.held)
    frames.append(await outbox.next_frame())

    assert [frame and (len(frame.tasks), frame.drained) for frame in frames] == [
        (1, False),
        (1, True),
        (0, False),
    ]


async def test_configurations_and_pages_of_histories_take_turns() -> None:
    outbox = FrameOutbox()
    for number in range(3):
        outbox.config(Config(hash=b"%d" % number, body=LARGE))
        outbox.history(History(held=TASK.held, steps=(), after=str(number)))

    frames = [await outbox.next_frame() for _ in range(3)]

    assert [frame and [one.hash for one in frame.configs] for frame in frames] == [
        [b"0"],
        [b"1"],
        [b"2"],
    ]
    assert [frame and len(frame.histories) for frame in frames] == [1, 1, 1]
