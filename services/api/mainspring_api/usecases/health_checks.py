"""Health checks: each question starts a session of its own, and the logs of those are judged."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain import versions
from mainspring_api.domain.health_checks import (
    CASES,
    Answered,
    Asked,
    HealthCheck,
    Verdict,
    case_named,
    judge,
)
from mainspring_api.domain.limits import HEALTH_CHECKS_KEPT_MAX
from mainspring_api.domain.resources import Agent, Tier
from mainspring_api.ports.log import Log
from mainspring_api.ports.store import Store, Transaction
from mainspring_api.usecases import agents, posting
from mainspring_api.usecases.messages import MessageDraft, MessagePath
from mainspring_api.usecases.posting import Posting
from mainspring_api.usecases.sessions import SessionDraft
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import AgentId, Ids, MessageId, OrgId, Prefix, SessionId, to_wire
from mainspring_schema.events import OUTCOME_TYPES, StoredEvent, Usage
from mainspring_schema.listing import EventFilter
from mainspring_schema.messages import TextPart

TAG = "health-check"
_READ = ("turn.started", "output.message.completed", *sorted(OUTCOME_TYPES))


class Report(Struct, frozen=True, kw_only=True):
    """A check and what is known of it; complete once each case has its verdict."""

    check: HealthCheck
    verdicts: tuple[Verdict, ...]
    ended_ms: int | None

    @property
    def complete(self) -> bool:
        return len(self.verdicts) == len(self.check.asked)


class Wish(Struct, frozen=True, kw_only=True):
    """Which agent is to be checked, and under which id."""

    org_id: OrgId
    agent: str
    id: UUID


async def begin(
    store: Store, path: MessagePath, wish: Wish, *, ids: Ids, now_ms: int
) -> HealthCheck:
    """Asked again with the id, it finishes what it began. Raises NotFound."""
    async with store.transaction(wish.org_id) as tx:
        agent = await agents.get(tx, wish.agent, lock=True)
        check = await tx.record(HealthCheck, wish.id) or _new(agent, wish.id, ids, now_ms)
        await tx.put_record(check)
        await _drop_oldest(tx, agent)
    for asked in check.asked:
        await posting.post(store, path, _posting(check, asked), ids=ids, now_ms=now_ms)
    return check


def _new(agent: Agent, id_: UUID, ids: Ids, now_ms: int) -> HealthCheck:
    return HealthCheck(
        org_id=agent.org_id,
        id=id_,
        owner_id=agent.id,
        created_ms=now_ms,
        updated_ms=now_ms,
        config_hash=versions.hash_of(versions.authored(agent)),
        prompt=agent.tier.system_prompt or "",
        model_id=agent.tier.model_id,
        asked=tuple(
            Asked(
                case=case.name,
                session_id=SessionId(ids.uuid7()),
                message_id=MessageId(ids.uuid4()),
            )
            for case in CASES
        ),
    )


async def _drop_oldest(tx: Transaction, agent: Agent) -> None:
    old = await tx.records(HealthCheck, agent.id, offset=HEALTH_CHECKS_KEPT_MAX, limit=1)
    for check in old:
        await tx.drop_record(HealthCheck, check.id)


def _posting(check: HealthCheck, asked: Asked) -> Posting:
    case = case_named(asked.case)
    return Posting(
        org_id=check.org_id,
        session_id=asked.session_id,
        session=SessionDraft(
            agent=to_wire(Prefix.AGENT, AgentId(check.owner_id)),
            title=f"Health check: {case.name}",
            tier=Tier(tags=(TAG,)),
        ),
        message_id=asked.message_id,
        message=MessageDraft(content=(TextPart(text=case.user_message),)),
    )


async def get(store: Store, log: Log, org_id: OrgId, ref: str, id_: UUID) -> Report:
    """Raises NotFound, also for a check of another agent."""
    async with store.transaction(org_id) as tx:
        agent = await agents.get(tx, ref)
        check = await tx.record(HealthCheck, id_)
    if check is None or check.owner_id != agent.id:
        msg = "no such health check"
        raise NotFound(msg)
    return await _report(log, check)


async def list_all(store: Store, log: Log, org_id: OrgId, ref: str) -> Sequence[Report]:
    """Newest first. Raises NotFound."""
    async with store.transaction(org_id) as tx:
        agent = await agents.get(tx, ref)
        checks = await tx.records(HealthCheck, agent.id, limit=HEALTH_CHECKS_KEPT_MAX)
    return [await _report(log, check) for check in checks]


async def _report(log: Log, check: HealthCheck) -> Report:
    told = await asyncio.gather(*(_told(log, check, asked) for asked in check.asked))
    verdicts = tuple(
        judge(case_named(asked.case), asked, one.answered, prompt=check.prompt)
        for asked, one in zip(check.asked, told, strict=True)
        if one is not None
    )
    ended = [one.ended_ms for one in told if one is not None]
    whole = len(ended) == len(check.asked)
    return Report(check=check, verdicts=verdicts, ended_ms=max(ended) if whole else None)


class _Told(Struct, frozen=True, kw_only=True):
    answered: Answered
    ended_ms: int


async def _told(log: Log, check: HealthCheck, asked: Asked) -> _Told | None:
    """None while the turn is at work. A session that was deleted gave no answer."""
    head = (await log.heads([asked.session_id])).get(asked.session_id)
    if head is None or head.closed:
        gone = Answered(
            outcome="no outcome", text="", latency_ms=0, usage=Usage(), error="session_deleted"
        )
        return _Told(answered=gone, ended_ms=check.created_ms)
    wanted = EventFilter(types=_READ, after_seq=0, limit=1000)
    events = (await log.list(asked.session_id, check.org_id, wanted)).events
    outcome = next((event for event in events if event.type in OUTCOME_TYPES), None)
    return None if outcome is None else _answer(events, outcome)


def _answer(events: Sequence[StoredEvent], outcome: StoredEvent) -> _Told:
    started = next((event.ts_ms for event in events if event.type == "turn.started"), outcome.ts_ms)
    said = msgspec.json.decode(outcome.payload, type=_Outcome).data
    text = ""
    for event in events:
        if event.type == "output.message.completed" and event.seq < outcome.seq:
            parts = msgspec.json.decode(event.payload, type=_Output).data.message.content
            text = "".join(part.text or "" for part in parts if part.type == "text") or text
    answered = Answered(
        outcome=outcome.type,
        text=text,
        latency_ms=outcome.ts_ms - started,
        usage=said.usage or Usage(),
        error=said.error_code or said.reason,
    )
    return _Told(answered=answered, ended_ms=outcome.ts_ms)


class _OutcomeData(Struct):
    usage: Usage | None = None
    error_code: str | None = None
    reason: str | None = None


class _Outcome(Struct):
    data: _OutcomeData


class _Part(Struct):
    type: str = ""
    text: str | None = None


class _Said(Struct):
    content: tuple[_Part, ...] = ()


class _OutputData(Struct):
    message: _Said


class _Output(Struct):
    data: _OutputData
