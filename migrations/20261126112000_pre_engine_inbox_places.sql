-- migrate:up
-- Waiting messages may change places: a message stands where `place` says, else at its own position.
-- One that its sender withdrew has the workflow 0, and is an input of nobody.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

alter table engine.inbox add column place bigint;

-- As it was, but in the order of the places.
create or replace function engine.load_v1(
    p_sessions uuid[],
    out heads engine.head_view[], out workflows engine.workflow_view[],
    out inbox engine.inbox_view[]
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
    heads := array(
        select (
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.paused,
            h.active_turn, h.turn_first_seq, h.closed
        )::engine.head_view
        from log.heads_v1(p_sessions) as h
    );
    workflows := array(
        select (
            w.id, w.session_id, w.org_id, w.ordinal, w.rev, w.outcome, w.state, w.config_hash,
            w.traceparent, w.started_ms
        )::engine.workflow_view
        from unnest(p_sessions) as s (session_id)
        cross join lateral (
            select n.* from engine.workflow as n
            where n.session_id = s.session_id
            order by n.ordinal desc
            limit 1
        ) as w
    );
    inbox := array(
        select (i.session_id, i.message_id, i.seq, i.config_hash, i.controls)::engine.inbox_view
        from engine.inbox as i
        where i.session_id = any(p_sessions) and i.workflow_id is null
        order by i.session_id, coalesce(i.place, i.seq)
    );
end
$$;

-- Moves waiting messages of a session whose head the caller has locked in this transaction; how many.
create function engine.place_inbox_v1(p_session uuid, p_messages uuid[], p_places bigint[])
returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_moved int;
begin
    update engine.inbox as i
    set place = m.place
    from unnest(p_messages, p_places) as m (message_id, place)
    where i.session_id = p_session and i.message_id = m.message_id and i.workflow_id is null;
    get diagnostics v_moved = row_count;
    if v_moved <> cardinality(p_messages) then
        raise exception 'engine.place_inbox: % of % moved messages were waiting',
            v_moved, cardinality(p_messages) using errcode = 'MSE01';
    end if;
    return v_moved;
end
$$;
revoke execute on function engine.place_inbox_v1(uuid, uuid[], bigint[]) from public;
grant execute on function engine.place_inbox_v1(uuid, uuid[], bigint[]) to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.place_inbox_v1(uuid, uuid[], bigint[]);

create or replace function engine.load_v1(
    p_sessions uuid[],
    out heads engine.head_view[], out workflows engine.workflow_view[],
    out inbox engine.inbox_view[]
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
    heads := array(
        select (
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.paused,
            h.active_turn, h.turn_first_seq, h.closed
        )::engine.head_view
        from log.heads_v1(p_sessions) as h
    );
    workflows := array(
        select (
            w.id, w.session_id, w.org_id, w.ordinal, w.rev, w.outcome, w.state, w.config_hash,
            w.traceparent, w.started_ms
        )::engine.workflow_view
        from unnest(p_sessions) as s (session_id)
        cross join lateral (
            select n.* from engine.workflow as n
            where n.session_id = s.session_id
            order by n.ordinal desc
            limit 1
        ) as w
    );
    inbox := array(
        select (i.session_id, i.message_id, i.seq, i.config_hash, i.controls)::engine.inbox_view
        from engine.inbox as i
        where i.session_id = any(p_sessions) and i.workflow_id is null
        order by i.session_id, i.seq
    );
end
$$;

alter table engine.inbox drop column place;
