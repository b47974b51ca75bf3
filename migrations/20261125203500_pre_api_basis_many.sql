-- migrate:up
-- As api.basis, for all messages of one organization that arrived together. Unknown sessions are
-- absent. It runs with the caller's rights, for the same reason.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

create function api.basis_many(p_org uuid, p_sessions uuid[])
returns table (
    session_id uuid, tier bytea, org_rev int, harness_id uuid, harness_rev int, agent_id uuid,
    agent_rev int
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform set_config('mainspring.org_id', p_org::text, true);
    return query
    select s.id, s.tier, o.rev, s.harness_id, coalesce(h.rev, 0), s.agent_id, coalesce(a.rev, 0)
    from api.session as s
    inner join api.organization as o on o.id = s.org_id
    left join api.harness as h on h.org_id = s.org_id and h.id = s.harness_id
    left join api.agent as a on a.org_id = s.org_id and a.id = s.agent_id
    where s.org_id = p_org and s.id = any(p_sessions) and s.deleting_ms is null;
end
$$;

revoke execute on function api.basis_many(uuid, uuid[]) from public;
grant execute on function api.basis_many(uuid, uuid[]) to api_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists api.basis_many(uuid, uuid[]);
