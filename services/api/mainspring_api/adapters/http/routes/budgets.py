"""/budgets and what sessions know of theirs"""

from uuid import UUID

import msgspec
from msgspec import UNSET

from mainspring_api.adapters.http.routes.sessions import session_id_of
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
from mainspring_api.adapters.http.wire.budgets import (
    BudgetBody,
    BudgetOut,
    BudgetPatch,
    BudgetsQuery,
    CheckOut,
    EntryOut,
    LedgerQuery,
    ResumedOut,
    TopUpBody,
    budget_out,
    check_out,
    check_soft,
    entry_out,
    micro,
    period_of,
    soft_micro,
    subject_of,
    subject_word,
    subjects_of,
)
from mainspring_api.domain.budgets import subjects_over
from mainspring_api.domain.limits import BUDGETS_MAX
from mainspring_api.usecases.known import known_session
from mainspring_api.usecases.once import Answer, once_elsewhere
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import AgentId, Prefix, SessionId, from_wire, to_wire
from mainspring_schema.asking import Order
from mainspring_schema.budgets import (
    BudgetView,
    ChangeBudget,
    CreateBudget,
    DropBudget,
    GetBudget,
    GetLedger,
    ListBudgets,
    ResumeSession,
    Subject,
    TopUp,
)

table = RouteTable("budgets")
BudgetList = tuple[BudgetOut, ...]
_ONE = "/budgets/{budget_id:str}"
_SESSION = "/sessions/{session_id:str}"


def _budget_id(call: Call[object, object]) -> UUID:
    return from_wire(Prefix.BUDGET, call.path["budget_id"])


@table.route("GET", "/budgets", query=BudgetsQuery, answer=BudgetList, other_statuses=(422,))
async def list_budgets(call: Call[NoBody, BudgetsQuery]) -> Reply:
    """Budgets, newest first; of one subject, or of one kind of subject."""
    word = call.query.subject_type
    asked = ListBudgets(
        org_id=call.org_id,
        subjects=subjects_of(call.query),
        subject_type=None if word is None else subject_word(word),
        limit=BUDGETS_MAX,
    )
    found = await call.services.operator.inspect(asked)
    return json_reply(tuple(budget_out(one) for one in found.budgets))


@table.route("POST", "/budgets", body=BudgetBody, answer=BudgetOut, status=201)
async def create_budget(call: Call[BudgetBody, NoQuery]) -> Reply:
    """Limits what a session, an agent, a user or the organization may use up."""
    body, services = call.body, call.services
    subject = subject_of(body.subject_type, body.subject_id)
    allowed = micro(body.limit, "limit")
    soft = None if body.soft_limit is None else micro(body.soft_limit, "soft_limit")
    check_soft(soft, allowed)
    await _check_subject(call, subject)
    order = CreateBudget(
        org_id=call.org_id,
        budget_id=services.ids.uuid7(),
        subject=subject,
        currency=body.currency,
        allowed=allowed,
        soft=soft,
        metadata=msgspec.json.encode(body.metadata or {}),
        period=period_of(body.period),
    )
    return await _ordered(call, order, status=201)


async def _check_subject(call: Call[BudgetBody, NoQuery], subject: Subject) -> None:
    """Raises NotFound for what the organization does not have."""
    async with call.services.store.transaction(call.org_id) as tx:
        match subject.type:
            case "session":
                known = await tx.session(SessionId(subject.id)) is not None
            case "agent":
                known = await tx.agent(AgentId(subject.id)) is not None
            case "organization":
                known = subject.id == call.org_id
            case "user":
                known = True  # an application's users are known once they call
    if not known:
        msg = f"no such {subject.type}"
        raise NotFound(msg)


async def _ordered(
    call: Call[object, object], order: Order[BudgetView], *, status: int = 200
) -> Reply:
    services = call.services

    async def work() -> Answer:
        return json_answer(budget_out(await services.operator.operate(order)), status=status)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


@table.route("GET", _ONE, answer=BudgetOut)
async def get_budget(call: Call[NoBody, NoQuery]) -> Reply:
    """One budget with what is left of it."""
    return json_reply(budget_out(await _budget(call)))


async def _budget(call: Call[object, object]) -> BudgetView:
    asked = GetBudget(org_id=call.org_id, budget_id=_budget_id(call))
    return await call.services.operator.inspect(asked)


