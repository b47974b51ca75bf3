-- name: open_slots_of
-- The slots of these schedules that have not ended, oldest first; each schedule has few.
-- repeatable
select
    org_id, id, schedule_id, slot_ms, origin, status, attempts, code, detail, session_id,
    message_id, turn_id, workflow_id, created_ms, started_ms, ended_ms, due_ms, asked
from scheduler.slot
where schedule_id = any($1::uuid[]) and ended_ms is null
order by schedule_id, slot_ms, id;

-- name: add_slot
-- A slot by hand, and its schedule due at once; a second call with the same id inserts nothing.
with woken as (
    update scheduler.schedule as s
    set rev = s.rev + 1, due_ms = floor(extract(epoch from now()) * 1000)::bigint
    where s.org_id = $1::uuid and s.id = $3::uuid and not s.deleted
    returning s.id
)

insert into scheduler.slot (
    org_id, id, schedule_id, slot_ms, origin, status, attempts, created_ms
)
select
    $1::uuid as org_id,
    $2::uuid as id,
    woken.id as schedule_id,
    $4::bigint as slot_ms,
    'hand' as origin,
    'waiting' as status,
    0 as attempts,
    $5::bigint as created_ms
from woken
on conflict (id) do nothing;

-- name: slot_by_id
-- A slot whose schedule is not deleted.
-- repeatable
select
    s.org_id, s.id, s.schedule_id, s.slot_ms, s.origin, s.status, s.attempts, s.code, s.detail,
    s.session_id, s.message_id, s.turn_id, s.workflow_id, s.created_ms, s.started_ms, s.ended_ms,
    s.due_ms, s.asked
from scheduler.slot as s
inner join scheduler.schedule as d on s.schedule_id = d.id
where s.org_id = $1 and s.id = $2 and not d.deleted;

-- name: list_slots
-- A page of a schedule's slots, newest first.
-- repeatable
select
    org_id, id, schedule_id, slot_ms, origin, status, attempts, code, detail, session_id,
    message_id, turn_id, workflow_id, created_ms, started_ms, ended_ms, due_ms, asked
from scheduler.slot
where org_id = $1 and schedule_id = $2 and ($3::text is null or status = $3)
order by slot_ms desc, id desc
limit $5::int offset $4::int;

-- name: count_slots
-- How many slots the same search finds.
-- repeatable
select count(*)
from scheduler.slot
where org_id = $1 and schedule_id = $2 and ($3::text is null or status = $3);

-- name: count_open_slots
-- How many slots of a schedule have not ended.
-- repeatable
select count(*) from scheduler.slot where schedule_id = $1 and ended_ms is null;

-- name: slot_statistics
-- Of a schedule's newest slots, how many have which status and how long the ended ones took.
-- repeatable
with newest as (
    select status, started_ms, ended_ms
    from scheduler.slot
    where schedule_id = $1
    order by slot_ms desc, id desc
    limit $2::int
)

select
    status,
    count(*) as slots,
    count(ended_ms - started_ms) as timed,
    coalesce(sum(ended_ms - started_ms), 0)::bigint as took_ms
from newest
group by status;

-- name: forget_slots
-- Removes slots that ended long ago, or whose schedule is deleted.
with old as (
    select s.id
    from scheduler.slot as s
    where s.ended_ms is not null and s.ended_ms < $1::bigint
    order by s.ended_ms
    limit $2::int
),

orphaned as (
    select s.id
    from scheduler.schedule as d
    inner join scheduler.slot as s on d.id = s.schedule_id
    where d.deleted and s.ended_ms is not null
    order by s.id
    limit $2::int
),

gone as (
    select old.id from old
    union
    select orphaned.id from orphaned
    order by id
    limit $2::int
)

delete from scheduler.slot
where id in (select gone.id from gone);

-- name: forget_schedules
-- Removes deleted schedules that have no slot left.
delete from scheduler.schedule as d
where d.id in (
    select gone.id
    from scheduler.schedule as gone
    where
        gone.deleted and gone.due_ms is null
        and not exists (select from scheduler.slot as s where s.schedule_id = gone.id)
    order by gone.id
    limit $1::int
);
