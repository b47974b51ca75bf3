"""Frames of the worker stream: structs of `mainspring_schema.frames` to protobuf and back.

The only place that knows both. Reading checks what protobuf cannot: the length of ids and hashes,
and that MessagePack members hold what they promise; it raises MalformedFrame.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, cast
from uuid import UUID

import msgspec

from mainspring_kernel.errors import MainspringError
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_schema.codec import pack
from mainspring_schema.events import StoredEvent
from mainspring_schema.frames import (
    Acknowledgement,
    Attach,
    Attached,
    Beat,
    Config,
    Count,
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
from mainspring_schema.workflows import StepRecord, Wait

_FROM_WORKER: Final = msgspec.msgpack.Decoder(FromWorker)
_TO_WORKER: Final = msgspec.msgpack.Decoder(ToWorker)
_EVENTS: Final = msgspec.msgpack.Decoder(tuple[EmitEvent, ...])
_TAIL: Final = msgspec.msgpack.Decoder(tuple[StoredEvent, ...])
_STEPS: Final = msgspec.msgpack.Decoder(tuple[StepRecord, ...])
_WAITS: Final = msgspec.msgpack.Decoder(tuple[Wait, ...])
_PROGRESS: Final = msgspec.msgpack.Decoder(tuple[StepProgress, ...])
_HASH_BYTES: Final = 32
_KNOWN_IDS_MAX: Final = 256
"""Organizations whose ids are at hand: those at work at one time."""
_UNREADABLE: Final = (ValueError, KeyError, msgspec.DecodeError, RecursionError)
"""The last is what nests deeper than the stack."""
_VERDICTS: Final = {int(verdict): verdict for verdict in Verdict}
"""As `Verdict(number)`, in a tenth of its time."""


class MalformedFrame(MainspringError):
    """A frame holds an id, a hash or a payload that cannot be read. The stream is not usable."""

    code = "malformed_frame"
    status = 400
    title = "Malformed frame"


# ── from the worker ─────────────────────────────────────────────────────────────────────────────


def from_worker_to_proto(frame: FromWorker) -> pb.WorkRequest:
    """What the worker writes."""
    return pb.WorkRequest(
        attach=None if frame.attach is None else _attach_to_proto(frame.attach),
        credits=frame.credits,
        results=[
            pb.Result(task_id=r.held.task_id.bytes, fence=r.held.fence, hash=r.hash, body=r.body)
            for r in frame.results
        ],
        starts=[pb.Start(task_id=h.task_id.bytes, fence=h.fence) for h in frame.starts],
        emits=[
            pb.Emit(
                task_id=e.held.task_id.bytes,
                fence=e.held.fence,
                counter=e.counter,
                events=_some(e.events),
                steps=_some(e.steps),
                waits=_some(e.waits),
            )
            for e in frame.emits
        ],
        beat=None if frame.beat is None else _beat_to_proto(frame.beat),
        configs_wanted=frame.configs_wanted,
        draining=frame.draining,
        returned=_held_to_proto(frame.returned),
        histories_wanted=[_wanted_to_proto(wanted) for wanted in frame.histories_wanted],
        progress=[
            pb.Progress(
                task_id=p.held.task_id.bytes,
                fence=p.held.fence,
                counter=p.counter,
                step=p.step,
                details=p.details,
            )
            for p in frame.progress
        ],
    )


def from_worker_from_proto(message: pb.WorkRequest) -> FromWorker:
    """What the engine reads, packed or not. Raises MalformedFrame."""
    try:
        if message.packed:
            return _FROM_WORKER.decode(message.packed)
        return FromWorker(
            attach=_attach_from_proto(message.attach) if message.HasField("attach") else None,
            credits=message.credits,
            results=tuple(
                Result(held=_held(r.task_id, r.fence), hash=_hash(r.hash), body=r.body)
                for r in message.results
            ),
            starts=tuple(_held(s.task_id, s.fence) for s in message.starts),
            emits=tuple(_emit_from_proto(emit) for emit in message.emits),
            beat=_beat_from_proto(message.beat) if message.HasField("beat") else None,
            configs_wanted=tuple(_hash(wanted) for wanted in message.configs_wanted),
            draining=message.draining,
            returned=_held_from_proto(message.returned),
            histories_wanted=tuple(
                HistoryWanted(held=_held(w.task_id, w.fence), after=w.after, places=tuple(w.places))
                for w in message.histories_wanted
            ),
            progress=tuple(_progress_from_proto(progress) for progress in message.progress),
        )
    except _UNREADABLE as error:
        raise MalformedFrame(str(error)) from error


def _emit_from_proto(message: pb.Emit) -> Emit:
    return Emit(
        held=_held(message.task_id, message.fence),
        counter=_count(message.counter),
        events=_EVENTS.decode(message.events) if message.events else (),
        steps=_STEPS.decode(message.steps) if message.steps else (),
        waits=_WAITS.decode(message.waits) if message.waits else (),
    )


def _progress_from_proto(message: pb.Progress) -> Progress:
    return Progress(
        held=_held(message.task_id, message.fence),
        counter=_count(message.counter),
        step=message.step,
        details=message.details,
    )


def _attach_to_proto(attach: Attach) -> pb.Attach:
    return pb.Attach(
        incarnation=attach.incarnation.bytes,
        attach_number=attach.attach_number,
        name=attach.name,
        build=attach.build,
        queues=attach.queues,
        capabilities=attach.capabilities,
        slots=attach.slots,
        held=_held_to_proto(attach.held),
        toolset=attach.toolset,
    )


def _attach_from_proto(message: pb.Attach) -> Attach:
    return Attach(
        incarnation=UUID(bytes=message.incarnation),
        attach_number=message.attach_number,
        name=message.name,
        build=message.build,
        queues=tuple(message.queues),
        capabilities=tuple(message.capabilities),
        slots=message.slots,
        held=_held_from_proto(message.held),
        toolset=message.toolset,
    )


def _beat_to_proto(beat: Beat) -> pb.Beat:
    return pb.Beat(held=_held_to_proto(beat.held), loop_lag_ms=beat.loop_lag_ms)


def _beat_from_proto(message: pb.Beat) -> Beat:
    return Beat(held=_held_from_proto(message.held), loop_lag_ms=message.loop_lag_ms)


# ── to the worker ───────────────────────────────────────────────────────────────────────────────


def to_worker_to_proto(frame: ToWorker) -> pb.WorkResponse:
    """What the engine writes. Raises ValueError for a verdict that must not leave the engine."""
    return pb.WorkResponse(
        attached=None if frame.attached is None else _attached_to_proto(frame.attached),
        tasks=[_task_to_proto(task) for task in frame.tasks],
        results=_acks_to_proto(frame.results),
        starts=_acks_to_proto(frame.starts),
        emits=_acks_to_proto(frame.emits),
        lost=_held_to_proto(frame.lost),
        cancelled=_held_to_proto(frame.cancelled),
        configs=[pb.Config(hash=c.hash, body=c.body) for c in frame.configs],
        renewed=_held_to_proto(frame.renewed),
        leaving=frame.leaving,
        histories=[_history_to_proto(history) for history in frame.histories],
        progress=_acks_to_proto(frame.progress),
        drained=frame.drained,
    )


def to_worker_from_proto(message: pb.WorkResponse) -> ToWorker:
    """What the worker reads, packed or not. Raises MalformedFrame."""
    try:
        if message.packed:
            return _TO_WORKER.decode(message.packed)
        return ToWorker(
            attached=_attached_from_proto(message.attached)
            if message.HasField("attached")
            else None,
            tasks=tuple(_task_from_proto(task) for task in message.tasks),
            results=_acks_from_proto(message.results),
            starts=_acks_from_proto(message.starts),
            emits=_acks_from_proto(message.emits),
            lost=_held_from_proto(message.lost),
            cancelled=_held_from_proto(message.cancelled),
            configs=tuple(_config_from_proto(config) for config in message.configs),
            renewed=_held_from_proto(message.renewed),
            leaving=message.leaving,
            histories=tuple(_history_from_proto(history) for history in message.histories),
            progress=_acks_from_proto(message.progress),
            drained=message.drained,
        )
    except _UNREADABLE as error:
        raise MalformedFrame(str(error)) from error


def _attached_to_proto(attached: Attached) -> pb.Attached:
    return pb.Attached(
        lease_ms=attached.lease_ms,
        lost=_held_to_proto(attached.lost),
        answers_beats=attached.answers_beats,
    )


def _attached_from_proto(message: pb.Attached) -> Attached:
    return Attached(
        lease_ms=message.lease_ms,
        lost=_held_from_proto(message.lost),
        answers_beats=message.answers_beats,
    )


def _task_to_proto(task: Task) -> pb.Task:
    config = task.config
    return pb.Task(
        task_id=task.held.task_id.bytes,
        fence=task.held.fence,
        session_id=task.session_id.bytes,
        org_id=task.org_id.bytes,
        traceparent=task.traceparent,
        payload=task.payload,
        config=None if config is None else pb.Config(hash=config.hash, body=config.body),
        tail=_some(task.tail),
        # An empty list is packed too: it says that nothing is recorded.
        recorded=b"" if task.recorded is None else pack(task.recorded),
        started=task.started,
        failures=task.failures,
        progress=_some(task.progress),
    )


def _task_from_proto(message: pb.Task) -> Task:
    held = _held(message.task_id, message.fence)
    alone = message.session_id == message.task_id
    return Task(
        held=held,
        # A plain task is its own session.
        session_id=held.task_id if alone else _uuid(message.session_id),
        org_id=_known_uuid(message.org_id),
        traceparent=message.traceparent,
        payload=message.payload,
        config=_config_from_proto(message.config) if message.HasField("config") else None,
        tail=_TAIL.decode(message.tail) if message.tail else (),
        recorded=_STEPS.decode(message.recorded) if message.recorded else None,
        started=message.started,
        failures=message.failures,
        progress=_PROGRESS.decode(message.progress) if message.progress else (),
    )


def _wanted_to_proto(wanted: HistoryWanted) -> pb.HistoryWanted:
    return pb.HistoryWanted(
        task_id=wanted.held.task_id.bytes,
        fence=wanted.held.fence,
        after=wanted.after,
        places=wanted.places,
    )


def _history_to_proto(history: History) -> pb.History:
    return pb.History(
        task_id=history.held.task_id.bytes,
        fence=history.held.fence,
        steps=_some(history.steps),
        after=history.after,
        more=history.more,
        at_places=history.at_places,
    )


def _history_from_proto(message: pb.History) -> History:
    return History(
        held=_held(message.task_id, message.fence),
        steps=_STEPS.decode(message.steps) if message.steps else (),
        after=message.after if message.HasField("after") else None,
        more=message.more,
        at_places=message.at_places,
    )


def _config_from_proto(message: pb.Config) -> Config:
    return Config(hash=_hash(message.hash), body=message.body)


# ── what both have ──────────────────────────────────────────────────────────────────────────────


def _some(items: tuple[object, ...]) -> bytes:
    """Empty for none, so that what is not there takes no room."""
    return pack(items) if items else b""


def _uuid(value: bytes) -> UUID:
    """As `UUID(bytes=value)`, in a third of its time. Raises ValidationError."""
    return msgspec.convert(value, UUID)


_known_uuid: Final = lru_cache(_KNOWN_IDS_MAX)(_uuid)
"""Of an organization: there are few of them, and each task names one."""


def _held(task_id: bytes, fence: int) -> Held:
    return Held(_uuid(task_id), _count(fence))


def _count(value: int) -> int:
    return cast("int", msgspec.convert(value, Count))


def _held_to_proto(held: Iterable[Held]) -> list[pb.Held]:
    return [pb.Held(task_id=h.task_id.bytes, fence=h.fence) for h in held]


def _held_from_proto(messages: Iterable[pb.Held]) -> tuple[Held, ...]:
    return tuple(_held(m.task_id, m.fence) for m in messages)


def _hash(value: bytes) -> bytes:
    if len(value) != _HASH_BYTES:
        message = f"a hash has {_HASH_BYTES} bytes, not {len(value)}"
        raise ValueError(message)
    return value


def _acks_to_proto(acks: Iterable[Acknowledgement]) -> list[pb.Acknowledgement]:
    return [
        pb.Acknowledgement(
            task_id=a.held.task_id.bytes,
            fence=a.held.fence,
            verdict=_VERDICT_TO_PROTO[a.verdict],
            counter=a.counter,
        )
        for a in acks
    ]


def _acks_from_proto(messages: Iterable[pb.Acknowledgement]) -> tuple[Acknowledgement, ...]:
    return tuple(
        # An unknown number raises KeyError: a verdict we cannot read must not be guessed.
        Acknowledgement(
            held=_held(m.task_id, m.fence), verdict=_VERDICTS[m.verdict], counter=m.counter
        )
        for m in messages
    )


class _Outward(dict[Verdict, pb.Verdict]):
    def __missing__(self, verdict: Verdict) -> pb.Verdict:
        message = f"the verdict {verdict.name} must not leave the engine"
        raise ValueError(message)


_VERDICT_TO_PROTO: Final = _Outward(
    {
        Verdict.COMMITTED: pb.VERDICT_COMMITTED,
        Verdict.DUPLICATE: pb.VERDICT_DUPLICATE,
        Verdict.STALE: pb.VERDICT_STALE,
        Verdict.INVALID: pb.VERDICT_INVALID,
    }
)
