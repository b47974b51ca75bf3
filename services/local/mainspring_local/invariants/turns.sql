-- Turns and what they hold. One row each: see checks.py beside this file.

-- name: turns_have_one_outcome
-- An ended turn has one outcome event of its kind, after its start; one that goes on has none.
with told as (
    select
        turn_id,
        count(*) filter (where type in ('turn.started', 'workflow.started')) as starts,
        min(seq) filter (where type in ('turn.started', 'workflow.started')) as started,
        count(*) filter (where type not in ('turn.started', 'workflow.started')) as outcomes,
        max(seq) filter (where type not in ('turn.started', 'workflow.started')) as ended,
        max(type) filter (where type not in ('turn.started', 'workflow.started')) as outcome
    from log.event
    where
        turn_id is not null
        and type in (
            'turn.started', 'turn.completed', 'turn.failed', 'turn.cancelled', 'turn.sealed',
            'workflow.started', 'workflow.completed', 'workflow.failed', 'workflow.cancelled'
        )
    group by turn_id
),

examined as (
    select
        w.id,
        coalesce(t.starts, 0) = 1
        and coalesce(t.outcomes, 0) = (w.outcome <> 0)::int
        and coalesce(t.ended > t.started, w.outcome = 0)
        and coalesce(t.outcome, '') = case w.outcome
            when 1 then k.kind || '.completed'
            when 2 then k.kind || '.failed'
            when 3 then k.kind || '.cancelled'
            when 4 then k.kind || '.sealed'
            else ''
        end as holds
    from engine.workflow as w
    -- A user's workflow has no configuration.
    cross join
        lateral (select case when w.config_hash = '' then 'workflow' else 'turn' end as kind) as k
    left join told as t on w.id = t.turn_id
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: nothing_follows_an_outcome
-- After a turn's outcome only its closing group bears its id.
with turns as (
    select
        turn_id,
        min(seq) filter (
            where type in (
                'turn.completed', 'turn.failed', 'turn.cancelled', 'turn.sealed',
                'workflow.completed', 'workflow.failed', 'workflow.cancelled'
            )
        ) as ended,
        max(seq) filter (
            where
            type not in ('session.idled', 'input.message', 'output.message.completed')
        ) as last
    from log.event
    where turn_id is not null
    group by session_id, turn_id
),

examined as (
    select
        turn_id,
        last <= ended as holds
    from turns
    where ended is not null
)

select
    count(*) as examined,
    coalesce(
        (array_agg(turn_id::text order by turn_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: one_turn_at_a_time
-- A session has one running turn at most, the newest, which its head names; ordinals are 1..n.
with counted as (
    select
        session_id,
        count(*) as turns,
        max(ordinal) as newest,
        count(*) filter (where outcome = 0) as going_on,
        max(ordinal) filter (where outcome = 0) as going_on_ordinal
    from engine.workflow
    group by session_id
),

examined as materialized (
    select
        h.session_id,
        coalesce(c.going_on, 0) = (h.active_turn is not null)::int
        and coalesce(c.newest = c.turns, true)
        and coalesce(c.going_on_ordinal = c.newest, true)
        and (
            h.active_turn is null
            or exists (
                select from engine.workflow as w
                where w.id = h.active_turn and w.session_id = h.session_id and w.outcome = 0
            )
        ) as holds
    from log.head as h
    left join counted as c on h.session_id = c.session_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(session_id::text order by session_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: ended_turns_hold_nothing
-- No task, timer or wait belongs to a turn or workflow that has ended, or to none. A plain task
-- is of kind 4, and belongs to itself.
with kept as (
    select
        id,
        workflow_id
    from engine.task
    where kind <> 4
    union all
    select
        workflow_id as id,
        workflow_id
    from engine.wait
    union all
    select
        id,
        workflow_id
    from engine.timer
),

examined as materialized (
    select
        k.id,
        exists(
            select from engine.workflow as w
            where w.id = k.workflow_id and w.outcome = 0)
            as holds
    from kept as k
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: running_turns_wait_for_something
-- What goes on has a task, a timer or a wait for a signal, so that something will move it; or a
-- budget has paused it, and people will.
with moving as (
    select workflow_id as id from engine.task
    union
    select workflow_id as id from engine.timer
    union
    select workflow_id as id from engine.wait
    union
    select active_turn as id from log.head
    where paused
),

examined as (
    select
        w.id,
        m.id is not null as holds
    from engine.workflow as w
    left join moving as m on w.id = m.id
    where w.outcome = 0
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: timers_fire_in_time
-- No timer is overdue by more than 2 s; after an outage this holds once the sweeps caught up.
with examined as (
    select
        id,
        due_at > now() - interval '2 seconds' as holds
    from engine.timer
    union all
    select
        task_id as id,
        due_at > now() - interval '2 seconds' as holds
    from engine.start_bound
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: organizations_agree
-- Every row belongs to the organization of what it hangs on.
with of_turns as (
    select
        id,
        org_id,
        workflow_id
    from engine.task
    union all
    select
        id,
        org_id,
        workflow_id
    from engine.timer
    union all
    select
        workflow_id as id,
        org_id,
        workflow_id
    from engine.wait
    union all
    select
        workflow_id as id,
        org_id,
        workflow_id
    from engine.start
    union all
    select
        task_id as id,
        org_id,
        workflow_id
    from engine.attempt
    union all
    select
        task_id as id,
        org_id,
        workflow_id
    from engine.step_result
    union all
    select
        task_id as id,
        org_id,
        workflow_id
    from engine.effect
    union all
    select
        task_id as id,
        org_id,
        workflow_id
    from engine.dead_letter
),

of_sessions as (
    select
        id,
        org_id,
        session_id
    from engine.workflow
    union all
    select
        message_id as id,
        org_id,
        session_id
    from engine.inbox
),

-- A plain task is its own workflow, and belongs to the one its payload was made for.
parents as (
    select
        id,
        org_id
    from engine.workflow
    union all
    select
        task_id as id,
        org_id
    from engine.payload
    where step like 'task:%'
),

edges as (
    select
        child.id,
        coalesce(child.org_id = parent.org_id, false) as holds
    from of_turns as child
    left join parents as parent on child.workflow_id = parent.id
    union all
    select
        child.id,
        coalesce(child.org_id = parent.org_id, false) as holds
    from of_sessions as child
    left join log.head as parent on child.session_id = parent.session_id
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from edges;

-- name: turns_follow_each_other
-- A turn starts behind the outcome of the one before it.
with told as (
    select
        turn_id,
        min(seq) filter (where type in ('turn.started', 'workflow.started')) as started,
        max(seq) filter (where type not in ('turn.started', 'workflow.started')) as ended
    from log.event
    where
        turn_id is not null
        and type in (
            'turn.started', 'turn.completed', 'turn.failed', 'turn.cancelled', 'turn.sealed',
            'workflow.started', 'workflow.completed', 'workflow.failed', 'workflow.cancelled'
        )
    group by turn_id
),

examined as (
    select
        later.id,
        coalesce(t.started > b.ended, false) as holds
    from engine.workflow as later
    inner join engine.workflow as before
        on later.session_id = before.session_id and later.ordinal = before.ordinal + 1
    left join told as t on later.id = t.turn_id
    left join told as b on before.id = b.turn_id
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: heads_say_what_their_events_say
-- A head names a turn if and only if its newest start of a turn has no outcome behind it.
with told as (
    select
        session_id,
        max(seq) filter (where type in ('turn.started', 'workflow.started')) as started,
        max(seq) filter (where type not in ('turn.started', 'workflow.started')) as ended
    from log.event
    where
        type in (
            'turn.started', 'turn.completed', 'turn.failed', 'turn.cancelled', 'turn.sealed',
            'workflow.started', 'workflow.completed', 'workflow.failed', 'workflow.cancelled'
        )
    group by session_id
),

examined as (
    select
        h.session_id,
        (h.active_turn is not null) = (coalesce(t.started, 0) > coalesce(t.ended, 0)) as holds
    from log.head as h
    inner join told as t on h.session_id = t.session_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(session_id::text order by session_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;
