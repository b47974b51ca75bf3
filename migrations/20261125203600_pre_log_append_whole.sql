-- migrate:up
-- The way of nearly every flight into the log: all heads fit, or nothing is written. One statement
-- compares, moves the heads and appends, so the common commit pays for no verdicts. Who is refused
-- asks log.lock_v1 and log.append_v1, which judge head by head.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- A head as it was decided on, then (to_…) as it is to become. `gone` are anchors that close,
-- `opened` is merged into the anchors as it stands: only for anchors that are new.
create type log.head_change as (
    item int, session_id uuid, org_id uuid,
    last_seq bigint, hash bytea, status smallint, paused boolean, active_turn uuid,
    turn_first_seq bigint,
    to_last_seq bigint, to_hash bytea, to_ts_ms bigint, to_status smallint, to_active_turn uuid,
    to_turn_first_seq bigint,
    close_anchors boolean, gone text [], opened jsonb
);

create type log.new_event as (
    session_id uuid, seq bigint, type text, ts_ms bigint, turn_id uuid, payload bytea, hash bytea
);

-- Returns the deltas before each head's first event, in the order of the heads. Every head has at
-- least one event; its times are bounded from below by the head's, from both sides by the clock.
create function log.append_whole_v1(
    p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[]
) returns int[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now_ms bigint;
    v_deltas int[];
    v_events bigint;
begin
    -- An update from unnest takes its locks in no order, so several heads are locked before it.
    -- One head needs none.
    if cardinality(p_heads) > 1 then
        perform from log.head as h
        where h.session_id = any(array(select c.session_id from unnest(p_heads) as c))
        order by h.session_id
        for no key update;
    end if;
    v_now_ms := (extract(epoch from clock_timestamp()) * 1000)::bigint;

    with moved as (
        update log.head as d
        set
            last_seq = c.to_last_seq,
            n = 0,
            hash = c.to_hash,
            ts_ms = c.to_ts_ms,
            status = c.to_status,
            active_turn = c.to_active_turn,
            turn_first_seq = c.to_turn_first_seq,
            anchors
            = case when c.close_anchors then '{}'::jsonb else d.anchors - c.gone end || c.opened
        from unnest(p_heads) as c
        where
            d.session_id = c.session_id
            and d.org_id = c.org_id and d.last_seq = c.last_seq and d.hash = c.hash
            and d.status = c.status and d.paused = c.paused and not d.closed
            and d.active_turn is not distinct from c.active_turn
            and d.turn_first_seq = c.turn_first_seq
            and c.to_last_seq > c.last_seq
            and c.to_ts_ms between greatest(d.ts_ms, v_now_ms - p_drift_ms)
            and greatest(d.ts_ms, v_now_ms + p_drift_ms)
        returning c.item, d.session_id, old.last_seq, c.to_last_seq, old.n
    ),

    added as (
        insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, deltas_before, h)
        select
            e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload,
            case when e.seq = m.last_seq + 1 then m.n else 0 end,
            e.hash
        from unnest(p_events) as e
        inner join moved as m on e.session_id = m.session_id
        where e.seq > m.last_seq and e.seq <= m.to_last_seq
        returning 1
    )

    select array_agg(m.n order by m.item), sum(m.to_last_seq - m.last_seq) - (select count(*) from added)
    into v_deltas, v_events
    from moved as m;

    -- As many events as the heads moved on, each within its head's span and none twice (its key):
    -- so every position between the old end and the new one has its event.
    if
        coalesce(cardinality(v_deltas), 0) <> cardinality(p_heads)
        or v_events <> 0
    then
        raise exception 'log.append_whole: % of % heads fit', coalesce(cardinality(v_deltas), 0),
            cardinality(p_heads) using errcode = 'MSL02';
    end if;
    return v_deltas;
end
$$;

revoke execute on function log.append_whole_v1(bigint, log.head_change[], log.new_event[])
from public;
grant execute on function log.append_whole_v1(bigint, log.head_change[], log.new_event[])
to engine_owner;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.append_whole_v1(bigint, log.head_change[], log.new_event[]);
drop type if exists log.head_change, log.new_event;
