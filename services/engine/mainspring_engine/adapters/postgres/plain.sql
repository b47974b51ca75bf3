-- name: submit_task
-- Inserts one plain task; see the function. A repeat has no state and finds it by submit_tasks.
-- repeatable
select engine.submit_task_v1($1, $2, $3, $4, $5, $6, $7, $8, $9) as state;

-- name: submit_tasks
-- Inserts plain tasks; see the function. A repeat finds them there.
-- repeatable
select known, differing, unclaimed from engine.submit_tasks_v1($1, $2);

-- name: submit_bounded
-- The same with tasks among them that are to be taken within a time; see the function.
-- repeatable
select known, differing, unclaimed from engine.submit_tasks_v2($1, $2, $3, $4);

-- name: time_out_tasks
-- Ends plain tasks that nobody took in time; see the function. Not repeatable: a repeat finds
-- nothing, and whoever waits for one would not be told.
select engine.time_out_tasks_v1($1, $2, $3, $4) as ended;

-- name: end_tasks
-- Ends attempts at plain tasks; see the function. A repeat finds its own attempts closed.
-- repeatable
select engine.end_tasks_v1($1) as verdicts;

-- name: plain_task
-- A plain task with what is kept of it.
-- repeatable
select
    p.step, t.state::int as state, coalesce(t.failures, 0)::int as failures,
    (
        select r.body from engine.step_result as r
        where r.workflow_id = $2 and r.step = 'task'
        limit 1 -- a step has one result; the limit spares the older partitions -- noqa: AM09
    ) as body,
    (
        select a.closing from engine.attempt as a
        where a.task_id = $2
        order by a.fence desc
        limit 1
    )::int as closing,
    (select c.reason from engine.plain_cancel as c where c.task_id = $2) as cancelled
from engine.payload as p
left join engine.task as t on p.task_id = t.id
where p.task_id = $2 and p.org_id = $1 and starts_with(p.step, 'task:');

-- name: cancel_tasks
-- Ends open plain tasks; see the function. Not repeatable: a repeat finds nothing open any more,
-- and whoever held one would not be told.
select ended, held_fence from engine.cancel_tasks_v1($1, $2, $3);

-- name: attempt_times
-- When closed attempts were claimed and closed.
-- repeatable
select
    a.task_id, a.fence,
    (extract(epoch from a.claimed_at) * 1000)::bigint as claimed_ms,
    (extract(epoch from a.closed_at) * 1000)::bigint as closed_ms
from unnest($1::uuid[], $2::int[]) as asked (task_id, fence)
inner join engine.attempt as a on asked.task_id = a.task_id and asked.fence = a.fence
where a.task_id = any($1::uuid[]);

-- name: plain_payloads
-- What some plain tasks were made with.
-- repeatable
select p.org_id, p.task_id, p.payload from engine.payload as p
where p.task_id = any($1::uuid[]) and starts_with(p.step, 'task:');
