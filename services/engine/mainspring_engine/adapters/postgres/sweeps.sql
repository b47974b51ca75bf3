-- name: ready_retries
-- Makes due delayed tasks ready; one route per task. Stamps the sweep in the same statement.
-- Of the suspects, which died twice, one of each queue at a time: whoever dies beside the one that
-- ends its workers would be set aside with it. A trial holds up the others for $2 ms.
with stamped as (
    insert into engine.sweep (kind, swept_at) values ('retries', clock_timestamp())
    on conflict (kind) do update set swept_at = excluded.swept_at
),

due as materialized (
    -- Skips what another sweep or a commit holds: it is theirs, or the next pass will see it.
    select t.id
    from engine.task as t
    -- The clock is read once: an index is not asked by one that moves.
    where
        t.state = 3 and t.run_at <= (select clock_timestamp()) and not t.cancelling
        and t.deaths < 2
    order by t.run_at
    limit $1
    for no key update skip locked
),

suspects as materialized (
    select t.id, r.queue, t.state, t.cancelling, t.run_at, greatest(t.run_at, t.claimed_at) as since
    from engine.task as t
    inner join engine.route as r on t.route = r.id
    where t.deaths >= 2
    order by t.state, t.run_at
    limit $3
),

trials as materialized (
    -- The eldest, without a lock: two sweeps choose the same one, and the second finds it ready.
    select distinct on (s.queue) s.id
    from suspects as s
    where
        s.state = 3 and s.run_at <= (select clock_timestamp()) and not s.cancelling
        and not exists (
            select from suspects as x
            where
                x.queue = s.queue and x.state <= 2
                and x.since > (select clock_timestamp()) - $2::bigint * interval '1 millisecond'
        )
    order by s.queue, s.run_at, s.id
),

late as materialized (
    -- Nobody took it while it was its turn: else all that wait so would be given to who comes.
    select s.id
    from suspects as s
    where
        s.state = 1
        and s.since <= (select clock_timestamp()) - $2::bigint * interval '1 millisecond'
        and exists (select from suspects as x where x.queue = s.queue and x.state = 3)
),

put_back as (
    update engine.task as t
    set state = 3, rev = t.rev + 1, run_at = clock_timestamp()
    where t.id = any(array(select l.id from late as l)) and t.state + 0 = 1
),

made_ready as (
    update engine.task as t
    set
        state = 1, rev = t.rev + 1,
        -- A trial begins now.
        run_at = case when t.deaths >= 2 then clock_timestamp() else t.run_at end
    from (
        select x.id from due as x
        union all
        select x.id from trials as x
    ) as d
    where
        d.id = t.id and t.state + 0 = 3
        and t.id = any(
            array(select x.id from due as x) || array(select x.id from trials as x)
        )
    returning t.route
)

select m.route from made_ready as m;

-- name: due_timers
-- Timers that are due, oldest first, read without a lock: they fire through the commit lane. With
-- plain tasks that were to be taken by now. Without the timers of $2, which the caller is about.
-- Stamps the sweep in the same statement.
-- repeatable
with stamped as (
    insert into engine.sweep (kind, swept_at) values ('timers', clock_timestamp())
    on conflict (kind) do update set swept_at = excluded.swept_at
)

select d.id, d.workflow_id, d.session_id, d.org_id, d.kind
from (
    (
        select t.id, t.workflow_id, t.session_id, t.org_id, t.kind, t.due_at
        from engine.timer as t
        where
            t.due_at <= (select clock_timestamp()) -- once, for the index
            and t.id <> all($2::uuid[])
        order by t.due_at
        limit $1
    )
    union all
    (
        select
            b.task_id as id, b.task_id as workflow_id, b.task_id as session_id, b.org_id,
            'plain_start' as kind, b.due_at
        from engine.start_bound as b
        where b.due_at <= (select clock_timestamp())
        order by b.due_at
        limit $1
    )
) as d
order by d.due_at
limit $1;

-- name: ended_lately
-- Attempts that closed at most $1 ms ago, newest first, at most $2, with their workflows. Of tasks
-- made at most $3 ms ago, which is a range of the key: nothing indexes when an attempt closed.
-- repeatable
select
    a.task_id, a.fence, a.closing, w.id as workflow_id, w.session_id, w.org_id, w.outcome,
    w.config_hash, w.traceparent, w.started_ms,
    (extract(epoch from a.claimed_at) * 1000)::bigint as claimed_ms,
    (extract(epoch from a.closed_at) * 1000)::bigint as ended_ms
from engine.attempt as a
inner join engine.workflow as w on a.workflow_id = w.id
where
    a.task_id >= (
        select
            (
                lpad(
                    to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint - $3::bigint),
                    12, '0'
                ) || repeat('0', 20)
            )::uuid
    )
    and a.closed_at
    >= (select clock_timestamp() - $1::bigint * interval '1 millisecond')
order by a.closed_at desc
limit $2;

-- name: sweep_ages
-- How long ago each kind of sweep was made.
-- repeatable
select kind, (extract(epoch from clock_timestamp() - swept_at) * 1000)::bigint as age_ms
from engine.sweep;

-- name: make_partitions
-- Makes the wide tables' partitions from $1 ms behind to $2 ms ahead; says how many were missing.
-- repeatable
select engine.make_partitions_v1(
    (extract(epoch from clock_timestamp()) * 1000)::bigint - $1::bigint,
    (extract(epoch from clock_timestamp()) * 1000)::bigint + $2::bigint
) as made;

-- name: forget_keys
-- Removes idempotency keys older than $1 ms, oldest first, at most $2; says how many.
-- repeatable
select engine.forget_keys_v1($1::bigint, $2::int) as forgotten;

-- name: epoch
-- The log's epoch, which positions on the bus carry.
-- repeatable
select log.epoch_v1()::int as epoch;
