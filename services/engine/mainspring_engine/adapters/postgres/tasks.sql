-- name: open_tasks
-- The open tasks of workflows, read without a lock.
-- repeatable
select
    workflow_id, id, kind, state, fence, effect, started_fence > 0 as started, cancelling, deaths,
    failures, uncounted, incarnation
from engine.task
where workflow_id = any($1::uuid[])
order by workflow_id, id;

-- name: claim
-- Gives ready tasks to workers; see the function.
select
    c.task_id, c.fence, c.route, c.session_id, c.workflow_id, c.org_id, c.priority, c.payload,
    c.config_hash, c.traceparent, c.failures, c.incarnation, c.started,
    case when c.fence > 1 then engine.progress_of_v1(c.task_id, $8) else '{}' end as progress
from engine.claim_v2($1, $2, $3, $4, $5, $6, $7) as c;

-- name: ready_groups
-- The board's version, and the groups that have ready tasks; see the function.
-- repeatable
select b.version, g.route, g.org_id, g.priority, g.from_id
from engine.board as b
left join engine.ready_groups_v1($1, $2, $3, $4) as g on true;

-- name: depths
-- How many tasks of each group wait, counted from its mark on and up to its depth.
-- repeatable
select
    (
        select count(*)
        from (
            select 1 as one
            from engine.task as t
            where
                t.state = 1 and t.route = g.route and t.org_id = g.org_id
                and t.priority = g.priority and t.id >= g.from_id
            order by t.id
            limit g.depth
        ) as x
    )::int as depth
from unnest($1::engine.claim_group[]) with ordinality as g
order by g.ordinality;

-- name: renew
-- Renews leases older than $4 ms, acknowledges new ones, and says for all whether they are held.
-- `state + 0`: by the primary key alone. The index of leased tasks has an entry for each row that a
-- held snapshot keeps, and after an analyse of a queue at rest it looked cheap: 176 ms a beat.
-- repeatable
with asked as materialized (
    select a.task_id, a.fence, a.incarnation, a.n
    from unnest($1::uuid[], $2::int[], $3::uuid[]) with ordinality
        as a (task_id, fence, incarnation, n)
),

stamp as materialized (select clock_timestamp() as now),

due as materialized (
    -- Skips tasks in a commit's or a sweep's hand: it ends them, or the next beat renews them.
    select t.id
    from engine.task as t
    inner join asked as a on t.id = a.task_id
    where
        t.id = any($1::uuid[])
        and t.state + 0 = 2 and t.fence = a.fence and t.incarnation = a.incarnation
        and (
            not t.acknowledged
            or t.stamped_at < clock_timestamp() - $4::bigint * interval '1 millisecond'
        )
    order by t.id
    limit cardinality($1::uuid[])
    for no key update of t skip locked
),

renewed as (
    update engine.task as t
    set
        lease_until = s.now + $5::bigint * interval '1 millisecond',
        stamped_at = s.now,
        acknowledged = true,
        rev = t.rev + 1
    from due as d
    cross join stamp as s
    where t.id = d.id and t.id = any($1::uuid[])
)

select
    a.n,
    t.id is null as lost,
    coalesce(t.cancelling, false) as cancelling
from asked as a
left join engine.task as t
    on
        a.task_id = t.id
        and t.state + 0 = 2 and a.fence = t.fence and a.incarnation = t.incarnation
        and t.id = any($1::uuid[])
order by a.n;

-- name: acknowledge
-- Marks attempts as acknowledged for workers whose stream broke or fell silent after it carried the
-- task. The lease stays as it is.
-- repeatable
with asked as materialized (
    select a.task_id, a.fence, a.incarnation, a.attach_number
    from unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[])
        as a (task_id, fence, incarnation, attach_number)
),

locked as materialized (
    -- Waits: whoever holds a row now ends its attempt, or leaves it to be marked.
    select t.id
    from engine.task as t
    inner join asked as a on t.id = a.task_id
    where
        t.id = any($1::uuid[])
        and t.state + 0 = 2 and t.fence = a.fence and not t.acknowledged
        and t.incarnation = a.incarnation and t.attach_number = a.attach_number
    order by t.id
    for no key update of t
)

update engine.task as t
set acknowledged = true, rev = t.rev + 1
from locked as l
where t.id = l.id and t.id = any($1::uuid[]);

