"""/agents"""

from typing import Annotated

from msgspec import Meta, Struct

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
from mainspring_api.adapters.http.wire.preview import PreviewView, preview_view
from mainspring_api.adapters.http.wire.resources import (
    AgentBody,
    AgentPatch,
    AgentPreviewBody,
    AgentView,
    agent_draft,
    agent_view,
)
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.naming import tokens
from mainspring_api.domain.resources import Agent
from mainspring_api.ports.store import Listed, Transaction
from mainspring_api.usecases import agents, preview
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel import limits
from mainspring_kernel.errors import NameTaken
from mainspring_kernel.ids import AgentId, Prefix, from_wire

table = RouteTable("agents")


class PageQuery(Struct, frozen=True, kw_only=True):
    search: Annotated[str, Meta(max_length=200)] | None = None
    include_archived: bool = False
    offset: Annotated[int, Meta(ge=0, le=bounds.RESUME_OFFSET_MAX)] = 0
    limit: Annotated[int, Meta(ge=1)] = bounds.LIST_ROWS_DEFAULT


class AgentPage(Struct, frozen=True, kw_only=True):
    data: tuple[AgentView, ...]
    total: int
    offset: int
    limit: int


def listed_of(query: PageQuery) -> Listed:
    return Listed(
        tokens=tokens(query.search),
        include_archived=query.include_archived,
        offset=query.offset,
        limit=min(query.limit, limits.LIST_ROWS_MAX),
    )


@table.route("GET", "/agents", query=PageQuery, answer=AgentPage)
async def list_agents(call: Call[NoBody, PageQuery]) -> Reply:
    """Agents, newest first."""
    listed = listed_of(call.query)
    async with call.services.store.transaction(call.org_id) as tx:
        found, total = await agents.list_page(tx, listed)
    page = AgentPage(
        data=tuple(agent_view(agent) for agent in found),
        total=total,
        offset=listed.offset,
        limit=listed.limit,
    )
    return json_reply(page)


@table.route(
    "POST", "/agents", body=AgentBody, answer=AgentView, status=201, other_statuses=(200, 409)
)
async def create_agent(call: Call[AgentBody, NoQuery]) -> Reply:
    """Creates an agent, or brings the one with this id or name up to date."""
    given = call.body.id
    return await _upsert(call, AgentId(from_wire(Prefix.AGENT, given)) if given else None)


@table.route(
    "PUT",
    "/agents/{agent_id:str}",
    body=AgentBody,
    answer=AgentView,
    other_statuses=(201, 409),
)
async def put_agent(call: Call[AgentBody, NoQuery]) -> Reply:
    """Creates or replaces the agent with this id."""
    return await _upsert(call, AgentId(from_wire(Prefix.AGENT, call.path["agent_id"])))


async def _upsert(call: Call[AgentBody, NoQuery], given_id: AgentId | None) -> Reply:
    services = call.services
    draft = agent_draft(call.body, None, services.registry)

    async def work(tx: Transaction) -> Answer:
        done = await agents.upsert(
            tx,
            draft,
            given_id=given_id,
            new_id=AgentId(services.ids.uuid7()),
            now_ms=call.now_ms,
        )
        return json_answer(agent_view(done.agent), status=201 if done.created else 200)

    try:
        answer = await once(services.store, call.org_id, call.key, work)
    except NameTaken:
        # Somebody created the same name at this moment: now it is there to be updated.
        answer = await once(services.store, call.org_id, call.key, work)
    return reply_of(answer)


@table.route("POST", "/agents/preview", body=AgentPreviewBody, answer=PreviewView)
async def preview_agent(call: Call[AgentPreviewBody, NoQuery]) -> Reply:
    """What an agent would fold into; nothing is stored."""
    services = call.services
    draft = agent_draft(call.body, None, services.registry)
    async with services.store.transaction(call.org_id) as tx:
        id_ = AgentId(services.ids.uuid7())
        shown = await preview.of_agent(tx, services.registry, draft, id_=id_, now_ms=call.now_ms)
    shown = await preview.announced(services.operator, services.registry, shown)
    return json_reply(preview_view(shown))


@table.route("GET", "/agents/{agent_id:str}", answer=AgentView)
async def get_agent(call: Call[NoBody, NoQuery]) -> Reply:
    """One agent, by id or by name."""
    async with call.services.store.transaction(call.org_id) as tx:
        agent = await agents.get(tx, call.path["agent_id"])
    return json_reply(agent_view(agent))


@table.route(
    "PATCH", "/agents/{agent_id:str}", body=AgentPatch, answer=AgentView, other_statuses=(409,)
)
async def update_agent(call: Call[AgentPatch, NoQuery]) -> Reply:
    """Changes the members that are given."""
    services = call.services
    async with services.store.transaction(call.org_id) as tx:
        present = await agents.get(tx, call.path["agent_id"], lock=True)
        changed = await _changed(call, tx, present)
    return json_reply(agent_view(changed))


async def _changed(call: Call[AgentPatch, NoQuery], tx: Transaction, present: Agent) -> Agent:
    draft = agent_draft(call.body, present, call.services.registry)
    status = call.body.status if isinstance(call.body.status, str) else None
    return await agents.change(tx, present, draft, status=status, now_ms=call.now_ms)


@table.route("DELETE", "/agents/{agent_id:str}", status=204)
async def delete_agent(call: Call[NoBody, NoQuery]) -> Reply:
    """Archives an agent; creating it again wakes it."""
    async with call.services.store.transaction(call.org_id) as tx:
        await agents.archive(tx, call.path["agent_id"], now_ms=call.now_ms)
    return Reply(status=204)


@table.route("POST", "/agents/{agent_id:str}/delete", answer=AgentView, other_statuses=(409,))
async def delete_agent_for_good(call: Call[NoBody, NoQuery]) -> Reply:
    """Deletes an archived agent for good; what it was is answered once more."""

    async def work(tx: Transaction) -> Answer:
        gone = await agents.delete(tx, call.path["agent_id"], now_ms=call.now_ms)
        return json_answer(agent_view(gone), status=200)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))
