"""/durable/schedules and /durable/executions"""

from uuid import UUID

from msgspec import UNSET, UnsetType

from mainspring_api.adapters.http.routing import (
    AnyCall,
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.resources import session_draft
from mainspring_api.adapters.http.wire.schedules import (
    ScheduleBody,
    ScheduleList,
    SchedulePatch,
    SchedulesQuery,
    ScheduleView,
    SlotList,
    SlotsQuery,
    SlotStatsView,
    SlotView,
    schedule_view,
    session_body,
    slot_view,
    stats_view,
    target_of,
    timing_of,
)
from mainspring_api.usecases.once import Answer, once_elsewhere, once_under_id
from mainspring_api.usecases.schedules import check_target
from mainspring_kernel import limits
from mainspring_kernel.ids import Prefix, SessionId, from_wire
from mainspring_schema.limits import CATCH_UP_S_DEFAULT
from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    ListSchedules,
    ListSlots,
    MessageTarget,
    OneSchedule,
    OneSlot,
    Spec,
    Target,
    TriggerSchedule,
)

table = RouteTable("schedules")


def schedule_of(call: AnyCall) -> OneSchedule:
    return OneSchedule(org_id=call.org_id, id=schedule_id_of(call))


def schedule_id_of(call: AnyCall) -> UUID:
    return from_wire(Prefix.SCHEDULE, call.path["schedule_id"])


@table.route("GET", "/durable/schedules", query=SchedulesQuery, answer=ScheduleList)
async def list_schedules(call: Call[NoBody, SchedulesQuery]) -> Reply:
    """Schedules, newest first."""
    query = call.query
    wanted = ListSchedules(
        org_id=call.org_id,
        paused=None if query.enabled is None else not query.enabled,
        target=query.target_type,
        offset=query.offset,
        limit=min(query.limit, limits.LIST_ROWS_MAX),
    )
    page = await call.services.schedules.list(wanted)
    shown = ScheduleList(
        data=tuple(schedule_view(one) for one in page.schedules),
        total=page.total,
        offset=wanted.offset,
        limit=wanted.limit,
    )
    return json_reply(shown)


@table.route(
    "POST",
    "/durable/schedules",
    body=ScheduleBody,
    answer=ScheduleView,
    status=201,
    other_statuses=(409,),
)
async def create_schedule(call: Call[ScheduleBody, NoQuery]) -> Reply:
    """Creates a schedule: by cron, by interval, or for one time."""
    services, spec = call.services, _spec(call.body)
    await _check(call, spec.target)

    async def work(id_: UUID) -> Answer:
        made = await services.schedules.create(
            CreateSchedule(org_id=call.org_id, id=id_, spec=spec, paused=call.body.enabled is False)
        )
        return json_answer(schedule_view(made), status=201)

    new_id = services.ids.uuid7()
    return reply_of(await once_under_id(services.store, call.org_id, call.key, new_id, work))


def _spec(body: ScheduleBody) -> Spec:
    when = timing_of(body, None)
    assert not isinstance(when, UnsetType)  # noqa: S101 -- a body without timing was refused
    return Spec(
        name=body.name,
        description=None if isinstance(body.description, UnsetType) else body.description,
        timing=when,
        target=target_of(body.target),
        overlap="skip" if isinstance(body.overlap, UnsetType) else body.overlap,
        catch_up_s=CATCH_UP_S_DEFAULT
        if isinstance(body.catch_up_window_seconds, UnsetType)
        else body.catch_up_window_seconds,
        jitter_s=0 if isinstance(body.jitter_seconds, UnsetType) else body.jitter_seconds,
    )


async def _check(call: AnyCall, target: Target) -> None:
    if not isinstance(target, MessageTarget):
        return  # a workflow that no worker knows is held by the engine until one does
    services, fixed = call.services, target.session_id
    await check_target(
        services.store,
        call.org_id,
        session_id=None if fixed is None else SessionId(fixed),
        session=session_draft(session_body(target.session), services.registry),
    )


@table.route("GET", "/durable/schedules/{schedule_id:str}", answer=ScheduleView)
async def get_schedule(call: Call[NoBody, NoQuery]) -> Reply:
    """One schedule, and when it comes next."""
    return json_reply(schedule_view(await call.services.schedules.get(schedule_of(call))))


