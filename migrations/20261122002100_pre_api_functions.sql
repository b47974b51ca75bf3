-- migrate:up
-- The functions of api: the one statement of the message path, and upkeep across organizations.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

-- The revisions a session's configuration rests on. It runs with the caller's rights: the row-level
-- policies read the organization that is set here, in the same statement.
create function api.basis(p_org uuid, p_session uuid)
returns table (
    tier bytea, org_rev int, harness_id uuid, harness_rev int, agent_id uuid, agent_rev int
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform set_config('mainspring.org_id', p_org::text, true);
    return query
    select s.tier, o.rev, s.harness_id, coalesce(h.rev, 0), s.agent_id, coalesce(a.rev, 0)
    from api.session as s
    inner join api.organization as o on o.id = s.org_id
    left join api.harness as h on h.org_id = s.org_id and h.id = s.harness_id
    left join api.agent as a on a.org_id = s.org_id and a.id = s.agent_id
    where s.org_id = p_org and s.id = p_session and s.deleting_ms is null;
end
$$;

create function api.unfinished_deletes(p_before_ms bigint, p_limit int)
returns table (org_id uuid, session_id uuid)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select s.org_id, s.id
    from api.session as s
    where s.deleting_ms < p_before_ms
    order by s.deleting_ms
    limit p_limit
$$;

create function api.forget_keys(p_before_ms bigint, p_limit int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_count int;
begin
    delete from api.request_key
    where ctid in (
        select k.ctid
        from api.request_key as k
        where k.claimed_ms < p_before_ms
        order by k.claimed_ms
        limit p_limit
        -- Skips what another replica removes at this moment: it will be gone either way.
        for update skip locked
    );
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

revoke execute on all functions in schema api from public;
grant execute on function api.basis, api.unfinished_deletes, api.forget_keys to api_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists api.forget_keys;
drop function if exists api.unfinished_deletes;
drop function if exists api.basis;
