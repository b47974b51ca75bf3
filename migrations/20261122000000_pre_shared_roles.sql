-- migrate:up
-- One schema per service that keeps rows, owned by <service>_owner, which nobody can log in as. The
-- service works as <service>_run, which owns nothing and has what the migrations grant. Passwords
-- are set by the operator.
set local lock_timeout = '4s';
set local statement_timeout = '30s';

do $$
declare
    v_role text;
begin
    foreach v_role in array array['api', 'engine', 'log', 'scheduler'] loop
        -- Roles belong to the cluster: another database's migration may make them at this moment.
        begin
            execute format('create role %I nologin', v_role || '_owner');
        exception when duplicate_object or unique_violation then null;
        end;
        begin
            execute format('create role %I login', v_role || '_run');
        exception when duplicate_object or unique_violation then null;
        end;
        -- Kept per database, so that migrations of two databases never write one catalogue row.
        -- Compiling a hot statement costs more than it gains, and a frozen process may not hold its
        -- locks for long.
        execute format(
            'alter role %I in database %I set jit = off', v_role || '_run', current_database()
        );
        execute format(
            'alter role %I in database %I set idle_in_transaction_session_timeout = ''10s''',
            v_role || '_run', current_database()
        );
        execute format('create schema if not exists %I authorization %I', v_role, v_role || '_owner');
        execute format('grant usage on schema %I to %I', v_role, v_role || '_run');
    end loop;
end
$$;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

-- The roles stay: other databases of the cluster use them.
drop schema if exists scheduler;
drop schema if exists log;
drop schema if exists engine;
drop schema if exists api;
