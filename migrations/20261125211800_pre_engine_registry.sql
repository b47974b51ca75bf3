-- migrate:up
-- Who is attached where: what a worker can take, whether an operator drains it, and whether the
-- engine process that holds its stream is alive. Written where something changes; the one row that
-- is written again and again is that of the replica.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.replica (
    id uuid primary key,
    started_at timestamptz not null,
    seen_at timestamptz not null
) with (fillfactor = 50);

alter table engine.worker
-- the engine process that has its stream
add column replica uuid,
add column queues text[] not null default '{}',
add column capabilities text[] not null default '{}',
add column slots int not null default 0,
-- since when an operator holds tasks back from it
add column drained_at timestamptz,
-- on its way out by its own word
add column leaving boolean not null default false,
-- since when nothing is heard of it
add column silent_at timestamptz,
-- when its stream ended
add column left_at timestamptz;

-- squawk-ignore require-concurrent-index-creation -- the column is new, so the index is empty
create index worker_drained on engine.worker (replica) where drained_at is not null;

grant select, insert, update, delete on engine.replica to engine_run;
-- The attach number stays with engine.attach_v1 alone.
grant update (
    replica, queues, capabilities, slots, drained_at, leaving, silent_at, left_at
) on engine.worker to engine_run;
grant delete on engine.worker to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop index if exists engine.worker_drained;
alter table engine.worker
drop column if exists left_at,
drop column if exists silent_at,
drop column if exists leaving,
drop column if exists drained_at,
drop column if exists slots,
drop column if exists capabilities,
drop column if exists queues,
drop column if exists replica;
drop table if exists engine.replica;
