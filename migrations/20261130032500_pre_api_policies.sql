-- A plan is made once and serves all organizations. Compared with what current_setting says, their
-- rows were guessed by those of the organization that asked first: one, where it was small or new,
-- and then an index of all its rows looked as good as a key. From a subquery the planner takes no
-- value, and reckons with what organizations have on average. Fewer and more rows are let through as
-- before.
-- migrate:up
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

do $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'organization', 'harness', 'agent', 'session', 'workspace', 'workspace_fork', 'file',
        'file_past', 'record', 'record_past', 'record_fork', 'request_key'
    ] loop
        execute format(
            'alter policy own on api.%I using (%I = (select %s))',
            v_table,
            case v_table when 'organization' then 'id' else 'org_id' end,
            'nullif(current_setting(''mainspring.org_id'', true), '''')::uuid'
        );
    end loop;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

do $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'organization', 'harness', 'agent', 'session', 'workspace', 'workspace_fork', 'file',
        'file_past', 'record', 'record_past', 'record_fork', 'request_key'
    ] loop
        execute format(
            'alter policy own on api.%I using (%I = %s)',
            v_table,
            case v_table when 'organization' then 'id' else 'org_id' end,
            'nullif(current_setting(''mainspring.org_id'', true), '''')::uuid'
        );
    end loop;
end
$$;
reset role;
