-- migrate:up
-- A flight of one session is appended by scalars. A caller who is alone waits for each statement,
-- and a fifth of one over arrays was to set up its joins and sorts.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- As append_whole_v1 does with many: compares the head, moves it on, adds its events. Returns how
-- many deltas came before the first of them; raises MSL02 where the head or the events do not fit.
create function log.append_one(
    p_drift_ms bigint, p_head log.head_change, p_events log.new_event []
) returns int
language plpgsql
as $$
declare
    v_now_ms bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    v_deltas int;
    v_events bigint;
begin
    update log.head as d
    set
        last_seq = p_head.to_last_seq,
        n = 0,
        hash = p_head.to_hash,
        ts_ms = p_head.to_ts_ms,
        status = p_head.to_status,
        active_turn = p_head.to_active_turn,
        turn_first_seq = p_head.to_turn_first_seq,
        anchors = case when p_head.close_anchors then '{}'::jsonb else d.anchors - p_head.gone end
            || p_head.opened
    where
        d.session_id = p_head.session_id
        and d.org_id = p_head.org_id and d.last_seq = p_head.last_seq and d.hash = p_head.hash
        and d.status = p_head.status and d.paused = p_head.paused and not d.closed
        and d.active_turn is not distinct from p_head.active_turn
        and d.turn_first_seq = p_head.turn_first_seq
        and p_head.to_last_seq > p_head.last_seq
        and p_head.to_ts_ms between greatest(d.ts_ms, v_now_ms - p_drift_ms)
        and greatest(d.ts_ms, v_now_ms + p_drift_ms)
    returning old.n into v_deltas;
    if not found then
        raise exception 'log.append_one: the head does not fit' using errcode = 'MSL02';
    end if;

    insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, deltas_before, h)
    select
        e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload,
        case when e.seq = p_head.last_seq + 1 then v_deltas else 0 end,
        e.hash
    from unnest(p_events) as e
    where
        e.session_id = p_head.session_id
        and e.seq > p_head.last_seq and e.seq <= p_head.to_last_seq;
    get diagnostics v_events = row_count;
    -- None twice (its key), so every position between the old end and the new one has its event.
    if v_events <> p_head.to_last_seq - p_head.last_seq then
        raise exception 'log.append_one: the events do not fit' using errcode = 'MSL02';
    end if;
    return v_deltas;
end
$$;
revoke execute on function log.append_one from public;

-- As open_empty_v1 does with many.
create function log.open_one_v1(p_session uuid, p_org uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into log.head (session_id, org_id, ts_ms, epoch)
    select p_session, p_org, 0, s.epoch
    from log.store as s;
end
$$;
revoke execute on function log.open_one_v1 from public;
grant execute on function log.open_one_v1 to engine_owner;

-- Only the lines that change are here; each must be found as it was.
do $change$
declare
    v_was text := pg_get_functiondef('log.append_whole_v1'::regproc);
    v_line constant text := $line$
begin
    -- An update from unnest takes its locks in no order, so several heads are locked before it.
    -- One head needs none.
    if cardinality(p_heads) > 1 then
$line$;
    v_new constant text := $line$
begin
    if cardinality(p_heads) = 1 then
        return array[log.append_one(p_drift_ms, p_heads[1], p_events)];
    end if;
    -- An update from unnest takes its locks in no order, so several heads are locked before it.
    if cardinality(p_heads) > 1 then
$line$;
begin
    if strpos(v_was, v_line) = 0 then
        raise exception 'log.append_whole_v1 is not as it was';
    end if;
    execute replace(v_was, v_line, v_new);
end
$change$;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

do $change$
declare
    v_was text := pg_get_functiondef('log.append_whole_v1'::regproc);
    v_line constant text := $line$
begin
    if cardinality(p_heads) = 1 then
        return array[log.append_one(p_drift_ms, p_heads[1], p_events)];
    end if;
    -- An update from unnest takes its locks in no order, so several heads are locked before it.
    if cardinality(p_heads) > 1 then
$line$;
    v_old constant text := $line$
begin
    -- An update from unnest takes its locks in no order, so several heads are locked before it.
    -- One head needs none.
    if cardinality(p_heads) > 1 then
$line$;
begin
    if strpos(v_was, v_line) = 0 then
        raise exception 'log.append_whole_v1 is not as it was';
    end if;
    execute replace(v_was, v_line, v_old);
end
$change$;

drop function if exists log.append_one;
drop function if exists log.open_one_v1;
reset role;
