"""Frames of the worker stream as MessagePack, in one field of their protobuf messages.

An item in protobuf costs its writer and its reader five times as much. Each end says in the attach
or in its answer that it reads packed frames; those two frames are never packed.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_schema.frames import Acknowledgement, FromWorker, ToWorker, Verdict

_PACK: Final = msgspec.msgpack.Encoder(uuid_format="bytes")


def from_worker_packed(frame: FromWorker) -> pb.WorkRequest:
    """What the worker writes to an engine that reads it."""
    return pb.WorkRequest(packed=_PACK.encode(frame))


def to_worker_packed(frame: ToWorker) -> pb.WorkResponse:
    """What the engine writes to a worker that reads it.

    Raises ValueError for a verdict that must not leave the engine.
    """
    for acks in (frame.results, frame.starts, frame.emits, frame.progress):
        _check(acks)
    return pb.WorkResponse(packed=_PACK.encode(frame))


def _check(acks: Iterable[Acknowledgement]) -> None:
    if any(ack.verdict is Verdict.CONFLICT for ack in acks):
        message = "the verdict CONFLICT must not leave the engine"
        raise ValueError(message)
