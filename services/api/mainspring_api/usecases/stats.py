"""Statistics of an agent, added up from the logs of its sessions."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from mainspring_api.domain.limits import STATS_READS_AT_ONCE_MAX, STATS_SESSIONS_MAX
from mainspring_api.ports.log import Log
from mainspring_api.ports.store import Listed, Store
from mainspring_api.usecases import agents
from mainspring_api.usecases.sessions import SessionView, with_head
from mainspring_kernel.ids import OrgId
from mainspring_kernel.limits import PAGE_ROWS_MAX
from mainspring_schema.events import OUTCOME_TYPES, Usage
from mainspring_schema.listing import EventFilter


class Turns(Struct, frozen=True, kw_only=True):
    """What the turns of a session came to."""

    count: int = 0
    usage: Usage = Usage()
    last_ms: int | None = None


class Stats(Struct, frozen=True, kw_only=True):
    """`sessions` counts all; the rest is of those that were looked at, the newest ones."""

    sessions: int
    by_status: dict[str, int]
    turns: int
    usage: Usage
    duration_ms: int
    first_session_ms: int | None
    last_session_ms: int | None
    last_turn_ms: int | None


async def of_agent(store: Store, log: Log, org_id: OrgId, ref: str) -> Stats:
    """Raises NotFound."""
    async with store.transaction(org_id) as tx:
        agent = await agents.get(tx, ref)
        listed = Listed(limit=STATS_SESSIONS_MAX)
        found, total = await tx.sessions(listed, agent_id=agent.id)
    heads = await log.heads([session.id for session in found])
    views = [view for one in found if (view := with_head(one, heads)) is not None]
    at_once = asyncio.Semaphore(STATS_READS_AT_ONCE_MAX)
    turns = await asyncio.gather(*(_turns(log, org_id, view, at_once) for view in views))
    return _added(views, turns, total)


async def _turns(log: Log, org_id: OrgId, view: SessionView, at_once: asyncio.Semaphore) -> Turns:
    if view.status == "started":
        return Turns()
    types = tuple(sorted(OUTCOME_TYPES))
    wanted = EventFilter(types=types, descending=True, limit=PAGE_ROWS_MAX, counted=True)
    async with at_once:
        listing = await log.list(view.session.id, org_id, wanted)
    usage = Usage()
    for event in listing.events:
        said = msgspec.json.decode(event.payload, type=_Payload).data.usage
        usage = usage.plus(said or Usage())
    last_ms = max((event.ts_ms for event in listing.events), default=None)
    return Turns(count=listing.total, usage=usage, last_ms=last_ms)


def _added(views: Sequence[SessionView], turns: Sequence[Turns], total: int) -> Stats:
    usage = Usage()
    for one in turns:
        usage = usage.plus(one.usage)
    created = [view.session.created_ms for view in views]
    return Stats(
        sessions=total,
        by_status=dict(Counter(view.status for view in views)),
        turns=sum(one.count for one in turns),
        usage=usage,
        duration_ms=sum(max(0, view.active_ms - view.session.created_ms) for view in views),
        first_session_ms=min(created, default=None),
        last_session_ms=max(created, default=None),
        last_turn_ms=max((one.last_ms for one in turns if one.last_ms is not None), default=None),
    )


class _Data(Struct):
    usage: Usage | None = None


class _Payload(Struct):
    data: _Data
