-- migrate:up
-- What the scheduler's replicas share: one row per duty, claimed when it is due. A handful of rows,
-- read and written together, so there is no index but the key and every update stays heap-only.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role scheduler_owner;

create table scheduler.duty (
    -- '<who does it>.<what>'; a row of a duty that no running version knows is never taken
    name text primary key,
    period_ms int not null check (period_ms > 0),
    -- how long a claim keeps it from others
    hold_ms int not null check (hold_ms > 0 and hold_ms <= period_ms),
    due_at timestamptz not null default now(),
    -- in a row, over all replicas
    failures int not null default 0 check (failures >= 0),
    -- last claim; for people
    taken_at timestamptz
) with (
    fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0
);
comment on table scheduler.duty is 'Recurring calls; replicas claim what is due by SKIP LOCKED.';

grant select, insert, update on scheduler.duty to scheduler_run;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop table if exists scheduler.duty;
