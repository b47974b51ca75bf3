-- name: tasks
-- Open tasks of an organization in the order of their ids, narrowed by whatever is given.
-- repeatable
select
    t.id, t.workflow_id, t.session_id, t.step,
    case t.kind
        when 1 then 'reason' when 2 then 'tool' when 3 then 'workflow'
        when 4 then 'task' else 'step'
    end as kind,
    case t.state
        when 1 then 'ready'
        when 2 then 'leased'
        when 3 then 'delayed'
        else 'waiting'
    end as status,
    case t.effect
        when 1 then 'pure'
        when 2 then 'idempotent'
        when 3 then 'at_most_once'
        else 'verifiable'
    end as effect,
    r.queue, r.capability, r.build, split_part(r.model, E'\n', 1) as model,
    (string_to_array(r.model, E'\n'))[2:] as keys,
    t.priority::int as priority, t.fence,
    (extract(epoch from t.run_at) * 1000)::bigint as due_ms,
    case when t.state = 2 then (extract(epoch from t.claimed_at) * 1000)::bigint end as claimed_ms,
    (extract(epoch from t.lease_until) * 1000)::bigint as lease_until_ms,
    t.incarnation as worker_id, w.name as worker_name,
    t.acknowledged, t.cancelling, t.started_fence > 0 as started,
    t.deaths::int as deaths, t.failures::int as failures, t.uncounted::int as uncounted,
    null::text as closing
from engine.task as t
inner join engine.route as r on t.route = r.id
left join engine.worker as w on t.incarnation = w.incarnation
where
    t.org_id = $1
    and ($2::uuid is null or t.id > $2)
    and ($3::smallint is null or t.state = $3)
    and ($4::smallint is null or t.kind = $4)
    and ($5::text is null or r.queue = $5)
    and ($6::uuid is null or t.session_id = $6)
    and ($7::uuid is null or t.workflow_id = $7)
    and ($8::uuid is null or t.incarnation = $8)
    and ($9::uuid is null or t.id = $9)
order by t.id
limit $10;

-- name: still_open
-- Those of some ids that are running workflows or open tasks, of an organization or of any.
-- repeatable
select w.id from engine.workflow as w
where w.id = any($1::uuid[]) and w.outcome = 0 and ($2::uuid is null or w.org_id = $2)
union all
select t.id from engine.task as t
where t.id = any($1::uuid[]) and ($2::uuid is null or t.org_id = $2);

-- name: closed_window
-- How far down a page of ended tasks reads: the oldest task of the window, if it is full.
-- repeatable
select p.task_id from engine.payload as p
where p.task_id < $1
order by p.task_id desc
limit 1 offset $2;

-- name: closed_tasks
-- The plain tasks of an organization that ended, newest first, within a window of ids.
-- repeatable
select p.task_id, p.step, p.payload from engine.payload as p
where
    p.task_id < $2 and p.task_id >= $3
    and p.org_id = $1
    and starts_with(p.step, 'task:')
    and not exists (
        select from engine.task as t
        where t.id = p.task_id
        offset 0 -- so that no join is made of it, which may read all -- noqa: AM09
    )
order by p.task_id desc
limit $4;

-- name: attempts_of
-- The closed attempts of some tasks, with who made them where the registry still knows.
-- repeatable
select
    a.task_id,
    a.fence, a.incarnation as worker_id, w.name as worker_name, w.build as worker_build,
    (extract(epoch from a.claimed_at) * 1000)::bigint as claimed_ms,
    (extract(epoch from a.closed_at) * 1000)::bigint as closed_ms,
    a.acknowledged, a.started, a.closing::int as closing, a.error_code,
    coalesce(e.message, '') as error_message
from engine.attempt as a
left join engine.worker as w on a.incarnation = w.incarnation
left join engine.attempt_error as e
    on a.task_id = e.task_id and a.fence = e.fence and e.task_id = any($1::uuid[])
where a.task_id = any($1::uuid[])
order by a.task_id, a.fence;

-- name: payload
-- What a task was made with; it outlives the task.
-- repeatable
select p.step, p.payload from engine.payload as p
where p.task_id = $1 and p.org_id = $2;

-- name: session_of
-- The session of a workflow.
-- repeatable
select w.session_id from engine.workflow as w
where w.id = $1 and w.org_id = $2;

