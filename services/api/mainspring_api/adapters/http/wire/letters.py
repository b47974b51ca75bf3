"""Dead letters on the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from mainspring_api.adapters.http.wire.durable import (
    AttemptOut,
    Cursor,
    Limit,
    attempt_out,
    input_out,
    optional_id,
    optional_owner,
    owner_id,
    same,
    session_id,
    time_of,
)
from mainspring_api.domain import limits as bounds
from mainspring_kernel import limits
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.times import parse_rfc3339, rfc3339
from mainspring_schema.messages import Json
from mainspring_schema.operations import (
    LetterDetails,
    LetterFilter,
    LetterStatus,
    LetterView,
    Refusal,
    Resolved,
    TaskWord,
)

Reason = Annotated[str, Meta(min_length=1, max_length=bounds.NAME_CHARS_MAX)]


class LetterQuery(Struct, frozen=True, kw_only=True):
    """`activity_type` is another word for `kind`, as existing clients have it."""

    status: LetterStatus | None = None
    reason: Reason | None = None
    kind: TaskWord | None = None
    activity_type: TaskWord | None = None
    session_id: str | None = None
    workflow_id: str | None = None
    from_ts: str | None = None
    to_ts: str | None = None
    after: Cursor | None = None
    limit: Limit = bounds.LIST_ROWS_DEFAULT


def wanted_of(query: LetterQuery) -> LetterFilter:
    """Raises InvalidId, InvalidParameter."""
    return LetterFilter(
        status=query.status,
        reason=query.reason,
        kind=same("kind and activity_type", query.kind, query.activity_type),
        session_id=optional_id(Prefix.SESSION, query.session_id),
        workflow_id=optional_owner(query.workflow_id),
        from_ms=_moment(query.from_ts, "from_ts"),
        until_ms=_moment(query.to_ts, "to_ts"),
    )


def _moment(text: str | None, name: str) -> int | None:
    return parse_rfc3339(text, name) if text else None


class LetterOut(Struct, frozen=True, kw_only=True):
    """A task that was set aside, and what was decided about it.

    `requeueing`: ordered for `due_at`. `refused`: it could not be taken up, `refusal` says why.
    """

    id: str
    workflow_id: str | None
    session_id: str | None
    step: str
    kind: TaskWord
    reason: str
    detail: str
    died_at: str
    status: LetterStatus
    requeued_as: str | None
    refusal: Refusal | None
    due_at: str | None
    resolved_at: str | None


def letter_out(letter: LetterView) -> LetterOut:
    taken_up_by, heir = letter.requeued_as, Prefix.TASK if letter.kind == "task" else Prefix.TURN
    return LetterOut(
        id=to_wire(Prefix.TASK, letter.task_id),
        workflow_id=owner_id(letter.workflow_id, letter.kind),
        session_id=session_id(letter.session_id, letter.kind),
        step=letter.step,
        kind=letter.kind,
        reason=letter.reason,
        detail=letter.detail,
        died_at=rfc3339(letter.died_ms),
        status=letter.status,
        requeued_as=None if taken_up_by is None else to_wire(heir, taken_up_by),
        refusal=letter.refusal,
        due_at=time_of(letter.due_ms),
        resolved_at=time_of(letter.resolved_ms),
    )


class LetterList(Struct, frozen=True, kw_only=True):
    """`next` is the `after` of the page behind; null on the last."""

    data: tuple[LetterOut, ...]
    next: str | None


class LetterDetailsOut(Struct, frozen=True, kw_only=True):
    letter: LetterOut
    input: Json | None
    attempts: tuple[AttemptOut, ...]


def letter_details_out(details: LetterDetails) -> LetterDetailsOut:
    return LetterDetailsOut(
        letter=letter_out(details.letter),
        input=_input(details),
        attempts=tuple(attempt_out(attempt) for attempt in details.attempts),
    )


def _input(details: LetterDetails) -> Json | None:
    made = input_out(details.payload)
    if made is None or details.arguments is None:
        return made
    return made | {"arguments": msgspec.json.decode(details.arguments)}


# ── in bulk ─────────────────────────────────────────────────────────────────────────────────────


class BulkBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which open dead letters are meant: all conditions hold together, newest first."""

    reason: Reason | None = None
    kind: TaskWord | None = None
    session_id: str | None = None
    workflow_id: str | None = None
    from_ts: str | None = None
    to_ts: str | None = None
    limit: Annotated[int, Meta(ge=1, le=bounds.LETTERS_PER_ORDER_MAX)] = limits.OPERATOR_ROWS_MAX
    rehearsal: bool = field(default=False, name="dry_run")


class RequeueBody(BulkBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first is taken up at once, the others one by one at `rate_per_second`."""

    rate_per_second: Annotated[float, Meta(ge=0.01, le=bounds.REQUEUE_RATE_PER_S_MAX)] = (
        bounds.REQUEUE_RATE_PER_S
    )


def bulk_wanted(body: BulkBody) -> LetterFilter:
    """Raises InvalidId, InvalidParameter."""
    return LetterFilter(
        reason=body.reason,
        kind=body.kind,
        session_id=optional_id(Prefix.SESSION, body.session_id),
        workflow_id=optional_owner(body.workflow_id),
        from_ms=_moment(body.from_ts, "from_ts"),
        until_ms=_moment(body.to_ts, "to_ts"),
    )


class BulkOut(Struct, frozen=True, kw_only=True):
    """`taken` of `matched` were dealt with; of a dry run none. `more`: others fit as well.

    `ids` are at most the first hundred that were, or would be, dealt with.
    """

    rehearsal: bool = field(name="dry_run")
    matched: int
    taken: int
    more: bool
    last_due_at: str | None
    ids: tuple[str, ...]


def bulk_out(resolved: Resolved, *, rehearsal: bool) -> BulkOut:
    return BulkOut(
        rehearsal=rehearsal,
        matched=resolved.matched,
        taken=resolved.taken,
        more=resolved.more,
        last_due_at=time_of(resolved.last_due_ms),
        ids=tuple(to_wire(Prefix.TASK, task_id) for task_id in resolved.task_ids),
    )
