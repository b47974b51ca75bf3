"""Frames as protobuf: nothing is lost on the way, and the bytes of old versions stay readable."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from mainspring_rpc.frames import (
    MalformedFrame,
    from_worker_from_proto,
    from_worker_to_proto,
    to_worker_from_proto,
    to_worker_to_proto,
)
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_rpc.packed import from_worker_packed, to_worker_packed
from mainspring_schema.agents import ToolDefinition
from mainspring_schema.events import StoredEvent
from mainspring_schema.frames import (
    Acknowledgement,
    Attach,
    Attached,
    Beat,
    Config,
    Emit,
    FromWorker,
    Held,
    History,
    HistoryWanted,
    Progress,
    Result,
    StepProgress,
    Task,
    ToWorker,
    Verdict,
)
from mainspring_schema.tasks import EmitEvent
from mainspring_schema.toolsets import Toolset, check
from mainspring_schema.workflows import Flaw, StepRecord, Wait

GOLDEN = Path(__file__).parent / "golden"
HELD = Held(UUID(int=7), 3)
OTHER = Held(UUID(int=8), 1)
HASH = bytes(range(32))

FROM_WORKER = FromWorker(
    attach=Attach(
        incarnation=UUID(int=9),
        attach_number=2,
        name="worker-1",
        build="0.1.0",
        queues=("default", "gpu"),
        capabilities=("", "test_math"),
        slots=16,
        held=(HELD, OTHER),
    ),
    credits=5,
    results=(Result(held=HELD, hash=HASH, body=b"\x81\xa1a\x01"),),
    starts=(HELD,),
    emits=(Emit(held=OTHER, counter=2, events=(EmitEvent(type="tool.progress", data={"n": 1}),)),),
    beat=Beat(held=(HELD,), loop_lag_ms=12),
    configs_wanted=(HASH,),
    draining=True,
    returned=(OTHER,),
    histories_wanted=(
        HistoryWanted(held=HELD, after="3"),
        HistoryWanted(held=OTHER, places=("2/1", "a1~3")),
    ),
    progress=(
        Progress(held=HELD, counter=4, step="2/1", details=b'{"row":7}'),
        Progress(held=OTHER, counter=5, step=""),
    ),
)
STEP = StepRecord(step="2/1", name="charge", input_hash=HASH, result=b"[1]", attempts=2)
FAILED = StepRecord(step="3", name="ship", flaw=Flaw(code="step_failed", message="no"))
WAIT = Wait(step="4", name="approve", kind="signal", delay_ms=5, armed=True)
RECORDING = FromWorker(emits=(Emit(held=HELD, counter=1, steps=(STEP, FAILED), waits=(WAIT,)),))
TO_WORKER = ToWorker(
    attached=Attached(lease_ms=10_000, lost=(OTHER,)),
    tasks=(
        Task(
            held=HELD,
            session_id=UUID(int=1),
            org_id=UUID(int=2),
            traceparent="00-0000000000000000000000000000000a-000000000000000b-01",
            payload=b"payload",
            config=Config(hash=HASH, body=b"{}"),
            tail=(StoredEvent(1, "input.message", 5, b"{}", 2),),
        ),
        Task(
            held=OTHER,
            session_id=UUID(int=1),
            org_id=UUID(int=2),
            traceparent="",
            payload=b"",
        ),
    ),
    results=(Acknowledgement(held=HELD, verdict=Verdict.COMMITTED),),
    starts=(Acknowledgement(held=HELD, verdict=Verdict.DUPLICATE),),
    emits=(Acknowledgement(held=HELD, verdict=Verdict.STALE, counter=2),),
    lost=(OTHER,),
    cancelled=(HELD,),
    configs=(Config(hash=HASH, body=b""),),
    renewed=(HELD,),
    leaving=True,
    histories=(
        History(held=HELD, steps=(STEP,), after="", more=True),
        History(held=OTHER, steps=()),
        History(held=OTHER, steps=(STEP,), after="", at_places=True),
    ),
    progress=(Acknowledgement(held=HELD, verdict=Verdict.COMMITTED, counter=4),),
    drained=True,
)
AGAIN = ToWorker(
    tasks=(
        msgspec.structs.replace(
            TO_WORKER.tasks[1], progress=(StepProgress("2/1", b'{"row":7}'), StepProgress("", b"1"))
        ),
    )
)
STARTING = ToWorker(
    tasks=(
        msgspec.structs.replace(TO_WORKER.tasks[1], recorded=(STEP,)),
        msgspec.structs.replace(TO_WORKER.tasks[1], recorded=()),
    )
)


ANNOUNCING = FromWorker(
    attach=Attach(
        incarnation=UUID(int=9),
        attach_number=1,
        name="",
        build="",
        queues=("default",),
        capabilities=("toolset:shop/refund",),
        slots=1,
        toolset=check(Toolset(name="shop", tools=(ToolDefinition(name="refund"),))),
    )
)


@pytest.mark.parametrize(
    "frame",
    [FROM_WORKER, FromWorker(), FromWorker(credits=1), RECORDING, ANNOUNCING],
    ids=["full", "empty", "credits", "recording", "announcing"],
)
def test_frame_from_a_worker_comes_back_whole(frame: FromWorker) -> None:
    data = from_worker_to_proto(frame).SerializeToString()

    assert from_worker_from_proto(pb.WorkRequest.FromString(data)) == frame


@pytest.mark.parametrize("started", [False, True])
def test_lost_effect_is_told_with_its_task(started: bool) -> None:
    (task, *_) = TO_WORKER.tasks
    frame = ToWorker(tasks=(msgspec.structs.replace(task, started=started),))

    data = to_worker_to_proto(frame).SerializeToString()

    assert to_worker_from_proto(pb.WorkResponse.FromString(data)) == frame


@pytest.mark.parametrize(
    "frame",
    [TO_WORKER, ToWorker(), ToWorker(leaving=True), STARTING, AGAIN],
    ids=["full", "empty", "leaving", "starting", "again"],
)
def test_frame_to_a_worker_comes_back_whole(frame: ToWorker) -> None:
    data = to_worker_to_proto(frame).SerializeToString()

    assert to_worker_from_proto(pb.WorkResponse.FromString(data)) == frame


@pytest.mark.parametrize("frame", [FROM_WORKER, FromWorker(), RECORDING, ANNOUNCING])
def test_packed_frame_from_a_worker_comes_back_whole(frame: FromWorker) -> None:
    data = from_worker_packed(frame).SerializeToString()

    assert from_worker_from_proto(pb.WorkRequest.FromString(data)) == frame


@pytest.mark.parametrize("frame", [TO_WORKER, ToWorker(), STARTING, AGAIN])
def test_packed_frame_to_a_worker_comes_back_whole(frame: ToWorker) -> None:
    data = to_worker_packed(frame).SerializeToString()

    assert to_worker_from_proto(pb.WorkResponse.FromString(data)) == frame


def test_bytes_of_packed_frames_stay_readable() -> None:
    said, told = (bytes.fromhex(line) for line in (GOLDEN / "packed.hex").read_text().splitlines())

    assert from_worker_from_proto(pb.WorkRequest.FromString(said)) == FROM_WORKER
    old = msgspec.structs.replace(TO_WORKER, drained=False)
    assert to_worker_from_proto(pb.WorkResponse.FromString(told)) == old


def test_every_member_is_in_the_samples() -> None:
    for sample in (FROM_WORKER, TO_WORKER):
        empty = type(sample)()
        for name in sample.__struct_fields__:
            assert getattr(sample, name) != getattr(empty, name), name


def test_bytes_of_a_frame_from_a_worker_stay_readable() -> None:
    data = bytes.fromhex((GOLDEN / "from_worker.hex").read_text())

    old = msgspec.structs.replace(FROM_WORKER, histories_wanted=(), progress=())
    assert from_worker_from_proto(pb.WorkRequest.FromString(data)) == old


def test_bytes_of_recorded_steps_stay_readable() -> None:
    data = bytes.fromhex((GOLDEN / "recording.hex").read_text())

    assert from_worker_from_proto(pb.WorkRequest.FromString(data)) == RECORDING


def test_bytes_of_a_frame_to_a_worker_stay_readable() -> None:
    data = bytes.fromhex((GOLDEN / "to_worker.hex").read_text())

    old = msgspec.structs.replace(TO_WORKER, histories=(), progress=(), drained=False)
    assert to_worker_from_proto(pb.WorkResponse.FromString(data)) == old


def test_bytes_of_a_history_stay_readable() -> None:
    data = bytes.fromhex((GOLDEN / "history.hex").read_text())

    found = to_worker_from_proto(pb.WorkResponse.FromString(data))
    assert found == ToWorker(tasks=STARTING.tasks, histories=TO_WORKER.histories[:2])


def test_bytes_of_progress_stay_readable() -> None:
    said, kept = (
        bytes.fromhex(line) for line in (GOLDEN / "progress.hex").read_text().splitlines()
    )

    told = FromWorker(progress=FROM_WORKER.progress)
    assert from_worker_from_proto(pb.WorkRequest.FromString(said)) == told
    answer = ToWorker(tasks=AGAIN.tasks, progress=TO_WORKER.progress)
    assert to_worker_from_proto(pb.WorkResponse.FromString(kept)) == answer


@pytest.mark.parametrize(
    "message",
    [
        pb.WorkRequest(starts=[pb.Start(task_id=b"short", fence=1)]),
        pb.WorkRequest(configs_wanted=[b"short"]),
        pb.WorkRequest(results=[pb.Result(task_id=bytes(16), fence=1, hash=b"", body=b"")]),
        pb.WorkRequest(emits=[pb.Emit(task_id=bytes(16), fence=1, counter=1, events=b"\xc1")]),
        pb.WorkRequest(packed=b"\x91\x01"),
        pb.WorkRequest(beat=pb.Beat(held=[pb.Held(task_id=bytes(16), fence=2**31)])),
        pb.WorkRequest(emits=[pb.Emit(task_id=bytes(16), fence=1, counter=2**31)]),
        pb.WorkRequest(progress=[pb.Progress(task_id=bytes(16), fence=1, counter=2**31)]),
        from_worker_packed(FromWorker(starts=(Held(UUID(int=7), 2**31),))),
        from_worker_packed(FromWorker(emits=(Emit(held=HELD, counter=2**40),))),
    ],
    ids=[
        "task id",
        "config hash",
        "result hash",
        "events",
        "packed",
        "fence",
        "counter of events",
        "counter of progress",
        "packed fence",
        "packed counter",
    ],
)
def test_unreadable_frame_from_a_worker_is_malformed(message: pb.WorkRequest) -> None:
    with pytest.raises(MalformedFrame):
        from_worker_from_proto(message)


@pytest.mark.parametrize(
    "message",
    [
        pb.WorkResponse(lost=[pb.Held(task_id=b"", fence=1)]),
        pb.WorkResponse(results=[pb.Acknowledgement(task_id=bytes(16), fence=1)]),
        pb.WorkResponse(
            tasks=[
                pb.Task(task_id=bytes(16), session_id=bytes(16), org_id=bytes(16), tail=b"\x91\x01")
            ]
        ),
        pb.WorkResponse(packed=b"\xc1"),
    ],
    ids=["task id", "verdict", "tail", "packed"],
)
def test_unreadable_frame_to_a_worker_is_malformed(message: pb.WorkResponse) -> None:
    with pytest.raises(MalformedFrame):
        to_worker_from_proto(message)


@pytest.mark.parametrize("written", [to_worker_to_proto, to_worker_packed])
def test_verdict_conflict_never_leaves_the_engine(
    written: Callable[[ToWorker], pb.WorkResponse],
) -> None:
    conflict = Acknowledgement(held=HELD, verdict=Verdict.CONFLICT)

    with pytest.raises(ValueError, match="CONFLICT"):
        written(msgspec.structs.replace(TO_WORKER, results=(conflict,)))
