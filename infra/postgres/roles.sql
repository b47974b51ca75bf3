-- Roles of a deployment, run by a superuser before the migrations; may be run again at any time.
-- Each service owns one schema by <service>_owner, which nobody can log in as, and works as
-- <service>_run, which has only what its migrations grant. Passwords come from the environment.
\getenv api_password MAINSPRING_API_PASSWORD
\getenv engine_password MAINSPRING_ENGINE_PASSWORD
\getenv log_password MAINSPRING_LOG_PASSWORD
\getenv scheduler_password MAINSPRING_SCHEDULER_PASSWORD
\getenv verify_password MAINSPRING_VERIFY_PASSWORD

-- The statements below hold passwords: keep them out of the server's statistics and log.
set pg_stat_statements.track_utility = off;
set log_statement = 'none';
set log_min_error_statement = 'panic';

select format('create role %I nologin', owner)
from unnest(array['api_owner', 'engine_owner', 'log_owner', 'scheduler_owner']) as owner
where not exists (select from pg_roles where rolname = owner)
\gexec

select format('create role %I login', login)
from unnest(array['api_run', 'engine_run', 'log_run', 'scheduler_run', 'verify_run']) as login
where not exists (select from pg_roles where rolname = login)
\gexec

select format('alter role %I password %L', login, word)
from (values
    ('api_run', :'api_password'),
    ('engine_run', :'engine_password'),
    ('log_run', :'log_password'),
    ('scheduler_run', :'scheduler_password'),
    ('verify_run', :'verify_password')
) as passwords (login, word)
\gexec

-- `mainspring verify` compares what several owners wrote; it may read everything and write nothing.
grant pg_read_all_data to verify_run;
alter role verify_run set default_transaction_read_only = on;

-- The engine tells how far the oldest snapshot lies back, whoever holds it; statistics, no rows.
grant pg_read_all_stats to engine_run;

select format('revoke all on database %I from public', current_database())
\gexec
select format(
    'grant connect on database %I to api_run, engine_run, log_run, scheduler_run, verify_run',
    current_database()
)
\gexec
revoke create on schema public from public;
-- The ledger of migrations is there, which services read at start; to all others it may be closed.
grant usage on schema public to api_run, engine_run, log_run, scheduler_run, verify_run;
