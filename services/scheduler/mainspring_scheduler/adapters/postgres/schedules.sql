-- name: now
-- The time by which slots are due.
-- repeatable
select floor(extract(epoch from now()) * 1000)::bigint as now_ms;

-- name: insert_schedule
-- A new schedule; a second call with the same id inserts nothing.
insert into scheduler.schedule (
    org_id, id, name, target, session_id, spec, paused, deleted, rev, next_ms, last_ms, due_ms,
    created_ms, updated_ms
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (id) do nothing;

-- name: schedule_by_id
-- A schedule that is not deleted.
-- repeatable
select
    org_id, id, spec, paused, deleted, rev, next_ms, last_ms, due_ms, created_ms, updated_ms
from scheduler.schedule
where org_id = $1 and id = $2 and not deleted;

-- name: list_schedules
-- A page of an organization's schedules, newest first.
-- repeatable
select
    org_id, id, spec, paused, deleted, rev, next_ms, last_ms, due_ms, created_ms, updated_ms
from scheduler.schedule
where
    org_id = $1 and not deleted
    and ($2::boolean is null or paused = $2)
    and ($3::text is null or target = $3)
order by created_ms desc, id desc
limit $5::int offset $4::int;

-- name: count_schedules
-- How many schedules the same search finds.
-- repeatable
select count(*)
from scheduler.schedule
where
    org_id = $1 and not deleted
    and ($2::boolean is null or paused = $2)
    and ($3::text is null or target = $3);

-- name: count_schedules_of_sessions
-- Of each of these sessions, how many schedules will still write to it; none has no row. Paused and
-- deleted schedules have no next slot.
-- repeatable
select
    session_id,
    count(*) as schedules
from scheduler.schedule
where org_id = $1 and session_id = any($2::uuid[]) and next_ms is not null
group by session_id;

-- name: replace_schedule
-- Writes a changed schedule where nobody claimed or changed it since it was read.
update scheduler.schedule set
    name = $3, target = $4, session_id = $5, spec = $6, paused = $7, deleted = $8, rev = rev + 1,
    next_ms = $9, last_ms = $10, due_ms = $11, updated_ms = $12
where id = $1 and rev = $2;

-- name: claim_due_schedules
-- Takes schedules that are due, most overdue first, and holds them for a while.
with clock as (select floor(extract(epoch from now()) * 1000)::bigint as now_ms),

due as (
    select schedule.id
    from scheduler.schedule
    where schedule.due_ms <= (select clock.now_ms from clock)
    order by schedule.due_ms
    limit $1::int
    -- Skips what another replica takes, or a person changes, at this moment: it is looked at then.
    for no key update skip locked
)

update scheduler.schedule as s
set rev = s.rev + 1, due_ms = clock.now_ms + $2::bigint
from clock
-- An array, so that a plan for any limit still goes by the key.
where s.id = any(array(select due.id from due))
returning
    s.org_id, s.id, s.spec, s.paused, s.deleted, s.rev, s.next_ms, s.last_ms, s.due_ms,
    s.created_ms, s.updated_ms, clock.now_ms;

-- name: commit_schedules
-- Writes claimed schedules with their slots where the claim still stands, each whole or not at all.
-- Whoever read a schedule before this may not put what it was over what it is: its rev rises.
-- A time that has its slot gets no second one. Slots change under their schedule's lock alone.
with given as (
    select g.id, g.rev, g.next_ms, g.last_ms, g.due_ms, g.keep_hold
    from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[])
        as g (id, rev, next_ms, last_ms, due_ms, keep_hold)
),

mine as (
    select s.id
    from scheduler.schedule as s
    inner join given on s.id = given.id and s.rev = given.rev
    order by s.id
    for no key update of s
),

written as (
    update scheduler.schedule as s
    set
        rev = s.rev + 1, next_ms = given.next_ms, last_ms = given.last_ms,
        due_ms = case when given.keep_hold then s.due_ms else given.due_ms end
    from given
    inner join mine on given.id = mine.id
    where s.id = given.id
    returning s.id
),

brought as (
    select v.*
    from
        unnest(
            $7::uuid[], $8::uuid[], $9::uuid[], $10::bigint[], $11::text[], $12::text[],
            $13::int[], $14::text[], $15::text[], $16::uuid[], $17::uuid[], $18::uuid[],
            $19::uuid[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
            $24::bytea[], $25::boolean[]
        ) as v (
            org_id, id, schedule_id, slot_ms, origin, status, attempts, code, detail, session_id,
            message_id, turn_id, workflow_id, created_ms, started_ms, ended_ms, due_ms, asked,
            fresh
        )
    inner join written on v.schedule_id = written.id
),

inserted as (
    insert into scheduler.slot (
        org_id, id, schedule_id, slot_ms, origin, status, attempts, code, detail, session_id,
        message_id, turn_id, workflow_id, created_ms, started_ms, ended_ms, due_ms, asked
    )
    select
        b.org_id, b.id, b.schedule_id, b.slot_ms, b.origin, b.status, b.attempts, b.code,
        b.detail, b.session_id, b.message_id, b.turn_id, b.workflow_id, b.created_ms,
        b.started_ms, b.ended_ms, b.due_ms, b.asked
    from brought as b
    where b.fresh
    on conflict do nothing
),

changed as (
    update scheduler.slot as s
    set
        status = b.status, attempts = b.attempts, code = b.code, detail = b.detail,
        session_id = b.session_id, message_id = b.message_id, turn_id = b.turn_id,
        workflow_id = b.workflow_id, started_ms = b.started_ms, ended_ms = b.ended_ms,
        due_ms = b.due_ms, asked = b.asked
    from brought as b
    where s.id = b.id and not b.fresh
)

select written.id
from written;
