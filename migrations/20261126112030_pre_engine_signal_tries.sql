-- migrate:up
-- How often the sweep brought a signal between sessions to its lane: one that is never taken is given
-- up at last, and its parent is told.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

alter table engine.signal
add column tries smallint not null default 0,
add column tried_at timestamptz;
grant update (tries, tried_at) on engine.signal to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

alter table engine.signal drop column if exists tries, drop column if exists tried_at;
