-- migrate:up
-- The list of organizations: the one read that no organization's own rights cover.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

create policy listing on api.organization for select to api_owner using (true);

create function api.organizations(p_offset int, p_limit int)
returns table (
    id uuid, name text, default_model_id text, default_harness_id uuid, rev int,
    created_ms bigint, updated_ms bigint
)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        o.id, o.name, o.default_model_id, o.default_harness_id, o.rev, o.created_ms, o.updated_ms
    from api.organization as o
    order by o.id
    offset p_offset
    limit p_limit
$$;

create function api.count_organizations() returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select count(*) from api.organization
$$;

revoke execute on function api.organizations, api.count_organizations from public;
grant execute on function api.organizations, api.count_organizations to api_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists api.count_organizations;
drop function if exists api.organizations;
drop policy if exists listing on api.organization;
