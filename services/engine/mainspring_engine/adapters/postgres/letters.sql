-- name: letters
-- Dead letters of an organization, newest task first, narrowed by whatever is given.
-- repeatable
with told as (
    select
        d.task_id, d.workflow_id, d.session_id, d.reason, d.detail,
        -- Not rounded, which may be later than it is: people ask with what they were told.
        floor(extract(epoch from d.created_at) * 1000)::bigint as died_ms,
        case
            when r.task_id is null then 'open'
            when r.workflow_id is null then 'discarded'
            when r.refusal is not null then 'refused'
            when r.settled_at is not null then 'requeued'
            else 'requeueing'
        end as status,
        r.workflow_id as requeued_as, r.refusal,
        (extract(epoch from r.due_at) * 1000)::bigint as due_ms,
        (extract(epoch from r.ordered_at) * 1000)::bigint as resolved_ms
    from engine.dead_letter as d
    left join engine.resolution as r on d.task_id = r.task_id
    where
        d.org_id = $1
        and ($2::uuid is null or d.task_id = $2)
        and ($3::uuid is null or d.task_id < $3)
        and ($4::text is null or d.reason = $4)
        and ($6::uuid is null or d.session_id = $6)
        and ($7::uuid is null or d.workflow_id = $7)
        and ($8::bigint is null or d.created_at >= to_timestamp($8::double precision / 1000))
        and ($9::bigint is null or d.created_at < to_timestamp($9::double precision / 1000))
)

select
    t.task_id, t.workflow_id, t.session_id, p.step, p.kind,
    t.reason, t.detail, t.died_ms, t.status, t.requeued_as, t.refusal, t.due_ms, t.resolved_ms
from told as t
inner join lateral (
    select
        x.step,
        case
            when x.step = 'workflow' then 'workflow'
            when x.step like 'tool:%' then 'tool'
            when x.step like 'task:%' then 'task'
            when x.step ~ '^[0-9]' then 'step'
            else 'reason'
        end as kind
    from engine.payload as x
    where x.task_id = t.task_id
    limit 1 -- a task has one payload; the limit spares the older partitions -- noqa: AM09
) as p on true
where
    ($5::text is null or p.kind = $5)
    and ($10::text is null or t.status = $10)
    and p.kind <> all($12::text[])
order by t.task_id desc
limit $11;

-- name: resolve
-- Takes orders about dead letters that are open, or whose requeue was refused. Not repeatable: a
-- repeat would find its own first try and say that it was not taken.
with ordered as (
    select o.task_id, o.org_id, o.workflow_id, o.delay_ms
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[])
        as o (task_id, org_id, workflow_id, delay_ms)
),

stamp as materialized (select clock_timestamp() as now),

taken as (
    insert into engine.resolution as r (
        task_id, org_id, session_id, workflow_id, ordered_at, due_at
    )
    select
        d.task_id, d.org_id, d.session_id, o.workflow_id, s.now,
        s.now + o.delay_ms * interval '1 millisecond' as due_at
    from ordered as o
    cross join stamp as s
    inner join engine.dead_letter as d on o.task_id = d.task_id and o.org_id = d.org_id
    where
        not exists (
            select from engine.resolution as x
            where x.workflow_id = o.workflow_id and x.task_id <> o.task_id
        )
    order by d.task_id
    on conflict (task_id) do update
        set
            workflow_id = excluded.workflow_id, ordered_at = excluded.ordered_at,
            due_at = excluded.due_at, tried_at = null, settled_at = null, refusal = null
        where r.refusal is not null
    returning r.task_id, r.org_id
)

select t.task_id, t.org_id from taken as t;

-- name: due
-- Requeues that are due, or those named by $1, stamped as tried; with what their turns begin from.
with due as materialized (
    select r.task_id
    from engine.resolution as r
    where
        r.workflow_id is not null and r.settled_at is null
        and ($1::uuid[] is null or r.task_id = any($1))
        -- Read once, for the index: of many that wait for their time only those that are due.
        and r.due_at <= (
            select case when $1 is null then clock_timestamp() else 'infinity' end
        )
        and (
            $1 is not null
            or coalesce(
                r.tried_at < clock_timestamp() - $2::bigint * interval '1 millisecond', true
            )
        )
    order by r.due_at, r.task_id
    limit $3
    -- Skips what another engine tries at this moment: it is in good hands.
    for no key update skip locked
),

tried as (
    update engine.resolution as r
    set tried_at = clock_timestamp()
    from due as d
    where r.task_id = d.task_id
    returning r.task_id, r.org_id, r.session_id, r.workflow_id, r.due_at
)

select
    t.task_id, t.org_id, t.session_id, t.workflow_id, d.workflow_id as dead_workflow_id,
    w.state, w.config_hash,
    (
        select i.controls from engine.inbox as i
        where i.session_id = t.session_id and i.workflow_id = d.workflow_id
        order by i.seq desc
        limit 1
    ) as controls,
    exists(
        select from engine.workflow as x
        where x.id = t.workflow_id and x.session_id = t.session_id
    ) as taken_up,
    (
        select x.payload from engine.payload as x
        where
            w.id is null and x.task_id = t.workflow_id and x.org_id = t.org_id
            and starts_with(x.step, 'task:')
        limit 1 -- a task has one payload; the limit spares the older partitions -- noqa: AM09
    ) as heir
from tried as t
inner join engine.dead_letter as d on t.task_id = d.task_id
-- A plain task has none.
left join engine.workflow as w on d.workflow_id = w.id
order by t.due_at, t.task_id;

-- name: keep_pace
-- Orders whose first is $1 ms late go on from now at their rate: all that is left of each is due
-- later by as much. Whoever waited for another engine that did so finds its rows moved, and leaves
-- them; all lock in one order.
-- repeatable
with stamp as materialized (select clock_timestamp() as now),

waiting as materialized (
    select
        r.task_id, r.due_at,
        s.now - min(r.due_at) over (partition by r.org_id, r.ordered_at) as late
    from engine.resolution as r
    cross join stamp as s
    where r.workflow_id is not null and r.settled_at is null and r.tried_at is null
),

moved as materialized (
    select r.task_id, w.due_at + w.late as due_at
    from engine.resolution as r
    inner join waiting as w on r.task_id = w.task_id and r.due_at = w.due_at
    where w.late >= $1::bigint * interval '1 millisecond' and r.tried_at is null
    order by r.task_id
    for no key update of r
)

update engine.resolution as r
set due_at = m.due_at
from moved as m
where r.task_id = m.task_id;

-- name: settle
-- Writes down what became of requeues.
-- repeatable
update engine.resolution as r
set settled_at = coalesce(r.settled_at, clock_timestamp()), refusal = s.refusal
from
    unnest($1::uuid[], $2::text[]) as s (task_id, refusal)
where r.task_id = s.task_id and r.workflow_id is not null;

-- name: reopen
-- Takes back an order that nothing can carry out, unless another one has come since.
-- repeatable
delete from engine.resolution as r
where r.task_id = $1 and r.workflow_id = $2 and r.settled_at is null;
