-- migrate:up
-- What the engine and the api call inside their own transactions. Heads are locked first, in id
-- order, by lock_v1; positions, times and hashes are proposed by the caller and compared here. A
-- broken promise of the caller raises MSL01 and undoes his transaction; verdicts are his, before he
-- calls.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

create function log.lock_v1(p_sessions uuid[])
returns table (
    session_id uuid, org_id uuid, last_seq bigint, n int, hash bytea, ts_ms bigint,
    status smallint, paused boolean, active_turn uuid, turn_first_seq bigint, closed boolean
)
language plpgsql security definer rows 32
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
    order by h.session_id
    for no key update;
end
$$;

-- One statement does it all: heads move, anchors open and close, events are inserted with the
-- deltas counted before them. Rows of heads that do not fit are left out, and the counts tell.
create function log.append_rows(
    p_closing boolean,
    e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[],
    e_payload bytea[], e_hash bytea[],
    h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[],
    h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[],
    a_session uuid[], a_anchor text[], a_attempt int[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_heads bigint;
    v_events bigint;
begin
    with span as materialized (
        select e.session_id, min(e.seq) as first_seq, max(e.seq) as last_seq, count(*) as events
        from unnest(e_session, e_seq) as e (session_id, seq)
        group by e.session_id
    ),

    wanted as (
        select distinct on (a.session_id, a.anchor) a.session_id, a.anchor, a.attempt
        from unnest(a_session, a_anchor, a_attempt) with ordinality
            as a (session_id, anchor, attempt, item)
        order by a.session_id, a.anchor, a.item desc
    ),

    anchors as materialized (
        select
            w.session_id,
            array_agg(w.anchor) filter (where w.attempt is null) as gone,
            jsonb_object_agg(
                w.anchor, jsonb_build_object('a', w.attempt, 'c', '{}'::jsonb)
            ) filter (
                where h.close_anchors or coalesce((d.anchors -> w.anchor ->> 'a')::int, 0) < w.attempt
            ) as opened
        from wanted as w
        inner join unnest(h_session, h_close_anchors) as h (session_id, close_anchors)
            on w.session_id = h.session_id
        inner join log.head as d on w.session_id = d.session_id
        group by w.session_id
    ),

    -- Joined before the heads come in: so it stays a hash join, whatever few rows they promise.
    changes as materialized (
        select
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.active_turn,
            h.turn_first_seq, h.close_anchors,
            coalesce(s.events, 0) as events, s.first_seq, s.last_seq as events_last_seq,
            coalesce(a.gone, '{}') as gone, coalesce(a.opened, '{}') as opened
        from unnest(
            h_session, h_org, h_last_seq, h_hash, h_ts,
            h_status, h_active_turn, h_turn_first_seq, h_close_anchors
        ) as h (
            session_id, org_id, last_seq, hash, ts_ms,
            status, active_turn, turn_first_seq, close_anchors
        )
        left join span as s on h.session_id = s.session_id
        left join anchors as a on h.session_id = a.session_id
    ),

    moved as (
        update log.head as d
        set
            last_seq = c.last_seq,
            n = case when c.events = 0 then d.n else 0 end,
            hash = c.hash,
            ts_ms = c.ts_ms,
            status = c.status,
            active_turn = c.active_turn,
            turn_first_seq = c.turn_first_seq,
            anchors
            = case when c.close_anchors then '{}'::jsonb else d.anchors - c.gone end || c.opened,
            closing_done = d.closed
        from changes as c
        where
            d.session_id = c.session_id
            and d.session_id = any(h_session)
            and d.org_id = c.org_id
            and (not d.closed or (p_closing and not d.closing_done))
            and d.ts_ms <= c.ts_ms
            and c.last_seq = d.last_seq + c.events
            and (c.events = 0 or (c.first_seq = d.last_seq + 1 and c.events_last_seq = c.last_seq))
        returning d.session_id, old.last_seq, old.n
    ),

    added as (
        insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, deltas_before, h)
        select
            e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload,
            case when e.seq = m.last_seq + 1 then m.n else 0 end,
            e.hash
        from unnest(e_session, e_seq, e_type, e_ts, e_turn, e_payload, e_hash)
            as e (session_id, seq, type, ts_ms, turn_id, payload, hash)
        inner join moved as m on e.session_id = m.session_id
        returning 1
    )

    select (select count(*) from moved), (select count(*) from added)
    into v_heads, v_events;

    if v_heads <> cardinality(h_session) or v_events <> cardinality(e_session) then
        raise exception 'log.append: % of % heads fit their rows, % of % events have a head',
            v_heads, cardinality(h_session), v_events, cardinality(e_session)
            using errcode = 'MSL01',
            hint = 'unknown, closed or foreign session, seq not last_seq + 1, a gap, or an older time';
    end if;
end
$$;

create function log.append_v1(
    e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[],
    e_payload bytea[], e_hash bytea[],
    h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[],
    h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[],
    a_session uuid[], a_anchor text[], a_attempt int[]
) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform log.append_rows(
        false, e_session, e_seq, e_type, e_ts, e_turn, e_payload, e_hash,
        h_session, h_org, h_last_seq, h_hash, h_ts, h_status, h_active_turn, h_turn_first_seq,
        h_close_anchors, a_session, a_anchor, a_attempt
    );
end
$$;

-- As append_v1; once per session it also takes a closed head: the closing group of the deleted
-- session's turn.
create function log.append_closing_v1(
    e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[],
    e_payload bytea[], e_hash bytea[],
    h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[],
    h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[],
    a_session uuid[], a_anchor text[], a_attempt int[]
) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform log.append_rows(
        true, e_session, e_seq, e_type, e_ts, e_turn, e_payload, e_hash,
        h_session, h_org, h_last_seq, h_hash, h_ts, h_status, h_active_turn, h_turn_first_seq,
        h_close_anchors, a_session, a_anchor, a_attempt
    );
end
$$;

-- Marks heads closed and closes their anchors. `closed` tells whether this call did it; unknown and
-- foreign sessions are absent. The row stays: 404 is read from it, and it keeps the last position
-- and hash.
create function log.close_v1(p_sessions uuid[], p_orgs uuid[])
returns table (session_id uuid, closed boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform from log.head as h
    where h.session_id = any(p_sessions)
    order by h.session_id
    for no key update;

    return query
    update log.head as h
    set closed = true, anchors = '{}'
    from unnest(p_sessions, p_orgs) as p (session_id, org_id)
    where h.session_id = p.session_id and h.org_id = p.org_id
    returning h.session_id, not old.closed;
end
$$;

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

do $$
declare
    v_function record;
begin
    for v_function in
        select oid::regprocedure as signature, proname::text as name
        from pg_proc
        where pronamespace = 'log'::regnamespace
            and proname in (
                'lock_v1', 'append_rows', 'append_v1', 'append_closing_v1', 'close_v1', 'open_v1'
            )
    loop
        execute format('revoke execute on function %s from public', v_function.signature);
        if v_function.name = 'open_v1' then
            execute format('grant execute on function %s to api_owner, api_run', v_function.signature);
        elsif v_function.name <> 'append_rows' then
            execute format('grant execute on function %s to engine_owner', v_function.signature);
        end if;
    end loop;
end
$$;
grant usage on schema log to engine_owner, api_owner, api_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.open_v1;
drop function if exists log.close_v1;
drop function if exists log.append_closing_v1;
drop function if exists log.append_v1;
drop function if exists log.append_rows;
drop function if exists log.lock_v1;
revoke usage on schema log from engine_owner, api_owner, api_run;
