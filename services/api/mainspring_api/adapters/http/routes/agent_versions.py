"""/agents/{id}/versions"""

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
from mainspring_api.adapters.http.wire.resources import AgentView, agent_view
from mainspring_api.adapters.http.wire.versions import (
    DefaultVersionBody,
    DiffView,
    RollbackBody,
    VersionBody,
    VersionForkBody,
    VersionView,
    diff_view,
    version_view,
)
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import agents, versions
from mainspring_api.usecases.once import Answer, once
from mainspring_api.usecases.versions import ForkDraft, Rollback, VersionDraft

table = RouteTable("agents")
_AT = "/agents/{agent_id:str}/versions"
_ONE = f"{_AT}/{{version_id:str}}"


@table.route("GET", _AT, answer=tuple[VersionView, ...])
async def list_agent_versions(call: Call[NoBody, NoQuery]) -> Reply:
    """The versions of an agent, newest first."""
    async with call.services.store.transaction(call.org_id) as tx:
        agent = await agents.get(tx, call.path["agent_id"])
        found = await versions.list_all(tx, call.path["agent_id"])
    return json_reply([version_view(one, agent.default_version_id) for one in found])


@table.route("POST", _AT, body=VersionBody, answer=VersionView, status=201)
async def create_agent_version(call: Call[VersionBody, NoQuery]) -> Reply:
    """Saves the agent as it is under the next number."""
    draft = VersionDraft(change=call.body.change_kind or "manual", summary=call.body.summary)

    async def work(tx: Transaction) -> Answer:
        made = await versions.save(
            tx, call.path["agent_id"], draft, ids=call.services.ids, now_ms=call.now_ms
        )
        return json_answer(version_view(made, None), status=201)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))


@table.route("GET", _ONE, answer=VersionView)
async def get_agent_version(call: Call[NoBody, NoQuery]) -> Reply:
    """One version."""
    async with call.services.store.transaction(call.org_id) as tx:
        agent = await agents.get(tx, call.path["agent_id"])
        found = await versions.get(tx, agent, call.path["version_id"])
    return json_reply(version_view(found, agent.default_version_id))


@table.route("POST", f"{_AT}/default", body=DefaultVersionBody, answer=AgentView)
async def set_default_agent_version(call: Call[DefaultVersionBody, NoQuery]) -> Reply:
    """New sessions get this version from now on."""

    async def work(tx: Transaction) -> Answer:
        agent = await versions.set_default(
            tx, call.path["agent_id"], call.body.version_id, now_ms=call.now_ms
        )
        return json_answer(agent_view(agent), status=200)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))


@table.route("GET", f"{_ONE}/diff/{{other_id:str}}", answer=DiffView)
async def diff_agent_versions(call: Call[NoBody, NoQuery]) -> Reply:
    """What another version has that this one has not, member by member."""
    async with call.services.store.transaction(call.org_id) as tx:
        agent = await agents.get(tx, call.path["agent_id"])
        before = await versions.get(tx, agent, call.path["version_id"])
        after = await versions.get(tx, agent, call.path["other_id"])
    return json_reply(diff_view(before, after))


@table.route("POST", f"{_ONE}/fork", body=VersionForkBody, answer=AgentView, status=201)
async def fork_agent_version(call: Call[VersionForkBody, NoQuery]) -> Reply:
    """A new agent that begins where the version stands."""
    body = call.body
    draft = ForkDraft(name=body.name, display_name=body.display_name, description=body.description)

    async def work(tx: Transaction) -> Answer:
        made = await versions.fork(
            tx,
            call.path["agent_id"],
            call.path["version_id"],
            draft,
            ids=call.services.ids,
            now_ms=call.now_ms,
        )
        return json_answer(agent_view(made), status=201)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))


@table.route("POST", f"{_ONE}/rollback", body=RollbackBody, answer=AgentView)
async def roll_back_agent(call: Call[RollbackBody, NoQuery]) -> Reply:
    """The agent becomes what it was; what it is now is saved first unless told otherwise."""
    saved = call.body.save_version
    wish = Rollback(save_version=saved is not False, summary=call.body.summary)

    async def work(tx: Transaction) -> Answer:
        agent = await versions.roll_back(
            tx,
            call.path["agent_id"],
            call.path["version_id"],
            wish,
            ids=call.services.ids,
            now_ms=call.now_ms,
        )
        return json_answer(agent_view(agent), status=200)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))