@table.route("PATCH", _ONE, body=BudgetPatch, answer=BudgetOut)
async def change_budget(call: Call[BudgetPatch, NoQuery]) -> Reply:
    """Changes limits, status or metadata; the balance moves with the limit."""
    body = call.body
    allowed = None if body.limit is UNSET else micro(body.limit, "limit")
    soft = soft_micro(body.soft_limit)
    # A limit alone may fall below the soft limit: whoever has to lower it needs no second thought.
    kept = (await _budget(call)).allowed if allowed is None and soft is not None else None
    check_soft(soft, kept if allowed is None else allowed)
    order = ChangeBudget(
        org_id=call.org_id,
        budget_id=_budget_id(call),
        allowed=allowed,
        soft=soft,
        status=None if body.status is UNSET else body.status,
        metadata=None if body.metadata is UNSET else msgspec.json.encode(body.metadata),
    )
    return json_reply(budget_out(await call.services.operator.operate(order)))


@table.route("DELETE", _ONE, status=204)
async def delete_budget(call: Call[NoBody, NoQuery]) -> Reply:
    """From now on it bounds nothing."""
    order = DropBudget(org_id=call.org_id, budget_id=_budget_id(call))
    await call.services.operator.operate(order)
    return Reply(status=204)


@table.route("POST", f"{_ONE}/top-up", body=TopUpBody, answer=BudgetOut)
async def top_up_budget(call: Call[TopUpBody, NoQuery]) -> Reply:
    """Adds to what is left; the limit stays."""
    order = TopUp(
        org_id=call.org_id,
        budget_id=_budget_id(call),
        amount=micro(call.body.amount, "amount"),
        description=call.body.description,
    )
    return await _ordered(call, order)


@table.route("GET", f"{_ONE}/ledger", query=LedgerQuery, answer=tuple[EntryOut, ...])
async def list_ledger(call: Call[NoBody, LedgerQuery]) -> Reply:
    """Every change of the balance, newest first."""
    asked = GetLedger(
        org_id=call.org_id,
        budget_id=_budget_id(call),
        offset=call.query.offset,
        limit=call.query.limit,
    )
    found = await call.services.operator.inspect(asked)
    return json_reply(tuple(entry_out(one) for one in found.entries))


@table.route("GET", f"{_ONE}/check", answer=CheckOut)
async def check_budget(call: Call[NoBody, NoQuery]) -> Reply:
    """Whether a model call may begin under this budget."""
    return json_reply(check_out((await _budget(call),)))


# ── sessions ────────────────────────────────────────────────────────────────────────────────────


async def _of_session(call: Call[NoBody, NoQuery]) -> tuple[BudgetView, ...]:
    """All that the session's model calls fall under. Raises NotFound."""
    id_ = session_id_of(call)
    async with call.services.store.transaction(call.org_id) as tx:
        session = await known_session(tx, id_)
    asked = ListBudgets(org_id=call.org_id, subjects=subjects_over(session), limit=BUDGETS_MAX)
    return (await call.services.operator.inspect(asked)).budgets


@table.route("GET", f"{_SESSION}/budgets", answer=BudgetList)
async def list_session_budgets(call: Call[NoBody, NoQuery]) -> Reply:
    """The session's own budgets and those above it: of parents, agent, user and organization."""
    return json_reply(tuple(budget_out(one) for one in await _of_session(call)))


@table.route("GET", f"{_SESSION}/budget-check", answer=CheckOut)
async def check_session_budgets(call: Call[NoBody, NoQuery]) -> Reply:
    """Whether the session's next model call may begin."""
    return json_reply(check_out(await _of_session(call)))


@table.route("POST", f"{_SESSION}/resume", answer=ResumedOut)
async def resume_session(call: Call[NoBody, NoQuery]) -> Reply:
    """Goes on with a turn that a budget has paused, where it lets the next call begin."""
    services, id_ = call.services, session_id_of(call)
    await _of_session(call)
    order = ResumeSession(org_id=call.org_id, session_id=id_)

    async def work() -> Answer:
        resumed = await services.operator.operate(order)
        view = ResumedOut(resumed_budgets=resumed, session_id=to_wire(Prefix.SESSION, id_))
        return json_answer(view, status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))
