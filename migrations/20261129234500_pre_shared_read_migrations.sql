-- Each service reads at start which migrations were applied.
-- migrate:up
set local lock_timeout = '4s';
set local statement_timeout = '30s';

grant select on public.schema_migrations to api_run, engine_run, log_run, scheduler_run;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

revoke select on public.schema_migrations from api_run, engine_run, log_run, scheduler_run;
