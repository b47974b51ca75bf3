"""/durable/tasks: plain tasks, which are submitted, stopped, done again, and have a result"""

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
from mainspring_api.adapters.http.wire.durable import task_id_of
from mainspring_api.adapters.http.wire.plain import (
    CancelTaskBody,
    PlainTaskJson,
    ReceiptJson,
    ReceiptList,
    RequeueTaskBody,
    TaskBody,
    TasksBody,
    plain_task_json,
    receipt_json,
)
from mainspring_api.adapters.http.wire.workflows import ResultQuery, milliseconds
from mainspring_api.usecases import plain
from mainspring_api.usecases.once import Answer, once_elsewhere, once_under_id
from mainspring_kernel.errors import rebuild
from mainspring_kernel.ids import Prefix, from_wire
from mainspring_kernel.tracing import TRACEPARENT
from mainspring_schema.plain import (
    CancelPlainTask,
    GetPlainTask,
    RequeuePlainTask,
    SubmitTask,
    SubmitTasks,
)

table = RouteTable("durable")


def _command(
    call: Call[TaskBody, NoQuery] | Call[TasksBody, NoQuery], body: TaskBody, task_id: UUID
) -> SubmitTask:
    return SubmitTask(
        org_id=call.org_id,
        task_id=task_id,
        type=body.type,
        input=bytes(body.input),
        queue=body.queue,
        priority=body.priority,
        build=body.build or "",
        keys=body.keys,
        circuit=body.circuit or "",
        start_within_ms=milliseconds(body.start_within_seconds),
        traceparent=call.request.headers.get(TRACEPARENT),
    )


def _own_id(body: TaskBody | RequeueTaskBody) -> UUID | None:
    return None if body.id is None else from_wire(Prefix.TASK, body.id)


@table.route(
    "POST",
    "/durable/tasks",
    body=TaskBody,
    answer=ReceiptJson,
    status=201,
    other_statuses=(409,),
)
async def submit_task(call: Call[TaskBody, NoQuery]) -> Reply:
    """Submits a plain task: one call of a step, for any worker of the queue that offers it."""
    services = call.services

    async def work(id_: UUID) -> Answer:
        receipt = await services.control.submit_task(_command(call, call.body, id_))
        return json_answer(receipt_json(receipt), status=201)

    new_id = _own_id(call.body) or services.ids.uuid7()
    return reply_of(await once_under_id(services.store, call.org_id, call.key, new_id, work))


@table.route("POST", "/durable/tasks/batch", body=TasksBody, answer=ReceiptList)
async def submit_tasks(call: Call[TasksBody, NoQuery]) -> Reply:
    """Submits many plain tasks at once; each has its own receipt."""
    services = call.services

    async def work(first_id: UUID) -> Answer:
        tasks = tuple(
            _command(call, body, _own_id(body) or UUID(int=first_id.int + number))
            for number, body in enumerate(call.body.tasks)
        )
        answer = await services.control.submit_tasks(SubmitTasks(tasks=tasks))
        receipts = ReceiptList(data=tuple(map(receipt_json, answer.receipts)))
        return json_answer(receipts, status=200)

    new_id = services.ids.uuid7()
    return reply_of(await once_under_id(services.store, call.org_id, call.key, new_id, work))


@table.route("GET", "/durable/tasks/{task_id:str}/result", query=ResultQuery, answer=PlainTaskJson)
async def get_task_result(call: Call[NoBody, ResultQuery]) -> Reply:
    """A plain task once it has ended; after `wait_s` as it is."""
    services = call.services
    wanted = GetPlainTask(org_id=call.org_id, task_id=task_id_of(call.path["task_id"]))
    view = await plain.ended(
        services.control, services.endings, services.clock, wanted, wait_s=call.query.wait_s
    )
    return json_reply(plain_task_json(view))


@table.route(
    "POST", "/durable/tasks/{task_id:str}/cancel", body=CancelTaskBody, answer=PlainTaskJson
)
async def cancel_task(call: Call[CancelTaskBody, NoQuery]) -> Reply:
    """Ends a plain task at once, whoever is at work on it; one that has ended stays as it is."""
    services = call.services
    order = CancelPlainTask(
        org_id=call.org_id, task_id=task_id_of(call.path["task_id"]), reason=call.body.reason
    )

    async def work() -> Answer:
        return json_answer(plain_task_json(await services.operator.operate(order)), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


@table.route(
    "POST",
    "/durable/tasks/{task_id:str}/requeue",
    body=RequeueTaskBody,
    answer=ReceiptJson,
    status=201,
    other_statuses=(409,),
)
async def requeue_task(call: Call[RequeueTaskBody, NoQuery]) -> Reply:
    """A new plain task with the input of one that failed or was cancelled."""
    services = call.services
    task_id = task_id_of(call.path["task_id"])

    async def work(id_: UUID) -> Answer:
        order = RequeuePlainTask(org_id=call.org_id, task_id=task_id, new_id=id_)
        receipt = await services.operator.operate(order)
        if receipt.refusal is not None:  # of an engine of before, which did not raise it
            raise rebuild(receipt.refusal.code, receipt.refusal.message)
        return json_answer(receipt_json(receipt), status=201)

    new_id = _own_id(call.body) or services.ids.uuid7()
    return reply_of(await once_under_id(services.store, call.org_id, call.key, new_id, work))
