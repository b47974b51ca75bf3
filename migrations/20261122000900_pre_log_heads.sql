-- migrate:up
-- What the engine reads of heads when it only looks: as lock_v1, without the lock.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

create function log.heads_v1(p_sessions uuid[])
returns table (
    session_id uuid, org_id uuid, last_seq bigint, n int, hash bytea, ts_ms bigint,
    status smallint, paused boolean, active_turn uuid, turn_first_seq bigint, closed boolean
)
language plpgsql security definer stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        h.session_id, h.org_id, h.last_seq, h.n, h.hash, h.ts_ms,
        h.status, h.paused, h.active_turn, h.turn_first_seq, h.closed
    from log.head as h
    where h.session_id = any(p_sessions)
    order by h.session_id;
end
$$;
revoke execute on function log.heads_v1(uuid[]) from public;
grant execute on function log.heads_v1(uuid[]) to engine_owner;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.heads_v1(uuid[]);
