"""/durable/explain: why something does not move, in one answer"""

from msgspec import Struct

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.adapters.http.wire.durable import time_of
from mainspring_kernel.errors import InvalidId
from mainspring_kernel.ids import OrgId, Prefix, from_wire, to_wire
from mainspring_schema.explaining import Explanation, Reason, Subject
from mainspring_schema.operations import Explain

table = RouteTable("durable")
SUBJECTS: dict[str, Subject] = {
    Prefix.SESSION: "session",
    Prefix.TURN: "workflow",
    Prefix.WORKFLOW: "workflow",
    Prefix.TASK: "task",
    Prefix.EXEC: "task",
}


class ReasonOut(Struct, frozen=True, kw_only=True):
    """`moving`: it comes to pass by itself. `advice` is empty where none is needed."""

    code: str
    text: str
    advice: str
    moving: bool
    task_id: str | None
    worker_id: str | None
    since: str | None
    until: str | None


def reason_out(reason: Reason) -> ReasonOut:
    task, worker = reason.task_id, reason.worker_id
    return ReasonOut(
        code=reason.code,
        text=reason.text,
        advice=reason.advice,
        moving=reason.moving,
        task_id=None if task is None else to_wire(Prefix.TASK, task),
        worker_id=None if worker is None else to_wire(Prefix.WORKER, worker),
        since=time_of(reason.since_ms),
        until=time_of(reason.until_ms),
    )


class ExplanationOut(Struct, frozen=True, kw_only=True):
    """`summary` is the reason that matters most; `moving`: nobody need do anything.

    A plain task belongs to no session and no workflow.
    """

    id: str
    session_id: str | None
    workflow_id: str | None
    state: str
    moving: bool
    summary: str
    reasons: tuple[ReasonOut, ...]


def explanation_out(id_: str, found: Explanation) -> ExplanationOut:
    kind = Prefix.TURN if found.of_turn else Prefix.WORKFLOW
    workflow, session = found.workflow_id, found.session_id
    return ExplanationOut(
        id=id_,
        session_id=None if session is None else to_wire(Prefix.SESSION, session),
        workflow_id=None if workflow is None else to_wire(kind, workflow),
        state=found.state,
        moving=found.moving,
        summary=found.summary,
        reasons=tuple(reason_out(reason) for reason in found.reasons),
    )


@table.route("GET", "/durable/explain/{id:str}", answer=ExplanationOut)
async def explain(call: Call[NoBody, NoQuery]) -> Reply:
    """Why a session, turn, workflow or task does not move, and what to do about it."""
    id_ = call.path["id"]
    found = await call.services.operator.inspect(question_of(call.org_id, id_))
    return json_reply(explanation_out(id_, found))


def question_of(org_id: OrgId, id_: str) -> Explain:
    """Raises InvalidId for an id that names nothing of the kind."""
    prefix = id_.rpartition("_")[0]
    subject = SUBJECTS.get(prefix)
    if subject is None:
        wanted = "one of these words, an underscore and 32 lowercase hex digits"
        raise InvalidId(" or ".join(SUBJECTS), id_[:64], expected=wanted)
    return Explain(org_id=org_id, subject=subject, id=from_wire(prefix, id_))
