"""/durable/health: the engine as a whole"""

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.adapters.http.wire.durable_health import HealthOut, health_out
from mainspring_api.domain.limits import HEALTH_AGE_MS_MAX
from mainspring_schema.operations import GetHealth

table = RouteTable("durable")


@table.route("GET", "/durable/health", answer=HealthOut)
async def durable_health(call: Call[NoBody, NoQuery]) -> Reply:
    """Open tasks by route, workers, load, dead letters, and what needs an operator's attention."""
    asked = GetHealth(age_ms_max=HEALTH_AGE_MS_MAX)
    return json_reply(health_out(await call.services.operator.inspect(asked)))