-- name: lapse
-- Ends leases of workers whose stream broke, and says which: a worker that came back keeps its own.
-- repeatable
with asked as materialized (
    select a.task_id, a.fence, a.incarnation, a.attach_number, a.n
    from unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[]) with ordinality
        as a (task_id, fence, incarnation, attach_number, n)
),

locked as materialized (
    -- Waits: whoever holds a row now ends its attempt, or leaves it to be ended here.
    select t.id, a.n
    from engine.task as t
    inner join asked as a on t.id = a.task_id
    where
        t.id = any($1::uuid[])
        and t.state + 0 = 2 and t.fence = a.fence
        and t.incarnation = a.incarnation and t.attach_number = a.attach_number
    order by t.id
    for no key update of t
),

stamp as materialized (select clock_timestamp() as now),

lapsed as (
    -- A lease is as long as it was stamped for, so it is dated back as a whole.
    update engine.task as t
    set
        lease_until = least(t.lease_until, s.now),
        stamped_at = t.stamped_at - greatest(t.lease_until - s.now, interval '0'),
        rev = t.rev + 1
    from locked as l
    cross join stamp as s
    where t.id = l.id and t.id = any($1::uuid[])
)

select l.n is not null as lapsed
from asked as a
left join locked as l on a.n = l.n
order by a.n;

-- name: start
-- Marks effects as started, under the tasks' locks. Verdicts: 1 committed, 2 duplicate, 3 stale.
-- repeatable
with asked as materialized (
    select a.task_id, a.fence, a.incarnation, a.n
    from unnest($1::uuid[], $2::int[], $3::uuid[]) with ordinality
        as a (task_id, fence, incarnation, n)
),

locked as materialized (
    select t.id, t.fence, t.state, t.incarnation, t.effect, t.started_fence, t.cancelling
    from engine.task as t
    where t.id = any($1::uuid[])
    order by t.id
    for no key update
),

judged as materialized (
    select
        a.n, a.task_id,
        case
            when l.id is null or l.state <> 2 or l.cancelling then 3
            when l.fence <> a.fence or l.incarnation <> a.incarnation then 3
            when l.started_fence = a.fence then 2
            -- Never by a second attempt: what the first one did is asked, not done again.
            when l.effect >= 3 and l.started_fence > 0 then 3
            else 1
        end as verdict
    from asked as a
    left join locked as l on a.task_id = l.id
),

started as (
    update engine.task as t
    set started_fence = t.fence, acknowledged = true, rev = t.rev + 1
    from judged as j
    where j.verdict = 1 and t.id = j.task_id and t.id = any($1::uuid[])
    returning t.workflow_id, t.step, t.fence, t.rev, t.effect
),

effects as (
    update engine.effect as e
    set state = 2, fence = s.fence, rev = s.rev, started_at = clock_timestamp()
    from started as s
    where s.effect >= 3 and e.workflow_id = s.workflow_id and e.step = s.step
)

select j.verdict from judged as j order by j.n;

