-- Tasks, attempts and results. One row each: see checks.py beside this file.

-- name: fences_are_dense
-- The attempts of a task bear the fences 1..n, and the live one is the next.
with counted as (
    select
        task_id,
        count(*) as closed,
        max(fence) as highest
    from engine.attempt
    group by task_id
),

examined as (
    select
        coalesce(c.task_id, t.id) as id,
        coalesce(c.highest, 0) = coalesce(c.closed, 0)
        and (t.id is null or t.fence = coalesce(c.closed, 0) + (t.state = 2)::int) as holds
    from counted as c
    full join engine.task as t on c.task_id = t.id
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: attempts_do_not_overlap
-- An attempt was closed before the next claim, by the task's rev or by the database's clock.
with claims as (
    select
        task_id,
        fence,
        claim_rev,
        claimed_at,
        close_rev,
        lease_until
    from engine.attempt
    union all
    select
        id,
        fence,
        claim_rev,
        claimed_at,
        null as close_rev,
        null as lease_until
    from engine.task
    where state = 2
),

examined as (
    select
        task_id,
        lag(close_rev) over by_fence < claim_rev
        or lag(lease_until) over by_fence < claimed_at as holds
    from claims
    window by_fence as (partition by task_id order by fence)
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: results_bear_the_highest_fence
-- No claim of a higher fence lies before the write of a step result.
with claims as (
    select
        task_id,
        fence,
        claim_rev
    from engine.attempt
    union all
    select
        id,
        fence,
        claim_rev
    from engine.task
    where state = 2
),

examined as materialized (
    select
        r.task_id,
        not exists (
            select from claims as c
            where c.task_id = r.task_id and c.fence > r.fence and c.claim_rev <= r.rev
        ) as holds
    from engine.step_result as r
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: closed_tasks_stay_closed
-- A task closes for good once: no later attempt, and no open row beside it.
-- Final are 1 result, 2 failed, 7 cancelled, 8 quarantined, 9 unknown, 10 suspended.
with final as (
    select
        task_id,
        max(fence) as fence,
        count(*) as times
    from engine.attempt
    where closing in (1, 2, 7, 8, 9, 10)
    group by task_id
),

examined as materialized (
    select
        f.task_id,
        f.times = 1
        and not exists (
            select from engine.task as t
            where t.id = f.task_id
        )
        and not exists (
            select from engine.attempt as a
            where a.task_id = f.task_id and a.fence > f.fence
        ) as holds
    from final as f
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: states_fit_together
-- A leased task has a claim, a lease and a holder that attached; no other state has any.
with examined as materialized (
    select
        t.id,
        case
            when t.state = 2
                then
                    t.fence > 0
                    and t.claimed_at is not null
                    and t.stamped_at is not null
                    and t.lease_until is not null
                    and exists (
                        select from engine.worker as w
                        where w.incarnation = t.incarnation
                    )
            else t.lease_until is null and t.incarnation is null
        end as holds
    from engine.task as t
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: leases_are_dated_here
-- A lease ends its length after its stamp, within a millisecond: no other clock wrote it.
with stamped as (
    select
        id,
        stamped_at,
        lease_until
    from engine.task
    where state = 2
    union all
    select
        task_id,
        stamped_at,
        lease_until
    from engine.attempt
),

examined as (
    select
        id,
        coalesce(
            abs(extract(epoch from lease_until - stamped_at) - 10) <= 0.001, false
        ) as holds
    from stamped
)

select
    count(*) as examined,
    coalesce((array_agg(id::text order by id) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: attempts_are_bounded
-- No task has more attempts than failures (6), deaths (3) and uncounted losses (20) allow.
-- One that meets code of another version is tried for as long as it takes. A plain task may fail
-- as often as its own policy says, 1,000 times at most. An attempt of a workflow that recorded a
-- step takes the deaths before it back, two at most; what starts over removes such records.
with recorded as (
    select r.task_id, count(distinct r.fence) as attempts
    from engine.step_result as r
    where r.checkpoint and r.fence > 0
    group by r.task_id
),

examined as materialized (
    select
        a.task_id,
        count(*) filter (where a.error_code <> 'version_conflict')
        <= case when min(a.step) like 'task:%' then 1023 else 29 end
        + 3 * coalesce(min(r.attempts), 0)
        or exists (
            select from engine.step_result as i
            where i.workflow_id = a.workflow_id and i.step like '%~0'
        ) as holds
    from engine.attempt as a
    left join recorded as r on a.task_id = r.task_id
    group by a.task_id, a.workflow_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: results_keep_their_input
-- A step result refers to the very input its task was made with.
with examined as (
    select
        r.task_id,
        p.task_id is not null and p.input_hash = r.input_hash as holds
    from engine.step_result as r
    left join engine.payload as p on r.task_id = p.task_id
    where not r.checkpoint
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: results_end_their_attempt
-- The attempt that a step result bears the fence of closed with it, and was not cancelled or lost.
-- The closings are 1 result, 2 failed, 8 quarantined and 9 unknown.
with examined as materialized (
    select
        r.task_id,
        exists(
            select from engine.attempt as a
            where
                a.task_id = r.task_id and a.fence = r.fence
                and a.close_rev = r.rev and a.closing in (1, 2, 8, 9)
        ) as holds
    from engine.step_result as r
    where not r.checkpoint
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: checkpoints_lie_within_their_attempt
-- A step recorded in mid attempt was written after its claim and not after its close.
-- Fence 0 is the engine's own: a time came, or a signal for which no attempt asked.
with claims as (
    select
        task_id,
        fence,
        claim_rev,
        close_rev
    from engine.attempt
    union all
    select
        id,
        fence,
        claim_rev,
        null as close_rev
    from engine.task
    where state = 2
),

examined as materialized (
    select
        r.workflow_id,
        exists(
            select from claims as c
            where
                c.task_id = r.task_id and c.fence = r.fence
                and c.claim_rev <= r.rev and r.rev <= coalesce(c.close_rev, r.rev)
        ) as holds
    from engine.step_result as r
    where r.checkpoint and r.fence > 0
)

select
    count(*) as examined,
    coalesce(
        (array_agg(workflow_id::text order by workflow_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: dead_letters_are_taken_up_by_a_later_turn
-- What was decided about a dead letter is about one; taken up, a later turn of its session has it,
-- or another plain task.
with examined as materialized (
    select
        r.task_id,
        d.task_id is not null
        and r.session_id = d.session_id
        and r.org_id = d.org_id
        and (
            r.workflow_id is null
            or r.settled_at is null
            or r.refusal is not null
            or exists (
                select from engine.workflow as later
                inner join engine.workflow as dead on later.session_id = dead.session_id
                where
                    later.id = r.workflow_id
                    and dead.id = d.workflow_id
                    and later.ordinal > dead.ordinal
            )
            or exists (
                select from engine.payload as p
                where
                    p.task_id = r.workflow_id and p.org_id = r.org_id and p.step like 'task:%'
            )
        ) as holds
    from engine.resolution as r
    left join engine.dead_letter as d on r.task_id = d.task_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: errors_are_told_of_failures
-- What a worker told of a failure belongs to an attempt that failed (2) or was tried again (3).
with examined as materialized (
    select
        e.task_id,
        exists(
            select from engine.attempt as a
            where a.task_id = e.task_id and a.fence = e.fence and a.closing in (2, 3)
        ) as holds
    from engine.attempt_error as e
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;
