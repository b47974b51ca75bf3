-- migrate:up
-- Positions on the bus carry the store's epoch, so the engine reads it once at its start.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

create function log.epoch_v1() returns smallint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select s.epoch from log.store as s $$;
revoke execute on function log.epoch_v1() from public;
-- The engine's other calls go through its owner's functions; this one it makes itself.
grant usage on schema log to engine_run;
grant execute on function log.epoch_v1() to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.epoch_v1();
revoke usage on schema log from engine_run;