-- name: attach
-- Writes the one row per incarnation, renews what it lists, releases what it does not.
-- repeatable
select incarnation, kind, task_id, fence
from engine.attach_v1($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: expired
-- Leases that ran out; none soon after the server's own start, for its outage was nobody's death.
-- Without the tasks of $3, which the caller is about.
-- Stamps the sweep in the same statement.
-- repeatable
with stamped as (
    insert into engine.sweep (kind, swept_at) values ('leases', clock_timestamp())
    on conflict (kind) do update set swept_at = excluded.swept_at
),

overdue as materialized (
    -- Before the join, which the planner would else begin with every workflow there is.
    select
        t.session_id, t.workflow_id, t.org_id, t.acknowledged,
        t.id, t.kind, t.state, t.fence, t.effect, t.started_fence > 0 as started, t.cancelling,
        t.deaths, t.failures, t.uncounted, t.incarnation, t.lease_until,
        (extract(epoch from t.claimed_at) * 1000)::bigint as claimed_ms
    from engine.task as t
    where
        t.state = 2
        and t.lease_until < clock_timestamp()
        and clock_timestamp() > pg_postmaster_start_time() + $2::bigint * interval '1 millisecond'
        and t.id <> all($3::uuid[])
    order by t.lease_until
    limit $1
)

select
    t.session_id, t.workflow_id, t.org_id, t.acknowledged, t.id, t.kind, t.state, t.fence,
    t.effect, t.started, t.cancelling, t.deaths, t.failures, t.uncounted, t.incarnation,
    t.claimed_ms, coalesce(w.traceparent, '') as traceparent
from overdue as t
left join engine.workflow as w on t.workflow_id = w.id
order by t.lease_until;

-- name: held_by
-- Everything that an incarnation holds.
-- repeatable
select
    t.session_id, t.workflow_id, t.org_id, t.acknowledged,
    t.id, t.kind, t.state, t.fence, t.effect, t.started_fence > 0 as started, t.cancelling,
    t.deaths, t.failures, t.uncounted, t.incarnation, coalesce(w.traceparent, '') as traceparent,
    (extract(epoch from t.claimed_at) * 1000)::bigint as claimed_ms
from engine.task as t
left join engine.workflow as w on t.workflow_id = w.id
where t.state = 2 and t.incarnation = $1
order by t.id;

-- name: release
-- Makes leased tasks ready again and closes their attempts; says which, under the tasks' locks.
-- One whose attempt ended as no death rests for as long as $9 says by how many such it had; behind
-- the last of them it stays with its lease, which the sweep finds. A suspect, which may die once
-- more, waits until the sweep of retries has it tried.
with asked as materialized (
    select *
    from unnest(
        $1::uuid[], $2::int[], $3::smallint[], $4::boolean[], $5::boolean[], $6::boolean[],
        $7::uuid[], $8::bigint[]
    ) with ordinality as a (
        task_id, fence, closing, counts_death, expired_only, unstarted_only, incarnation,
        attach_number, n
    )
),

stamp as materialized (select clock_timestamp() as now),

locked as materialized (
    select
        t.id, t.fence, t.state, t.incarnation, t.attach_number, t.started_fence, t.lease_until,
        t.cancelling, t.acknowledged, t.uncounted
    from engine.task as t
    where t.id = any($1::uuid[])
    order by t.id
    for no key update
),

fit as materialized (
    select distinct on (a.task_id)
        a.n, a.task_id, a.closing,
        -- Only an attempt that was acknowledged can die.
        a.counts_death and l.acknowledged as dies,
        ($9::int[])[l.uncounted + 1] as rest_ms
    from asked as a
    inner join locked as l on a.task_id = l.id
    where
        l.state = 2 and l.fence = a.fence
        -- Nothing re-readies the tasks of a cancelling workflow; the commit lane ends them.
        and not l.cancelling
        and (not a.unstarted_only or l.started_fence < l.fence)
        and (not a.expired_only or l.lease_until < clock_timestamp())
        and (a.incarnation is null or l.incarnation = a.incarnation)
        and (a.attach_number is null or l.attach_number = a.attach_number)
        and ((a.counts_death and l.acknowledged) or l.uncounted < cardinality($9::int[]))
    order by a.task_id, a.n
),

released as (
    update engine.task as t
    set
        state = case
            when f.dies then case when t.deaths + 1 >= 2 then 3 else 1 end
            when f.rest_ms = 0 then 1
            else 3
        end,
        run_at = s.now + case when f.dies then 0 else f.rest_ms end * interval '1 millisecond',
        rev = t.rev + 1,
        lease_until = null,
        incarnation = null,
        attach_number = null,
        acknowledged = false,
        deaths = t.deaths + f.dies::int,
        died = case when f.dies then array_append(t.died, t.fence) else t.died end,
        uncounted = t.uncounted + (not f.dies)::int
    from fit as f
    cross join stamp as s
    where t.id = f.task_id and t.id = any($1::uuid[])
    returning
        t.id, t.fence, t.workflow_id, t.org_id, t.step, old.incarnation, old.attach_number,
        t.claim_rev, t.rev, t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
        t.started_fence, f.closing, s.now
),

attempts as (
    insert into engine.attempt (
        task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
        close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started, closing
    )
    select
        r.id, r.fence, r.workflow_id, r.org_id, r.step, r.incarnation, r.attach_number, r.claim_rev,
        r.rev, r.claimed_at, r.now, r.stamped_at, r.lease_until, r.acknowledged,
        r.started_fence = r.fence as started, r.closing
    from released as r
)

select f.n is not null as released
from asked as a
left join fit as f on a.n = f.n
order by a.n;
