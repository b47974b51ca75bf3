"""/sessions/{id}/tasks: what a session's agent has spawned, and how that stands"""

from typing import Annotated

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routes.sessions import session_id_of
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
from mainspring_api.domain.session_tasks import SessionTask
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import session_tasks
from mainspring_api.usecases.known import known_session
from mainspring_api.usecases.once import Answer, once_elsewhere
from mainspring_kernel.ids import Prefix, SessionId, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.session_tasks import SessionTaskState, SessionTaskView

table = RouteTable("session_tasks")
_TASKS = "/sessions/{session_id:str}/tasks"
BY_PEOPLE = "cancelled by a person"


class TasksOfSessionQuery(Struct, frozen=True, kw_only=True):
    state: SessionTaskState | None = None
    kind: Annotated[str, Meta(max_length=64)] | None = None


class TaskLinks(Struct, frozen=True, kw_only=True):
    child_session_id: str


class TaskErrorOut(Struct, frozen=True, kw_only=True):
    kind: str
    message: str


class SessionTaskOut(Struct, frozen=True, kw_only=True):
    id: str
    session_id: str
    kind: str
    display_name: str
    state: SessionTaskState
    state_detail: str | None
    summary: str | None
    error: TaskErrorOut | None
    links: TaskLinks
    created_at: str
    updated_at: str


class SessionTaskList(Struct, frozen=True, kw_only=True):
    data: tuple[SessionTaskOut, ...]


@table.route("GET", _TASKS, query=TasksOfSessionQuery, answer=SessionTaskList)
async def list_session_tasks(call: Call[NoBody, TasksOfSessionQuery]) -> Reply:
    """What the session's agent has spawned, newest first."""
    services, id_ = call.services, session_id_of(call)
    async with services.store.transaction(call.org_id) as tx:
        await known_session(tx, id_)
        tasks = await session_tasks.of_session(tx, id_)
    views = await session_tasks.views(services.log, tasks, now_ms=call.now_ms)
    wanted = call.query
    shown = tuple(
        _out(one, id_)
        for one in views
        if wanted.state in {None, one.state} and wanted.kind in {None, one.kind}
    )
    return json_reply(SessionTaskList(data=shown))


@table.route("GET", f"{_TASKS}/{{session_task_id:str}}", answer=SessionTaskOut)
async def get_session_task(call: Call[NoBody, NoQuery]) -> Reply:
    """One of them."""
    services, id_ = call.services, session_id_of(call)
    async with services.store.transaction(call.org_id) as tx:
        task = await _task(call, tx, id_)
    found = await session_tasks.view(services.log, task, now_ms=call.now_ms)
    return json_reply(_out(found, id_))


@table.route("POST", f"{_TASKS}/{{session_task_id:str}}/cancel", answer=SessionTaskOut)
async def cancel_session_task(call: Call[NoBody, NoQuery]) -> Reply:
    """Cancels what it does, and what it has spawned; one that is over stays as it is."""
    services, id_ = call.services, session_id_of(call)

    async def work() -> Answer:
        async with services.store.transaction(call.org_id) as tx:
            task = await _task(call, tx, id_)
        store, control = services.store, services.control
        task = await session_tasks.cancel(store, control, task, BY_PEOPLE, now_ms=call.now_ms)
        found = await session_tasks.view(services.log, task, now_ms=call.now_ms)
        return json_answer(_out(found, id_), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


async def _task(call: Call[NoBody, NoQuery], tx: Transaction, id_: SessionId) -> SessionTask:
    await known_session(tx, id_)
    wanted = session_tasks.task_id(call.path["session_task_id"])
    return await session_tasks.one_of(tx, id_, wanted)


def _out(one: SessionTaskView, session_id: SessionId) -> SessionTaskOut:
    failed = one.state == "failed"
    return SessionTaskOut(
        id=one.id,
        session_id=to_wire(Prefix.SESSION, session_id),
        kind=one.kind,
        display_name=one.name,
        state=one.state,
        state_detail=one.detail,
        summary=one.result,
        error=TaskErrorOut(kind="failed", message=one.detail or "") if failed else None,
        links=TaskLinks(child_session_id=one.child_session_id),
        created_at=rfc3339(one.created_ms),
        updated_at=rfc3339(one.updated_ms),
    )
