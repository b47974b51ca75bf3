-- migrate:up
-- Sets or takes off the pause of sessions whose heads the caller has locked in this transaction.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

create function log.pause_v1(p_sessions uuid[], p_paused boolean) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update log.head as h
    set paused = p_paused
    where h.session_id = any(p_sessions) and h.paused <> p_paused;
end
$$;
revoke execute on function log.pause_v1(uuid[], boolean) from public;
grant execute on function log.pause_v1(uuid[], boolean) to engine_owner;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.pause_v1(uuid[], boolean);
