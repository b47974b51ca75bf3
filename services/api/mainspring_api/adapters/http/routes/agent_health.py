"""/agents/{id}/health-checks and /agents/{id}/stats: how an agent does"""

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
from mainspring_api.adapters.http.wire.versions import (
    CheckView,
    StatsView,
    check_view,
    stats_view,
)
from mainspring_api.usecases import health_checks, stats
from mainspring_api.usecases.messages import MessagePath
from mainspring_api.usecases.once import Answer, once_under_id
from mainspring_kernel.ids import Prefix, from_wire

table = RouteTable("agents")
_AT = "/agents/{agent_id:str}/health-checks"


@table.route("GET", "/agents/{agent_id:str}/stats", answer=StatsView)
async def agent_stats(call: Call[NoBody, NoQuery]) -> Reply:
    """Sessions, turns and tokens of an agent."""
    services = call.services
    found = await stats.of_agent(services.store, services.log, call.org_id, call.path["agent_id"])
    return json_reply(stats_view(found))


@table.route("GET", _AT, answer=tuple[CheckView, ...])
async def list_health_checks(call: Call[NoBody, NoQuery]) -> Reply:
    """The newest health checks of an agent."""
    services = call.services
    found = await health_checks.list_all(
        services.store, services.log, call.org_id, call.path["agent_id"]
    )
    return json_reply([check_view(report) for report in found])


@table.route("POST", _AT, answer=CheckView, status=201, other_statuses=(422,))
async def begin_health_check(call: Call[NoBody, NoQuery]) -> Reply:
    """Puts questions to the agent, each in a session of its own."""
    services, ref = call.services, call.path["agent_id"]
    path = MessagePath(
        configurations=services.configurations, control=services.control, log=services.log
    )

    async def work(id_: UUID) -> Answer:
        await health_checks.begin(
            services.store,
            path,
            health_checks.Wish(org_id=call.org_id, agent=ref, id=id_),
            ids=services.ids,
            now_ms=call.now_ms,
        )
        report = await health_checks.get(services.store, services.log, call.org_id, ref, id_)
        return json_answer(check_view(report), status=201)

    new_id = services.ids.uuid7()
    return reply_of(await once_under_id(services.store, call.org_id, call.key, new_id, work))


@table.route("GET", f"{_AT}/{{check_id:str}}", answer=CheckView)
async def get_health_check(call: Call[NoBody, NoQuery]) -> Reply:
    """One health check; complete once all its turns have ended."""
    services = call.services
    report = await health_checks.get(
        services.store,
        services.log,
        call.org_id,
        call.path["agent_id"],
        from_wire(Prefix.HEALTH_CHECK, call.path["check_id"]),
    )
    return json_reply(check_view(report))