@table.route(
    "PATCH",
    "/durable/schedules/{schedule_id:str}",
    body=SchedulePatch,
    answer=ScheduleView,
    other_statuses=(409,),
)
async def update_schedule(call: Call[SchedulePatch, NoQuery]) -> Reply:
    """Changes the members that are given; a new timing begins now."""
    body, schedules = call.body, call.services.schedules
    present = await schedules.get(schedule_of(call))
    target: Target | UnsetType = UNSET
    if not isinstance(body.target, UnsetType):
        target = target_of(body.target)
        await _check(call, target)
    changed = await schedules.change(
        ChangeSchedule(
            org_id=call.org_id,
            id=present.id,
            name=body.name,
            description=body.description,
            timing=timing_of(body, present.spec.timing),
            target=target,
            overlap=body.overlap,
            catch_up_s=body.catch_up_window_seconds,
            jitter_s=body.jitter_seconds,
            paused=UNSET if isinstance(body.enabled, UnsetType) else not body.enabled,
        )
    )
    return json_reply(schedule_view(changed))


@table.route("DELETE", "/durable/schedules/{schedule_id:str}", status=204)
async def delete_schedule(call: Call[NoBody, NoQuery]) -> Reply:
    """Deletes a schedule; what it has begun goes on."""
    await call.services.schedules.delete(schedule_of(call))
    return Reply(status=204)


@table.route("POST", "/durable/schedules/{schedule_id:str}/pause", answer=ScheduleView)
async def pause_schedule(call: Call[NoBody, NoQuery]) -> Reply:
    """Pauses a schedule: no slot comes, and those that wait are skipped."""
    return await _set_paused(call, paused=True)


@table.route("POST", "/durable/schedules/{schedule_id:str}/resume", answer=ScheduleView)
async def resume_schedule(call: Call[NoBody, NoQuery]) -> Reply:
    """Resumes a schedule from now on; slots of the pause are not made up for."""
    return await _set_paused(call, paused=False)


async def _set_paused(call: Call[NoBody, NoQuery], *, paused: bool) -> Reply:
    services = call.services
    command = ChangeSchedule(org_id=call.org_id, id=schedule_id_of(call), paused=paused)

    async def work() -> Answer:
        return json_answer(schedule_view(await services.schedules.change(command)), status=200)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


@table.route("POST", "/durable/schedules/{schedule_id:str}/trigger", answer=SlotView)
async def trigger_schedule(call: Call[NoBody, NoQuery]) -> Reply:
    """Triggers a schedule now, also a paused one; its overlap policy holds."""
    services, schedule_id = call.services, schedule_id_of(call)

    async def work(slot_id: UUID) -> Answer:
        command = TriggerSchedule(org_id=call.org_id, id=schedule_id, slot_id=slot_id)
        return json_answer(slot_view(await services.schedules.trigger(command)), status=200)

    new_id = services.ids.uuid7()
    return reply_of(await once_under_id(services.store, call.org_id, call.key, new_id, work))


@table.route(
    "GET",
    "/durable/schedules/{schedule_id:str}/executions",
    query=SlotsQuery,
    answer=SlotList,
)
async def list_slots(call: Call[NoBody, SlotsQuery]) -> Reply:
    """What came of a schedule, newest first; kept for a month."""
    query = call.query
    wanted = ListSlots(
        org_id=call.org_id,
        schedule_id=schedule_id_of(call),
        status=query.status,
        offset=query.offset,
        limit=min(query.limit, limits.LIST_ROWS_MAX),
    )
    page = await call.services.schedules.slots(wanted)
    shown = SlotList(
        data=tuple(slot_view(slot) for slot in page.slots),
        total=page.total,
        offset=wanted.offset,
        limit=wanted.limit,
    )
    return json_reply(shown)


@table.route("GET", "/durable/schedules/{schedule_id:str}/stats", answer=SlotStatsView)
async def count_slots(call: Call[NoBody, NoQuery]) -> Reply:
    """How a schedule's newest executions came out."""
    return json_reply(stats_view(await call.services.schedules.counts(schedule_of(call))))


@table.route("GET", "/durable/executions/{execution_id:str}", answer=SlotView)
async def get_slot(call: Call[NoBody, NoQuery]) -> Reply:
    """One execution of a schedule."""
    id_ = from_wire(Prefix.SLOT, call.path["execution_id"])
    slot = await call.services.schedules.slot(OneSlot(org_id=call.org_id, id=id_))
    return json_reply(slot_view(slot))
