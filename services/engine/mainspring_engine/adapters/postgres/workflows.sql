-- name: commit_workflows
-- As commit, for a flight with starts, recorded steps, waits or signals; see the function.
select
    now_ms, verdicts, deltas_before, closes, marks, emits, unclaimed, known, heads, workflows,
    inbox, starts
from engine.commit_workflows_v1(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
    $18, $19, $20, $21, $22, $23
);

-- name: commit_workflows_whole
-- Writes such a flight as a whole or not at all; now_ms is null where it does not fit.
select now_ms, deltas_before, closes, unclaimed
from engine.commit_workflows_whole_v1(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
    $16, $17, $18, $19, $20, $21, $22
);

-- name: waits
-- What workflows wait for.
-- repeatable
select workflow_id, step, timer_id, body
from engine.wait
where workflow_id = any($1::uuid[])
order by workflow_id, step;

-- name: signals
-- Signals to workflows that nothing took: of parents and children, then people's, oldest first. At
-- most $2 of each; what one says alone up to $3 bytes.
-- repeatable
select
    s.session_id, s.source_turn, s.kind, s.size,
    case when s.size <= $3::int then s.body end as body
from unnest($1::uuid[]) as w (workflow_id)
cross join
    lateral (
        select
            x.session_id, x.source_turn, x.kind, x.body, octet_length(x.body) as size,
            x.created_at, x.kind like 'signal:%' as of_people
        from engine.signal as x
        where x.session_id = w.workflow_id and x.consumed_by is null
        order by of_people, x.created_at, x.source_turn
        limit $2
    ) as s
order by s.session_id, s.of_people, s.created_at, s.source_turn;

-- name: said
-- What signals of a session said, taken or not; $2 and $3 are their sources and kinds.
-- repeatable
select s.source_turn, s.kind, s.body
from unnest($2::uuid[], $3::text[]) as w (source_turn, kind)
inner join engine.signal as s on w.source_turn = s.source_turn and w.kind = s.kind
where s.session_id = $1;

-- name: signal_body
-- What one signal said, taken or not.
-- repeatable
select s.body
from engine.signal as s
where s.session_id = $1 and s.source_turn = $2 and s.kind = $3;

-- name: untaken
-- Signals between sessions that lie longer than $1 ms, oldest first, for their lanes to take, each
-- counted as tried: it comes again later and later, at most $4 ms, and not once it was tried $3
-- times.
with due as materialized (
    select s.session_id, s.source_turn, s.kind
    from engine.signal as s
    where
        s.consumed_by is null
        and s.kind in ('child:start', 'child:ended', 'child:cancel')
        -- once, for the index
        and s.created_at < (select clock_timestamp() - $1::bigint * interval '1 millisecond')
        and s.tries < $3
        and coalesce(
            s.tried_at < clock_timestamp()
            - least($4::bigint, 1000 * (1 << least(s.tries, 20))) * interval '1 millisecond',
            true
        )
    order by s.created_at
    limit $2
    -- Skips what a commit takes at this moment, and what another sweep brings.
    for no key update skip locked
)

update engine.signal as s
set tries = s.tries + 1, tried_at = clock_timestamp()
from due as d
where
    s.session_id = d.session_id and s.source_turn = d.source_turn and s.kind = d.kind
    and s.session_id = any(array(select x.session_id from due as x))
returning s.session_id, s.org_id, s.source_turn as source, s.kind, s.tries::int as tries;

-- name: recorded
-- A page of a workflow's recorded steps: $3 rows and about $4 bytes at most, one row at least.
-- repeatable
select p.body, p.before_it < $4::bigint as fits, p.n
from (
    select
        s.body, s.step,
        sum(octet_length(s.body)) over (order by s.step) - octet_length(s.body) as before_it,
        row_number() over (order by s.step) as n
    from (
        select r.step, r.body
        from engine.step_result as r
        where r.workflow_id = $1 and r.checkpoint and r.step > $2::text
        order by r.step
        limit $3::int + 1
    ) as s
) as p
where p.before_it < $4::bigint
order by p.step;

