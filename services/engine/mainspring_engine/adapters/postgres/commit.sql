-- name: commit
-- Judges and writes one flight; see the function. Not repeatable: a repeat may answer otherwise.
select
    now_ms, verdicts, deltas_before, closes, marks, emits, unclaimed, known, heads, workflows, inbox
from engine.commit_v1(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
);

-- name: commit_whole
-- Writes one flight if every row of it fits; where nothing was written now_ms is null.
select now_ms, deltas_before, closes, unclaimed
from engine.commit_whole_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: load
-- The present of sessions: heads, newest workflows, waiting messages.
-- repeatable
select heads, workflows, inbox from engine.load_v1($1);

-- name: now_ms
-- What the database's clock says.
-- repeatable
select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms;

-- name: intern_routes
-- The numbers of routes in the order asked; new ones are made.
-- repeatable
select engine.routes_v1($1, $2, $3, $4) as ids;

-- name: routes
-- The routes of some numbers.
-- repeatable
select id, queue, capability, build, model from engine.route where id = any($1::int[]);

-- name: steps
-- Kept step results of (workflow, step).
-- repeatable
select r.workflow_id, r.step, r.body
from unnest($1::uuid[], $2::text[]) as w (workflow_id, step)
cross join lateral (
    select s.workflow_id, s.step, s.body
    from engine.step_result as s
    where s.workflow_id = w.workflow_id and s.step = w.step
    limit 1 -- a step has one result; the limit spares the older partitions -- noqa: AM09
) as r;

-- name: configs
-- Folded agents by hash.
-- repeatable
select hash, body from engine.config where hash = any($1::bytea[]);
