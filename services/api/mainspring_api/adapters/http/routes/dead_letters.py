"""/durable/dead-letters: tasks that were set aside, and what is to become of them"""

from uuid import UUID

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.durable import optional_id, task_id_of
from mainspring_api.adapters.http.wire.letters import (
    BulkBody,
    BulkOut,
    LetterDetailsOut,
    LetterList,
    LetterOut,
    LetterQuery,
    RequeueBody,
    bulk_out,
    bulk_wanted,
    letter_details_out,
    letter_out,
    wanted_of,
)
from mainspring_api.domain import limits
from mainspring_api.usecases.once import Answer, once_elsewhere
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.operations import (
    GetLetter,
    LetterAction,
    ListLetters,
    ResolveLetter,
    ResolveLetters,
)

table = RouteTable("durable")
PATH = "/durable/dead-letters"
OTHER_PATH = "/durable/dlq"
"""What existing clients call it."""


@table.route("GET", PATH, query=LetterQuery, answer=LetterList)
@table.route("GET", OTHER_PATH, query=LetterQuery, answer=LetterList, suffix="_dlq")
async def list_dead_letters(call: Call[NoBody, LetterQuery]) -> Reply:
    """Dead letters of this organization, newest first."""
    query = call.query
    asked = ListLetters(
        org_id=call.org_id,
        wanted=wanted_of(query),
        after=optional_id(Prefix.TASK, query.after),
        limit=query.limit,
    )
    page = await call.services.operator.inspect(asked)
    return json_reply(
        LetterList(
            data=tuple(letter_out(letter) for letter in page.letters),
            next=None if page.next is None else to_wire(Prefix.TASK, page.next),
        )
    )


@table.route("GET", f"{PATH}/{{task_id:str}}", answer=LetterDetailsOut)
async def get_dead_letter(call: Call[NoBody, NoQuery]) -> Reply:
    """One dead letter with every attempt of its task."""
    asked = GetLetter(org_id=call.org_id, task_id=_letter_id(call))
    return json_reply(letter_details_out(await call.services.operator.inspect(asked)))


@table.route("POST", f"{PATH}/{{task_id:str}}/requeue", answer=LetterOut)
@table.route("POST", f"{OTHER_PATH}/{{task_id:str}}/retry", answer=LetterOut, suffix="_dlq")
async def requeue_dead_letter(call: Call[NoBody, NoQuery]) -> Reply:
    """Begins a new turn in the place of the one that died; what has ended stays as it is."""
    return await _resolved(call, "requeue")


@table.route("POST", f"{PATH}/{{task_id:str}}/discard", answer=LetterOut)
async def discard_dead_letter(call: Call[NoBody, NoQuery]) -> Reply:
    """Puts a dead letter off the list of open ones, for good."""
    return await _resolved(call, "discard")


async def _resolved(call: Call[NoBody, NoQuery], action: LetterAction) -> Reply:
    services = call.services
    order = ResolveLetter(org_id=call.org_id, task_id=_letter_id(call), action=action)

    async def work() -> Answer:
        return json_answer(letter_out(await services.operator.operate(order)), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


def _letter_id(call: Call[NoBody, NoQuery]) -> UUID:
    return task_id_of(call.path["task_id"])


# ── in bulk ─────────────────────────────────────────────────────────────────────────────────────


@table.route("POST", f"{PATH}/requeue", body=RequeueBody, answer=BulkOut)
async def requeue_dead_letters(call: Call[RequeueBody, NoQuery]) -> Reply:
    """Has all open dead letters that fit taken up, at a pace; `dry_run` tells which they are."""
    body = call.body
    order = ResolveLetters(
        org_id=call.org_id,
        action="requeue",
        wanted=bulk_wanted(body),
        limit=body.limit,
        rate_per_s=body.rate_per_second,
        rehearsal=body.rehearsal,
    )
    return await _resolved_all(call, order)


@table.route("POST", f"{PATH}/discard", body=BulkBody, answer=BulkOut)
async def discard_dead_letters(call: Call[BulkBody, NoQuery]) -> Reply:
    """Discards all open dead letters that fit; `dry_run` tells which they are."""
    body = call.body
    order = ResolveLetters(
        org_id=call.org_id,
        action="discard",
        wanted=bulk_wanted(body),
        limit=body.limit,
        rate_per_s=limits.REQUEUE_RATE_PER_S,
        rehearsal=body.rehearsal,
    )
    return await _resolved_all(call, order)


async def _resolved_all(call: Call[BulkBody, NoQuery], order: ResolveLetters) -> Reply:
    services = call.services

    async def work() -> Answer:
        resolved = await services.operator.operate(order)
        return json_answer(bulk_out(resolved, rehearsal=order.rehearsal), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))
