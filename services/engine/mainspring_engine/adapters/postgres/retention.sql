-- name: examine
-- Users' workflows behind $1, at most $2, with what says which of their records are needed.
-- repeatable
select
    w.id as workflow_id, w.outcome, w.state,
    (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms
from engine.start as s
inner join engine.workflow as w on s.workflow_id = w.id
where s.workflow_id > $1
order by s.workflow_id
limit $2;

-- name: trim_records
-- Removes records of the workflows $1 before the places $2, at most $3: inputs alone where $4, else
-- the others; says how many.
-- repeatable
select engine.trim_records_v1($1::uuid[], $2::text[], $3::int, $4::boolean) as trimmed;

-- name: holding
-- Those of the workflows $1 that have records before the places $2, with these: nearly all that
-- ended were emptied long ago, and one look for all of them costs less than a delete for each.
-- repeatable
select t.workflow_id, t.bound
from unnest($1::uuid[], $2::text[]) as t (workflow_id, bound)
where
    exists (
        select from engine.step_result as r
        where r.workflow_id = t.workflow_id and r.checkpoint and r.step < t.bound
        offset 0 -- so that no join is made of it, which may read all -- noqa: AM09
    );
