"""What waits for a person in a session, and how the person's decision or answer is delivered.

The log has both: what was asked, and what came of it. So a decision that is sent again, after a
restart or a lost reply, gets the same answer as the first time.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from mainspring_api.domain.limits import APPEAL_EVENTS_MAX, PENDING_EVENTS_MAX
from mainspring_api.domain.secrets import SessionSecret
from mainspring_api.ports.control import Control
from mainspring_api.ports.log import Log
from mainspring_api.ports.store import Store
from mainspring_api.usecases import preview
from mainspring_api.usecases.events import check_session
from mainspring_api.usecases.known import known_record
from mainspring_harness import questions
from mainspring_harness.arguments import problems
from mainspring_harness.questions import Given
from mainspring_harness.registry import Registry
from mainspring_kernel.errors import NotAwaited, NotFound, ValidationFailed
from mainspring_kernel.ids import OrgId, SessionId
from mainspring_schema.appeals import (
    AnswerAppeals,
    AppealsReceipt,
    ApprovalRequested,
    ApprovalResolved,
    QuestionAnswered,
    QuestionAsked,
    Reply,
    Resolved,
    Ruling,
)
from mainspring_schema.events import StoredEvent, decode_payload
from mainspring_schema.listing import EventFilter

Ended = ApprovalResolved | QuestionAnswered
Asked = ApprovalRequested | QuestionAsked
PersonsStatus = Literal["answered", "declined", "cancelled"]
_APPROVAL: Final = msgspec.json.Decoder(ApprovalRequested)
_QUESTION: Final = msgspec.json.Decoder(QuestionAsked)
_LEAVE: Final = msgspec.json.Decoder(ApprovalResolved)
_REPLY: Final = msgspec.json.Decoder(QuestionAnswered)
_TYPES: Final = (
    "approval.requested",
    "approval.resolved",
    "question.asked",
    "question.answered",
    "session.forked",
)


class Appeal(Struct, frozen=True, kw_only=True):
    """A call that waited or waits; `ended` is None while it does."""

    asked: Asked
    ended: Ended | None = None


class Place(Struct, frozen=True, kw_only=True):
    """Where a person answers, and by what means."""

    store: Store
    log: Log
    control: Control
    org_id: OrgId
    session_id: SessionId


async def pending(
    store: Store, log: Log, org_id: OrgId, session_id: SessionId
) -> tuple[Asked, ...]:
    """What waits now, oldest first. Raises NotFound."""
    await check_session(store, org_id, session_id)
    found = await _known(log, org_id, session_id, PENDING_EVENTS_MAX)
    return tuple(appeal.asked for appeal in found.values() if appeal.ended is None)


async def decide(place: Place, registry: Registry, rulings: Sequence[Ruling]) -> AppealsReceipt:
    """Raises NotFound for a call that never waited here, NotAwaited for one decided otherwise.

    Raises ValidationFailed for edited arguments that do not fit their tool.
    """
    await check_session(place.store, place.org_id, place.session_id)
    known = await _known(place.log, place.org_id, place.session_id, APPEAL_EVENTS_MAX)
    await _check_edits(place, registry, known, rulings)
    try:
        return await _decide(place, known, rulings)
    except NotAwaited:
        # Somebody else may have decided meanwhile: then the log says what.
        known = await _known(place.log, place.org_id, place.session_id, APPEAL_EVENTS_MAX)
        return await _decide(place, known, rulings)


async def _decide(
    place: Place, known: Mapping[str, Appeal], rulings: Sequence[Ruling]
) -> AppealsReceipt:
    before = {one.tool_call_id: _decided(known, one) for one in rulings}
    open_ = tuple(one for one in rulings if before[one.tool_call_id] is None)
    receipt = await _bring(place, rulings=open_)
    now = {one.tool_call_id: one for one in receipt.resolved}
    resolved = [before[one.tool_call_id] or now[one.tool_call_id] for one in rulings]
    return AppealsReceipt(resolved=tuple(resolved), status=receipt.status)


def _decided(known: Mapping[str, Appeal], ruling: Ruling) -> Resolved | None:
    appeal = known.get(ruling.tool_call_id)
    if appeal is None or not isinstance(appeal.asked, ApprovalRequested):
        detail = f"no tool call {ruling.tool_call_id[:64]!r} waits for leave in this session"
        raise NotFound(detail)
    ended = appeal.ended
    if not isinstance(ended, ApprovalResolved):
        return None
    edited = ruling.arguments if ended.outcome == "allowed" else None
    if (ended.decision, ended.arguments) != (ruling.decision, edited):
        detail = f"the tool call {ruling.tool_call_id} is {ended.outcome} already"
        raise NotAwaited(detail)
    return Resolved(tool_call_id=ended.tool_call_id, tool=ended.tool_name, outcome=ended.outcome)


async def _check_edits(
    place: Place, registry: Registry, known: Mapping[str, Appeal], rulings: Sequence[Ruling]
) -> None:
    edits = [one for one in rulings if one.arguments is not None]
    if not edits:
        return
    shown = await preview.of_session(place.store, registry, place.org_id, place.session_id)
    for one in edits:
        appeal = known.get(one.tool_call_id)
        tool = None if appeal is None else shown.plan.tools.get(appeal.asked.tool_name)
        # A turn keeps the tools it began with: of one that is gone, its worker knows the schema.
        if tool is None:
            continue
        schema = tool.definition.full_parameters or tool.definition.parameters
        found = problems(tool.definition.name, schema, one.arguments)
        if found:
            detail = f"the edited arguments do not fit the tool: {'; '.join(found)}"
            raise ValidationFailed(detail, data={"tool_call_id": one.tool_call_id})


async def answer(
    place: Place, call_id: str | None, status: PersonsStatus, given: Sequence[Given]
) -> AppealsReceipt:
    """Answers the questions of one call; without an id, of the one that waits.

    Raises NotFound, NotAwaited, ValidationFailed for answers that do not answer.
    """
    await check_session(place.store, place.org_id, place.session_id)
    known = await _known(place.log, place.org_id, place.session_id, APPEAL_EVENTS_MAX)
    asked = _question(known, call_id)
    _check_answers(asked, status, given)
    if known[asked.tool_call_id].ended is None:
        await _check_secrets(place, given)
    result = questions.told(status, "user", given)
    reply = Reply(tool_call_id=asked.tool_call_id, status=status, result=result)
    try:
        return await _answer(place, known, reply)
    except NotAwaited:
        known = await _known(place.log, place.org_id, place.session_id, APPEAL_EVENTS_MAX)
        return await _answer(place, known, reply)


def _question(known: Mapping[str, Appeal], call_id: str | None) -> QuestionAsked:
    if call_id is not None:
        appeal = known.get(call_id)
        if appeal is None or not isinstance(appeal.asked, QuestionAsked):
            detail = f"no tool call {call_id[:64]!r} asks anything in this session"
            raise NotFound(detail)
        return appeal.asked
    waiting = [one.asked for one in known.values() if one.ended is None]
    asked = [one for one in waiting if isinstance(one, QuestionAsked)]
    if len(asked) > 1:
        detail = "several calls ask something: say which by tool_call_id"
        raise ValidationFailed(detail)
    if not asked:
        detail = "nothing is asked in this session"
        raise NotAwaited(detail)
    return asked[0]


def _check_answers(asked: QuestionAsked, status: PersonsStatus, given: Sequence[Given]) -> None:
    wrong = None
    if status == "answered":
        wrong = questions.misfit(questions.read(asked.arguments), given)
    elif given:
        wrong = f"questions that are {status} have no answers"
    if wrong is not None:
        raise ValidationFailed(wrong)


async def _check_secrets(place: Place, given: Sequence[Given]) -> None:
    """Of a name with a slip in it the model would be told that it is a secret."""
    async with place.store.transaction(place.org_id) as tx:
        for one in given:
            name = one.secret_ref
            if name is None:
                continue
            if await known_record(tx, SessionSecret, place.session_id, name) is None:
                detail = f"{one.id!r}: the session has no secret {name[:64]!r}"
                raise ValidationFailed(detail)


async def _answer(place: Place, known: Mapping[str, Appeal], reply: Reply) -> AppealsReceipt:
    ended = known[reply.tool_call_id].ended
    if not isinstance(ended, QuestionAnswered):
        return await _bring(place, replies=(reply,))
    if (ended.answered_by, ended.result) != ("user", reply.result):
        detail = f"the questions of {reply.tool_call_id} are {ended.status} already"
        raise NotAwaited(detail)
    same = Resolved(tool_call_id=ended.tool_call_id, tool=ended.tool_name, outcome=ended.status)
    receipt = await _bring(place)
    return AppealsReceipt(resolved=(same,), status=receipt.status)


async def _bring(
    place: Place, *, rulings: tuple[Ruling, ...] = (), replies: tuple[Reply, ...] = ()
) -> AppealsReceipt:
    """To the engine, where there is something to bring; else how the session is."""
    if rulings or replies:
        return await place.control.answer_appeals(
            AnswerAppeals(
                org_id=place.org_id,
                session_id=place.session_id,
                rulings=rulings,
                replies=replies,
            )
        )
    head = (await place.log.heads([place.session_id])).get(place.session_id)
    return AppealsReceipt(resolved=(), status="started" if head is None else head.status)


async def _known(log: Log, org_id: OrgId, session_id: SessionId, rows: int) -> dict[str, Appeal]:
    """By call, in the order in which they were asked."""
    wanted = EventFilter(types=_TYPES, limit=rows)
    listing = await log.list(session_id, org_id, wanted)
    found: dict[str, Appeal] = {}
    for event in listing.events:
        if event.type == "session.forked":
            # What waits there is decided there; the fork ended the turn that it belongs to.
            found = {id_: appeal for id_, appeal in found.items() if appeal.ended is not None}
        else:
            _take(found, event)
    return found


def _take(found: dict[str, Appeal], event: StoredEvent) -> None:
    data = decode_payload(event.payload).data
    match event.type:
        case "approval.requested":
            _begin(found, _APPROVAL.decode(data))
        case "question.asked":
            _begin(found, _QUESTION.decode(data))
        case "approval.resolved":
            _end(found, _LEAVE.decode(data))
        case _:
            _end(found, _REPLY.decode(data))


def _begin(found: dict[str, Appeal], asked: Asked) -> None:
    found[asked.tool_call_id] = Appeal(asked=asked)


def _end(found: dict[str, Appeal], ended: Ended) -> None:
    """What was asked before the first event at hand is not known, and waits no more."""
    appeal = found.get(ended.tool_call_id)
    if appeal is not None:
        found[ended.tool_call_id] = msgspec.structs.replace(appeal, ended=ended)