-- name: sample_routes
-- Open tasks by route and state, up to $1 of them; how many were read comes with every row.
-- repeatable
with open as materialized (
    select t.route, t.state, t.run_at from engine.task as t
    limit $1 -- any that come will do, and what is cut says so -- noqa: AM09
),

counted as (
    select
        o.route,
        count(*) filter (where o.state = 1) as ready,
        count(*) filter (where o.state = 2) as leased,
        count(*) filter (where o.state = 3) as delayed,
        count(*) filter (where o.state = 4) as waiting,
        min(o.run_at) filter (where o.state = 1) as oldest
    from open as o
    group by o.route
)

select
    r.queue, r.capability, r.build, r.model, c.ready, c.leased, c.delayed, c.waiting,
    coalesce(
        greatest(0, (extract(epoch from clock_timestamp() - c.oldest) * 1000)::bigint), 0
    ) as oldest_ms,
    (select count(*) from open) as read
from counted as c
inner join engine.route as r on c.route = r.id
order by r.queue, r.capability, r.build, r.model;

-- name: sample_seats
-- Attached workers by what they can take and how they are. $1 bounds the beats of replicas, in ms.
-- repeatable
with attached as (
    select
        w.incarnation, w.queues, w.capabilities, w.build, w.slots,
        case
            when w.silent_at is not null then 'silent'
            when w.leaving or w.drained_at is not null then 'draining'
            else 'active'
        end as status
    from engine.worker as w
    inner join engine.replica as r on w.replica = r.id
    where
        w.left_at is null
        and r.seen_at >= clock_timestamp() - $1::bigint * interval '1 millisecond'
),

holding as (
    select t.incarnation, count(*) as held
    from engine.task as t
    where t.state = 2
    group by t.incarnation
)

select
    a.queues, a.capabilities, a.build,
    count(*) filter (where a.status = 'active') as active,
    count(*) filter (where a.status = 'silent') as silent,
    count(*) filter (where a.status = 'draining') as draining,
    coalesce(sum(a.slots) filter (where a.status = 'active'), 0)::bigint as slots,
    coalesce(sum(h.held) filter (where a.status = 'active'), 0)::bigint as held
from attached as a
left join holding as h on a.incarnation = h.incarnation
group by a.queues, a.capabilities, a.build;

-- name: sample_rest
-- Replicas heard of within $1 ms, dead letters nobody has dealt with, and the database's clock.
-- repeatable
select
    (
        select count(*) from engine.replica as r
        where r.seen_at >= clock_timestamp() - $1::bigint * interval '1 millisecond'
    ) as replicas,
    (
        select count(*) from engine.dead_letter as d
        where
            not exists (
                select from engine.resolution as x
                where x.task_id = d.task_id and x.refusal is null
            )
    ) as dead_letters,
    (extract(epoch from clock_timestamp()) * 1000)::bigint as at_ms;

-- name: vitals
-- What vacuum has not taken of the hot tables, and what keeps it: the oldest snapshot that is held.
-- Both horizons are null for a role that may not look at other sessions.
-- repeatable
with held as (
    select
        max(age(a.backend_xmin))::bigint as behind,
        max(extract(epoch from clock_timestamp() - a.xact_start))::float8 as age_s
    from pg_stat_activity as a
    where a.backend_xmin is not null and a.pid <> pg_backend_pid()
),

kept as (
    select max(x.behind)::bigint as behind
    from (
        select age(s.xmin)::bigint as behind from pg_replication_slots as s
        union all
        select age(p.transaction)::bigint as behind from pg_prepared_xacts as p
    ) as x
),

allowed as (select pg_has_role('pg_read_all_stats', 'usage') as look)

select
    t.schemaname || '.' || t.relname as collection,
    t.n_dead_tup as dead_rows,
    case when w.look then coalesce(h.age_s, 0) end as horizon_s,
    case
        when w.look then greatest(coalesce(h.behind, 0), coalesce(k.behind, 0))
    end as horizon_behind
from pg_stat_user_tables as t
cross join held as h
cross join kept as k
cross join allowed as w
where (t.schemaname, t.relname) in (
    ('engine', 'task'), ('engine', 'workflow'), ('engine', 'inbox'), ('engine', 'timer'),
    ('log', 'head')
)
order by collection;
