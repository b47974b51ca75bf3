-- name: workflow_of_task
-- The workflow of an open task of an organization.
-- repeatable
select t.workflow_id from engine.task as t
where t.id = $1 and t.org_id = $2;

-- name: workflow_row
-- One turn or workflow of an organization, as its row has it.
-- repeatable
select
    w.id, w.session_id, w.org_id, w.ordinal, w.rev, w.outcome, w.state, w.config_hash,
    w.traceparent, w.started_ms
from engine.workflow as w
where w.id = $1 and w.org_id = $2;

-- name: newest_attempts
-- Of each of these tasks the newest attempt that closed.
-- repeatable
select
    n.task_id, n.fence, n.incarnation as worker_id, w.name as worker_name, w.build as worker_build,
    (extract(epoch from n.claimed_at) * 1000)::bigint as claimed_ms,
    (extract(epoch from n.closed_at) * 1000)::bigint as closed_ms,
    n.acknowledged, n.started, n.closing::int as closing, n.error_code,
    coalesce(e.message, '') as error_message
from unnest($1::uuid[]) as t (id)
cross join
    lateral (
        select a.* from engine.attempt as a
        where a.task_id = t.id
        order by a.fence desc
        limit 1
    ) as n
left join engine.worker as w on n.incarnation = w.incarnation
left join engine.attempt_error as e
    on n.task_id = e.task_id and n.fence = e.fence and e.task_id = any($1::uuid[]);

-- name: ahead
-- Of ready tasks how many are before them on their route: $2 at most.
-- repeatable
select
    t.id as task_id,
    (
        select count(*) from (
            select from engine.task as x
            where
                x.state = 1 and x.route = t.route
                and (x.priority > t.priority or (x.priority = t.priority and x.id < t.id))
            limit $2 -- any will do: they are counted -- noqa: AM09
        ) as before
    )::int as ahead
from engine.task as t
where t.id = any($1::uuid[]) and t.state = 1;

-- name: timers
-- When timers are due.
-- repeatable
select t.id, (extract(epoch from t.due_at) * 1000)::bigint as due_ms
from engine.timer as t
where t.id = any($1::uuid[]);

-- name: now
-- What the database's clock says.
-- repeatable
select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms;
