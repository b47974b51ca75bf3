-- migrate:up
-- A workflow without a session is its own: the engine opens its head in the very transaction that
-- appends its first events.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- Heads without events. They come into being locked, for nobody else knows their ids.
create function log.open_empty_v1(p_session uuid[], p_org uuid[]) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into log.head (session_id, org_id, ts_ms, epoch)
    select p.session_id, p.org_id, 0, s.epoch
    from unnest(p_session, p_org) as p (session_id, org_id)
    cross join log.store as s
    order by p.session_id;
end
$$;
revoke execute on function log.open_empty_v1(uuid[], uuid[]) from public;
grant execute on function log.open_empty_v1(uuid[], uuid[]) to engine_owner;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.open_empty_v1(uuid[], uuid[]);
