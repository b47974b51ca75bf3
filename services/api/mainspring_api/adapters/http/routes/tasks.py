"""/durable/tasks: the work that is open, and what became of a closed task"""

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.adapters.http.wire.durable import (
    TaskDetailsOut,
    TaskList,
    TasksQuery,
    check_closed,
    details_out,
    optional_id,
    optional_owner,
    same,
    task_id_of,
    task_out,
)
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.operations import GetTask, ListTasks

table = RouteTable("durable")


@table.route("GET", "/durable/tasks", query=TasksQuery, answer=TaskList)
async def list_tasks(call: Call[NoBody, TasksQuery]) -> Reply:
    """Open tasks of this organization, oldest first; `closed`: ended plain tasks, newest first."""
    query = call.query
    check_closed(query)
    asked = ListTasks(
        org_id=call.org_id,
        status=query.status,
        kind=same("kind and activity_type", query.kind, query.activity_type),
        queue=query.queue,
        session_id=optional_id(Prefix.SESSION, query.session_id),
        workflow_id=optional_owner(query.workflow_id),
        worker_id=optional_id(Prefix.WORKER, query.worker_id),
        after=optional_id(Prefix.TASK, query.after),
        limit=query.limit,
    )
    page = await call.services.operator.inspect(asked)
    return json_reply(
        TaskList(
            data=tuple(task_out(task) for task in page.tasks),
            next=None if page.next is None else to_wire(Prefix.TASK, page.next),
        )
    )


@table.route("GET", "/durable/tasks/{task_id:str}", answer=TaskDetailsOut)
async def get_task(call: Call[NoBody, NoQuery]) -> Reply:
    """One task, open or closed, with every attempt that closed."""
    asked = GetTask(org_id=call.org_id, task_id=task_id_of(call.path["task_id"]))
    return json_reply(details_out(await call.services.operator.inspect(asked)))
