-- migrate:up
-- A session begins at the database's time. A host whose clock went minutes ahead began sessions in
-- the future: whatever was to happen in them after some seconds happened minutes late, for no event
-- is dated before the one before it.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- Makes a session's log with its first event. Returns 0; or, where the event's time lies further than
-- p_drift_ms from the database's, that time, and nothing is written: its hash is of its time.
create function log.open_v2(
    p_session uuid, p_org uuid, p_type text, p_ts bigint, p_payload bytea, p_hash bytea,
    p_drift_ms bigint
) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now_ms bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
    if abs(p_ts - v_now_ms) > p_drift_ms then
        return v_now_ms;
    end if;
    insert into log.head (session_id, org_id, last_seq, hash, ts_ms, status, epoch)
    select p_session, p_org, 1, p_hash, p_ts, 1, s.epoch
    from log.store as s;

    insert into log.event (session_id, seq, type, ts_ms, payload, h)
    values (p_session, 1, p_type, p_ts, p_payload, p_hash);
    return 0;
end
$$;
revoke execute on function log.open_v2 from public;
grant execute on function log.open_v2 to api_owner, api_run;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;
drop function if exists log.open_v2;
reset role;