-- name: recorded_at
-- The same of what is recorded at the places $2 alone.
-- repeatable
select p.body, p.before_it < $4::bigint as fits, p.n
from (
    select
        s.body, s.step,
        sum(octet_length(s.body)) over (order by s.step) - octet_length(s.body) as before_it,
        row_number() over (order by s.step) as n
    from (
        select r.step, r.body
        from engine.step_result as r
        where r.workflow_id = $1 and r.checkpoint and r.step = any($2::text[])
        order by r.step
        limit $3::int + 1
    ) as s
) as p
where p.before_it < $4::bigint
order by p.step;

-- name: fork_extent
-- How much a fork up to the bound $2 would copy, counted up to $3, and whether that place has its
-- record.
-- repeatable
select
    count(*) as steps,
    coalesce(
        (
            select r.checkpoint from engine.step_result as r
            where r.workflow_id = $1 and r.step = $2
        ),
        false
    ) as recorded
from (
    select s.step
    from engine.step_result as s
    where s.workflow_id = $1 and s.checkpoint and engine.place_before(s.step, $2::text)
    order by s.step
    limit $3
) as n;

-- name: workflow
-- One workflow of an organization, with its outcome and what it waits for.
-- repeatable
select
    w.id, w.session_id, w.org_id, w.ordinal, w.rev, w.outcome, w.state, w.config_hash,
    w.traceparent, w.started_ms, s.type, s.key, s.queue,
    (
        select r.body from engine.step_result as r
        where r.workflow_id = w.id and r.step = 'workflow'
        limit 1 -- a step has one result; the limit spares the older partitions -- noqa: AM09
    ) as outcome_body,
    array(
        select x.body from engine.wait as x where x.workflow_id = w.id order by x.step
    ) as wait_bodies,
    array(
        select x.timer_id from engine.wait as x where x.workflow_id = w.id order by x.step
    ) as wait_timers
from engine.start as s
inner join engine.workflow as w on s.workflow_id = w.id
where s.workflow_id = $2 and s.org_id = $1;

-- name: list_workflows
-- Workflows of an organization, newest first, with what failed ones told. $4 are outcomes.
-- repeatable
select
    w.id, w.session_id, w.org_id, w.ordinal, w.rev, w.outcome, w.state, w.config_hash,
    w.traceparent, w.started_ms, s.type, s.key, s.queue,
    case
        when w.outcome in (2, 4)
            then (
                select r.body from engine.step_result as r
                where r.workflow_id = w.id and r.step = 'workflow'
                limit 1 -- of a step there is one; it spares older partitions -- noqa: AM09
            )
    end as outcome_body
from engine.start as s
inner join engine.workflow as w on s.workflow_id = w.id
where
    s.org_id = $1
    and ($2::text is null or s.type = $2)
    and ($3::uuid is null or s.workflow_id < $3)
    and ($4::smallint[] is null or w.outcome = any($4))
order by s.workflow_id desc
limit $5;

-- name: list_of_key
-- The same of the one that has a key: apart, so that no plan for any key looks through them all.
-- repeatable
select
    w.id, w.session_id, w.org_id, w.ordinal, w.rev, w.outcome, w.state, w.config_hash,
    w.traceparent, w.started_ms, s.type, s.key, s.queue,
    case
        when w.outcome in (2, 4)
            then (
                select r.body from engine.step_result as r
                where r.workflow_id = w.id and r.step = 'workflow'
                limit 1 -- of a step there is one; it spares older partitions -- noqa: AM09
            )
    end as outcome_body
from engine.start as s
inner join engine.workflow as w on s.workflow_id = w.id
where
    s.org_id = $1
    and s.key = $5
    and ($2::text is null or s.type = $2)
    and ($3::uuid is null or s.workflow_id < $3)
    and ($4::smallint[] is null or w.outcome = any($4));
