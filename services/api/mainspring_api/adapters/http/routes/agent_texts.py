"""Agents as text, copied and looked over: /agents/import, export, copy, analyze"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    TextBody,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.analysis import (
    AnalysisBody,
    AnalysisView,
    analysed,
    finding_view,
)
from mainspring_api.adapters.http.wire.resources import (
    AgentBody,
    AgentView,
    agent_draft,
    agent_view,
)
from mainspring_api.adapters.http.wire.texts import exported
from mainspring_api.domain import agent_text, examples
from mainspring_api.domain.analysis import analyse
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import agents, harnesses
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel.errors import NotFound, ValidationFailed
from mainspring_kernel.ids import AgentId, Prefix, to_wire

table = RouteTable("agents")
_MEDIA = {"markdown": "text/markdown", "yaml": "application/yaml", "json": "application/json"}


class ImportQuery(Struct, frozen=True, kw_only=True):
    """An example's name stands in for the text."""

    example: Annotated[str, Meta(max_length=64)] | None = field(default=None, name="from-example")


class ExportQuery(Struct, frozen=True, kw_only=True):
    format: Literal["markdown", "yaml", "json"] = "markdown"


@table.route(
    "POST",
    "/agents/import",
    query=ImportQuery,
    body=TextBody,
    answer=AgentView,
    status=201,
    other_statuses=(200,),
)
async def import_agent(call: Call[TextBody, ImportQuery]) -> Reply:
    """Creates an agent from its text, or brings the one with its name up to date.

    A text that is nothing but a prompt names no agent: it becomes a new one.
    """
    services = call.services
    members = agent_text.read(_text(call))
    is_prompt = members.keys() == {"system_prompt"}
    if is_prompt:
        members["name"] = agent_text.name_for(str(members["system_prompt"]))
    try:
        body = msgspec.convert(members, AgentBody)
    except msgspec.ValidationError as error:
        raise ValidationFailed(str(error)) from error
    draft = agent_draft(body, None, services.registry)

    async def work(tx: Transaction) -> Answer:
        new_id, now_ms = AgentId(services.ids.uuid7()), call.now_ms
        if is_prompt:
            made = await agents.add(tx, draft, new_id=new_id, now_ms=now_ms)
            return json_answer(agent_view(made), status=201)
        done = await agents.upsert(tx, draft, given_id=None, new_id=new_id, now_ms=now_ms)
        return json_answer(agent_view(done.agent), status=201 if done.created else 200)

    return reply_of(await once(services.store, call.org_id, call.key, work))


def _text(call: Call[TextBody, ImportQuery]) -> str:
    name = call.query.example
    if name is None:
        return call.body.text
    example = examples.AGENTS.get(name)
    if example is None:
        msg = f"no example {name!r}; there are {', '.join(examples.AGENTS)}"
        raise NotFound(msg)
    return example


@table.route(
    "GET",
    "/agents/{agent_id:str}/export",
    query=ExportQuery,
    answer=str,
    media_types=tuple(_MEDIA.values()),
)
async def export_agent(call: Call[NoBody, ExportQuery]) -> Reply:
    """The agent as text, which `import` reads."""
    async with call.services.store.transaction(call.org_id) as tx:
        agent = await agents.get(tx, call.path["agent_id"])
        harness = await harnesses.get(tx, to_wire(Prefix.HARNESS, agent.harness_id))
    members, wanted = exported(agent, harness.name), call.query.format
    match wanted:
        case "markdown":
            text = agent_text.write(members)
        case "yaml":
            text = agent_text.write_yaml(members)
        case "json":
            text = msgspec.json.encode(members).decode()
    return Reply(body=text.encode(), media_type=_MEDIA[wanted])


@table.route("POST", "/agents/{agent_id:str}/copy", answer=AgentView, status=201)
async def copy_agent(call: Call[NoBody, NoQuery]) -> Reply:
    """The same agent under another name."""

    async def work(tx: Transaction) -> Answer:
        new_id = AgentId(call.services.ids.uuid7())
        made = await agents.copy(tx, call.path["agent_id"], new_id=new_id, now_ms=call.now_ms)
        return json_answer(agent_view(made), status=201)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))


@table.route("POST", "/agents/analyze", body=AnalysisBody, answer=AnalysisView)
async def analyze_agent(call: Call[AnalysisBody, NoQuery]) -> Reply:
    """What is wrong, or could be better, with an agent that need not exist."""
    found = analyse(analysed(call.body), call.services.registry)
    return json_reply(AnalysisView(findings=tuple(finding_view(one) for one in found)))
