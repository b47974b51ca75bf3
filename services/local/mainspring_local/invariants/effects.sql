-- Effects against the ledger of attempts and results.

-- name: effects_tell_the_truth
-- A started effect has its time and fence, and one that is done or failed has its step result.
with examined as materialized (
    select
        e.task_id,
        (e.state in (2, 3, 4, 5)) = (e.started_at is not null and e.fence > 0)
        and (
            e.state not in (3, 4)
            or exists (
                select from engine.step_result as r
                where r.workflow_id = e.workflow_id and r.step = e.step
            )
        ) as holds
    from engine.effect as e
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: effects_start_once
-- Of an at-most-once call at most one attempt has started.
with examined as (
    select
        e.task_id,
        count(*) filter (where a.started) <= 1 as holds
    from engine.effect as e
    left join engine.attempt as a on e.task_id = a.task_id
    where e.class = 3
    group by e.task_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;
