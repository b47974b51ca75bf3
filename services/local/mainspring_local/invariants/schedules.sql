-- Schedules and their slots. One row each: see checks.py beside this file.

-- name: slots_have_what_they_began
-- A slot that was begun has its message in its session, or its workflow, while these are kept.
with examined as materialized (
    select
        s.id,
        case
            when s.turn_id is not null
                then
                    exists (
                        select from engine.inbox as i
                        where i.session_id = s.session_id and i.message_id = s.message_id
                    )
                    or not exists (
                        select from log.head as h
                        where h.session_id = s.session_id and not h.closed
                    )
            else exists (select from engine.workflow as w where w.id = s.workflow_id)
        end as holds
    from scheduler.slot as s
    where s.started_ms is not null
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: messages_of_slots_are_their_own
-- No two slots sent one message: each of them was a firing of its own.
with examined as (
    select
        s.message_id,
        count(*) = 1 as holds
    from scheduler.slot as s
    where s.message_id is not null
    group by s.message_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(message_id::text order by message_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: ended_slots_wait_for_nothing
-- A slot has ended, with a status that says so and nothing due, or it is open.
with examined as (
    select
        s.id,
        case
            when s.status in ('waiting', 'buffered', 'starting', 'running') then s.ended_ms is null
            else s.ended_ms is not null and s.due_ms is null
        end as holds
    from scheduler.slot as s
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;
