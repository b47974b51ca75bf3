"""/durable/ended: which of many plain tasks and workflows have ended"""

from uuid import UUID

from mainspring_api.adapters.http.routing import Call, Reply, RouteTable, json_reply
from mainspring_api.adapters.http.wire.ended import EndedBody, EndedList
from mainspring_api.adapters.http.wire.workflows import ResultQuery
from mainspring_api.usecases import ends
from mainspring_kernel.ids import Prefix, from_wire

table = RouteTable("durable")


@table.route("POST", "/durable/ended", body=EndedBody, query=ResultQuery, answer=EndedList)
async def find_ended(call: Call[EndedBody, ResultQuery]) -> Reply:
    """Those of many that have ended, as soon as one has; after `wait_s` none. Changes nothing."""
    services = call.services
    tasks: dict[UUID, str] = {}
    workflows: dict[UUID, str] = {}
    for text in call.body.ids:
        if text.startswith(f"{Prefix.TASK}_"):
            tasks[from_wire(Prefix.TASK, text)] = text
        else:
            workflows[from_wire(Prefix.WORKFLOW, text)] = text
    awaited = ends.Awaited(
        org_id=call.org_id, task_ids=frozenset(tasks), workflow_ids=frozenset(workflows)
    )
    gone = await ends.ended(
        services.operator, services.endings, services.clock, awaited, wait_s=call.query.wait_s
    )
    named = tasks | workflows
    return json_reply(EndedList(data=tuple(named[id_] for id_ in gone)))
