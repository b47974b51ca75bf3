"""What engine.commit_v1 and engine.load_v1 answer, as the port's structs."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import msgspec

from mainspring_engine.adapters.postgres.inbox import unpacked
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.rows import (
    Head,
    InboxRow,
    OpenTask,
    Outcome,
    View,
    Workflow,
)
from mainspring_engine.ports.inbox import Known
from mainspring_engine.ports.store import Closed, Committed, ExpiredTask
from mainspring_engine.ports.workflows import KnownStart
from mainspring_postgres import Row
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.grants import SessionStatus

_VERDICTS = {verdict.value: verdict for verdict in Verdict}


def committed(flight: tuple[Changes, ...], reply: Row) -> tuple[Committed, ...]:
    verdicts = _numbers(reply, "verdicts")
    if all(verdict == Verdict.COMMITTED for verdict in verdicts):
        present: dict[UUID, View] = {}
    else:
        present = views(reply)
    cut = _Cut(reply)
    return tuple(
        cut.item(item, changes, _VERDICTS[verdict], present)
        for item, (changes, verdict) in enumerate(zip(flight, verdicts, strict=True))
    )


class _Cut:
    """Cuts the answers of the whole flight into those of its items, in their order."""

    def __init__(self, reply: Row) -> None:
        self._now_ms = cast(int, reply["now_ms"])
        self._deltas = _numbers(reply, "deltas_before")
        self._closes = iter(_rows(reply, "closes"))
        self._marks = iter(_numbers(reply, "marks"))
        self._emits = iter(_numbers(reply, "emits"))
        self._unclaimed = frozenset(cast("Sequence[UUID] | None", reply["unclaimed"]) or ())
        self._known = _rows(reply, "known")
        self._started = _started(reply) if "starts" in reply.keys() else {}  # noqa: SIM118 - a Row iterates values

    def item(
        self, item: int, changes: Changes, verdict: Verdict, present: dict[UUID, View]
    ) -> Committed:
        session_id = changes.expected.session_id
        conflict = verdict is Verdict.CONFLICT
        return Committed(
            verdict=verdict,
            now_ms=self._now_ms,
            deltas_before=self._deltas[item] if verdict is Verdict.COMMITTED else 0,
            closes=tuple(
                closed(Held(close.task_id, close.fence), next(self._closes))
                for close in changes.closes
            ),
            marks=tuple(_VERDICTS[next(self._marks)] for _ in changes.marks),
            emits=tuple(_VERDICTS[next(self._emits)] for _ in changes.emits),
            unclaimed=tuple(t.id for t in changes.tasks if t.id in self._unclaimed),
            known={
                cast(UUID, row["asked_id"]): _known(row)
                for row in self._known
                if row["item"] == item + 1
            },
            view=present.get(session_id, View(head=None, workflow=None)) if conflict else None,
            started=self._started.get(item + 1),
        )


def views(reply: Row) -> dict[UUID, View]:
    """By session; sessions without a head are absent."""
    workflows = {
        cast(UUID, row["session_id"]): workflow_of(row) for row in _rows(reply, "workflows")
    }
    inbox: dict[UUID, list[InboxRow]] = {}
    for row in _rows(reply, "inbox"):
        inbox.setdefault(cast(UUID, row["session_id"]), []).append(_inbox_row(row))
    heads = [_head(row) for row in _rows(reply, "heads")]
    return {
        head.session_id: View(
            head=head,
            workflow=workflows.get(head.session_id),
            inbox=tuple(inbox.get(head.session_id, ())),
        )
        for head in heads
    }


def open_task(row: Row) -> OpenTask:
    """Of a row that may have more columns."""
    return msgspec.convert({name: row[name] for name in OpenTask.__struct_fields__}, OpenTask)


def expired_task(row: Row) -> ExpiredTask:
    return ExpiredTask(
        task=open_task(row),
        session_id=cast(UUID, row["session_id"]),
        workflow_id=cast(UUID, row["workflow_id"]),
        org_id=cast(UUID, row["org_id"]),
        acknowledged=cast(bool, row["acknowledged"]),
        claimed_ms=cast(int, row["claimed_ms"]),
        traceparent=cast(str, row["traceparent"]),
    )


def _rows(reply: Row, name: str) -> Sequence[Row]:
    return cast("Sequence[Row] | None", reply[name]) or ()


def _numbers(reply: Row, name: str) -> Sequence[int]:
    return cast("Sequence[int] | None", reply[name]) or ()


def closed(held: Held, row: Row) -> Closed:
    return Closed(
        held=held,
        verdict=_VERDICTS[cast(int, row["verdict"])],
        claimed_ms=cast("int | None", row["claimed_ms"]) or 0,
        incarnation=cast("UUID | None", row["incarnation"]),
    )


def _started(reply: Row) -> dict[int, KnownStart]:
    return {
        cast(int, row["item"]): KnownStart(
            workflow_id=cast(UUID, row["workflow_id"]), hash=cast(bytes, row["hash"])
        )
        for row in _rows(reply, "starts")
    }


def _known(row: Row) -> Known:
    return Known(
        message_id=cast(UUID, row["message_id"]),
        body_hash=cast(bytes, row["body_hash"]),
        seq=cast(int, row["seq"]),
        ts_ms=cast(int, row["ts_ms"]),
        turn_id=cast(UUID, row["turn_id"]),
    )


def _head(row: Row) -> Head:
    return Head(
        session_id=cast(UUID, row["session_id"]),
        org_id=cast(UUID, row["org_id"]),
        last_seq=cast(int, row["last_seq"]),
        hash=cast(bytes, row["hash"]),
        ts_ms=cast(int, row["ts_ms"]),
        status=SessionStatus(cast(int, row["status"])),
        paused=cast(bool, row["paused"]),
        active_turn=cast("UUID | None", row["active_turn"]),
        turn_first_seq=cast(int, row["turn_first_seq"]),
        closed=cast(bool, row["closed"]),
    )


def workflow_of(row: Row) -> Workflow:
    return Workflow(
        id=cast(UUID, row["id"]),
        session_id=cast(UUID, row["session_id"]),
        org_id=cast(UUID, row["org_id"]),
        ordinal=cast(int, row["ordinal"]),
        rev=cast(int, row["rev"]),
        outcome=Outcome(cast(int, row["outcome"])),
        state=cast(bytes, row["state"]),
        config_hash=cast(bytes, row["config_hash"]),
        traceparent=cast(str, row["traceparent"]),
        started_ms=cast(int, row["started_ms"]),
    )


def _inbox_row(row: Row) -> InboxRow:
    controls, mode = unpacked(cast("bytes | None", row["controls"]))
    return InboxRow(
        message_id=cast(UUID, row["message_id"]),
        seq=cast(int, row["seq"]),
        config_hash=cast(bytes, row["config_hash"]),
        controls=controls,
        mode=mode,
    )
