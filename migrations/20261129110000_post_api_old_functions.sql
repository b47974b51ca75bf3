-- migrate:up
-- What no service calls any more: one session's basis, which is asked for with others now.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

drop function api.basis;

reset role;

-- migrate:down
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
revoke execute on function api.basis from public;
grant execute on function api.basis to api_run;

reset role;
