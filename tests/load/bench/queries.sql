-- name: statements
-- What the services' roles sent, summed since the last reset; inside functions it is their owners.
select
    r.rolname::text as role,
    s.query,
    s.toplevel,
    s.calls::int as calls,
    s.total_exec_time as exec_ms,
    (s.shared_blks_hit + s.shared_blks_read)::int as blocks
from pg_stat_statements as s
inner join pg_roles as r on s.userid = r.oid
where r.rolname ~ '_(run|owner)$' and s.query not like '%pg_stat_statements%';

-- name: track_all
-- Counts statements inside functions as well.
alter system set pg_stat_statements.track = 'all';

-- name: track_top
-- Counts what clients send, and no more.
alter system set pg_stat_statements.track = 'top';

-- name: reload
-- Makes the servers of all connections read the settings again.
select pg_reload_conf();

-- name: turns
-- Turns by outcome: 0 goes on, 1 completed, 2 failed, 3 cancelled, 4 sealed.
select outcome::int as outcome, count(*)::int as turns
from engine.workflow
group by outcome;

-- name: completions
-- Outcomes as the log has them.
select count(*)::int from log.event where type = 'turn.completed';

-- name: longest_and_shortest
-- The session with the most events, then the one with the fewest of those that had a turn.
(
    select h.session_id, h.last_seq::int as events
    from log.head as h
    inner join api.session as s on h.session_id = s.id
    order by h.last_seq desc
    limit 1
)
union all
(
    select h.session_id, h.last_seq::int as events
    from log.head as h
    inner join api.session as s on h.session_id = s.id
    where h.last_seq >= 10
    order by h.last_seq
    limit 1
);

-- name: rows_of_forks
-- The rows of all tables in which a session, its files, its log or its turns stand.
select (
    (select count(*) from api.session)
    + (select count(*) from api.workspace)
    + (select count(*) from api.workspace_fork)
    + (select count(*) from api.file)
    + (select count(*) from api.file_past)
    + (select count(*) from api.record)
    + (select count(*) from log.head)
    + (select count(*) from log.event)
    + (select count(*) from log.delta)
    + (select count(*) from engine.workflow)
    + (select count(*) from engine.inbox)
    + (select count(*) from engine.task)
    + (select count(*) from engine.attempt)
    + (select count(*) from engine.step_result)
    + (select count(*) from engine.effect)
    + (select count(*) from engine.config)
    + (select count(*) from engine.budget)
    + (select count(*) from engine.timer)
)::int;

-- name: inputs
-- Messages that were taken in.
select count(*)::int from engine.inbox;

-- name: connections
-- Connections of the services by their names.
select application_name::text as name, count(*)::int as open
from pg_stat_activity
where application_name like 'mainspring-%' and application_name <> 'mainspring-bench'
group by application_name;

-- name: holder
-- The worker that has a session's open task.
select w.name::text as worker
from engine.task as t
inner join engine.worker as w on t.incarnation = w.incarnation
where t.session_id = $1 and t.state = 2;

-- name: durability
-- Settings without which no figure counts.
select name::text as name, setting::text as setting
from pg_settings
where name in ('fsync', 'full_page_writes', 'synchronous_commit');

-- name: server_version
-- Of Postgres.
select current_setting('server_version');

-- name: add_organization
-- One more organization, for more streams than one may have.
insert into api.organization (id, name, created_ms, updated_ms)
values ($1, $2, 0, 0)
on conflict do nothing;

-- name: written
-- How far the write-ahead log is, and how many transactions have ever written something.
select
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as wal_bytes,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint as transactions;

-- name: dead_tuples
-- What vacuum has not reached yet, and how many updates spared the indexes, by table.
select
    (schemaname || '.' || relname)::text as name,
    n_dead_tup as dead,
    n_live_tup as live,
    n_tup_upd as updated,
    n_tup_hot_upd as updated_hot
from pg_stat_user_tables
where schemaname in ('api', 'engine', 'log', 'scheduler') and n_dead_tup > 0
order by n_dead_tup desc
limit 8;

-- name: tasks_ended
-- Plain tasks that ended with a result.
select count(*)::int from engine.attempt
where closing = 1 and step like 'task:%';

-- name: tasks_ended_since
-- The same of tasks made since the id $1: a range of the key, however many ended before them.
select count(*)::int from engine.attempt
where task_id >= $1 and closing = 1 and step like 'task:%';

-- name: add_sleepers
-- Timers far from due, which those that are due must not suffer from.
insert into engine.timer (id, workflow_id, session_id, org_id, kind, due_at)
select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'deadline',
    now() + interval '1 year' + n * interval '1 second'
from generate_series(1, $1::int) as n;
