-- migrate:up
-- What no service calls any more: how sessions began before the database dated them.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

drop function log.open_v1;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- New sessions, each with its first event at seq 1.
create function log.open_v1(
    p_session uuid[], p_org uuid[], p_type text[], p_ts bigint[], p_payload bytea[], p_hash bytea[]
) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into log.head (session_id, org_id, last_seq, hash, ts_ms, status, epoch)
    select p.session_id, p.org_id, 1, p.hash, p.ts_ms, 1, s.epoch
    from unnest(p_session, p_org, p_ts, p_hash) as p (session_id, org_id, ts_ms, hash)
    cross join log.store as s
    order by p.session_id;

    insert into log.event (session_id, seq, type, ts_ms, payload, h)
    select p.session_id, 1, p.type, p.ts_ms, p.payload, p.hash
    from unnest(p_session, p_type, p_ts, p_payload, p_hash)
        as p (session_id, type, ts_ms, payload, hash);
end
$$;
revoke execute on function log.open_v1 from public;
grant execute on function log.open_v1 to api_owner, api_run;

reset role;
