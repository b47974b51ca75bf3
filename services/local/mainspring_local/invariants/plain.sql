-- Plain tasks, and what handlers report in mid attempt. See checks.py beside this file.

-- name: plain_tasks_are_open_or_ended
-- A plain task that was taken in is open, cancelled, or has an attempt that ended it: none is lost.
with examined as materialized (
    select
        p.task_id,
        exists (select from engine.task as t where t.id = p.task_id)
        or exists (
            select from engine.attempt as a
            where a.task_id = p.task_id and a.closing in (1, 2, 7, 8)
        )
        or exists (select from engine.plain_cancel as c where c.task_id = p.task_id) as holds
    from engine.payload as p
    where p.step like 'task:%'
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: cancelled_plain_tasks_end_with_their_cancel
-- A plain task that was cancelled is not open, has no result, and no attempt after its cancel.
with examined as materialized (
    select
        c.task_id,
        not exists (select from engine.task as t where t.id = c.task_id)
        and not exists (
            select from engine.step_result as r
            where r.workflow_id = c.task_id and r.step = 'task'
        )
        and not exists (
            select from engine.attempt as a
            where a.task_id = c.task_id and (a.fence > c.fence or a.closing in (1, 2, 8))
        ) as holds
    from engine.plain_cancel as c
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: progress_bears_the_highest_fence
-- No claim of a higher fence lies before a report of progress, and none is of an attempt to come.
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
        p.task_id,
        exists (
            select from claims as c
            where c.task_id = p.task_id and c.fence = p.fence and c.claim_rev <= p.rev
        )
        and not exists (
            select from claims as c
            where c.task_id = p.task_id and c.fence > p.fence and c.claim_rev <= p.rev
        ) as holds
    from engine.progress as p
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;
