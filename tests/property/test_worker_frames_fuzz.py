"""Whatever bytes a stranger puts into a worker frame: it is read, or refused as malformed."""

from contextlib import suppress

import msgspec
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from mainspring_rpc.frames import (
    MalformedFrame,
    from_worker_from_proto,
    from_worker_to_proto,
    to_worker_from_proto,
    to_worker_to_proto,
)
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb

DEEP = b"\x91" * 100_000  # arrays in arrays
DEEP_EVENT = b"\x91\x82\xa4type\xa1x\xa4data\x81\xa1a" + DEEP
blobs = st.one_of(
    st.binary(max_size=64),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=12,
    ).map(msgspec.msgpack.encode),
)
ids = st.one_of(st.binary(min_size=16, max_size=16), st.binary(max_size=20))
hashes = st.one_of(st.binary(min_size=32, max_size=32), st.binary(max_size=40))
fences = st.integers(0, 2**31 - 1)


@given(ids, fences, blobs, hashes)
@example(b"i" * 16, 1, DEEP_EVENT, b"h" * 32)
@example(b"i" * 16, 1, DEEP, b"h" * 32)
def test_a_frame_of_a_worker_is_read_or_refused(
    id_: bytes, fence: int, blob: bytes, hash_: bytes
) -> None:
    frames = [
        pb.WorkRequest(results=[pb.Result(task_id=id_, fence=fence, hash=hash_, body=blob)]),
        pb.WorkRequest(attach=pb.Attach(incarnation=id_, name=str(fence))),
        pb.WorkRequest(emits=[pb.Emit(task_id=id_, fence=fence, events=blob)]),
        pb.WorkRequest(emits=[pb.Emit(task_id=id_, fence=fence, steps=blob)]),
        pb.WorkRequest(emits=[pb.Emit(task_id=id_, fence=fence, waits=blob)]),
        pb.WorkRequest(packed=blob),
    ]

    for frame in frames:
        with suppress(MalformedFrame):
            known = from_worker_from_proto(frame)
            again = from_worker_from_proto(from_worker_to_proto(known))
            assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(known)


@given(ids, fences, blobs, hashes)
@example(b"i" * 16, 1, DEEP, b"h" * 32)
def test_a_frame_of_an_engine_is_read_or_refused(
    id_: bytes, fence: int, blob: bytes, hash_: bytes
) -> None:
    config = pb.Config(hash=hash_, body=blob)
    task = pb.Task(
        task_id=id_, fence=fence, session_id=id_, org_id=id_, payload=blob, config=config
    )
    tail, recorded = pb.Task(), pb.Task()
    for made in (tail, recorded):
        made.CopyFrom(task)
    tail.tail = recorded.recorded = blob
    frames = [
        pb.WorkResponse(tasks=[task]),
        pb.WorkResponse(tasks=[tail]),
        pb.WorkResponse(tasks=[recorded]),
        pb.WorkResponse(histories=[pb.History(task_id=id_, fence=fence, steps=blob)]),
        pb.WorkResponse(
            results=[pb.Acknowledgement(task_id=id_, fence=fence, verdict=pb.VERDICT_UNSPECIFIED)]
        ),
        pb.WorkResponse(packed=blob),
    ]

    for frame in frames:
        with suppress(MalformedFrame):
            known = to_worker_from_proto(frame)
            with suppress(ValueError):  # a verdict that must not leave an engine
                again = to_worker_from_proto(to_worker_to_proto(known))
                assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(known)


@pytest.mark.parametrize("of_worker", [True, False])
@given(st.binary(max_size=200))
def test_any_bytes_are_no_frame_or_one(of_worker: bool, data: bytes) -> None:
    with suppress(DecodeError, MalformedFrame):
        if of_worker:
            from_worker_from_proto(pb.WorkRequest.FromString(data))
        else:
            to_worker_from_proto(pb.WorkResponse.FromString(data))
