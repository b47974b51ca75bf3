"""/durable/workers: who does the work, and holding work back from one of them"""

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
from mainspring_api.adapters.http.wire.durable import (
    WorkerList,
    WorkerOut,
    WorkersQuery,
    same,
    worker_out,
)
from mainspring_api.usecases.once import Answer, once_elsewhere
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_schema.asking import Order
from mainspring_schema.operations import (
    DrainWorker,
    GetWorker,
    ListWorkers,
    ResumeWorker,
    WorkerView,
)

table = RouteTable("durable")


@table.route("GET", "/durable/workers", query=WorkersQuery, answer=WorkerList)
async def list_workers(call: Call[NoBody, WorkersQuery]) -> Reply:
    """Attached workers, newest first; those that stopped only where asked for."""
    query = call.query
    asked = ListWorkers(
        status=query.status,
        queue=same("queue and worker_group", query.queue, query.worker_group),
        after=None if query.after is None else from_wire(Prefix.WORKER, query.after),
        limit=query.limit,
    )
    page = await call.services.operator.inspect(asked)
    return json_reply(
        WorkerList(
            data=tuple(worker_out(worker) for worker in page.workers),
            next=None if page.next is None else to_wire(Prefix.WORKER, page.next),
        )
    )


@table.route("GET", "/durable/workers/{worker_id:str}", answer=WorkerOut)
async def get_worker(call: Call[NoBody, NoQuery]) -> Reply:
    """One worker, also one that stopped."""
    asked = GetWorker(worker_id=worker_id_of(call))
    return json_reply(worker_out(await call.services.operator.inspect(asked)))


@table.route("POST", "/durable/workers/{worker_id:str}/drain", answer=WorkerOut)
async def drain_worker(call: Call[NoBody, NoQuery]) -> Reply:
    """Holds new tasks back from a worker; it finishes what it holds, and stays attached."""
    return await _ordered(call, DrainWorker(worker_id=worker_id_of(call)))


@table.route("POST", "/durable/workers/{worker_id:str}/resume", answer=WorkerOut)
async def resume_worker(call: Call[NoBody, NoQuery]) -> Reply:
    """Takes a drain back."""
    return await _ordered(call, ResumeWorker(worker_id=worker_id_of(call)))


async def _ordered(call: Call[NoBody, NoQuery], order: Order[WorkerView]) -> Reply:
    services = call.services

    async def work() -> Answer:
        return json_answer(worker_out(await services.operator.operate(order)), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


def worker_id_of(call: Call[NoBody, NoQuery]) -> UUID:
    return from_wire(Prefix.WORKER, call.path["worker_id"])
