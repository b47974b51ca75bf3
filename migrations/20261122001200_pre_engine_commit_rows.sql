-- migrate:up
-- The rows that cross engine.commit_v1 and engine.load_v1. `item` counts the items of a flight
-- from 1; a child row belongs to one of them. Signature and rows of a _v1 function never change.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- The head as it was decided on, then (to_…) as it is to become.
create type engine.commit_item as (
    item int, session_id uuid, org_id uuid,
    last_seq bigint, hash bytea, status smallint, paused boolean, active_turn uuid,
    turn_first_seq bigint, closed boolean,
    to_last_seq bigint, to_hash bytea, to_ts_ms bigint, to_status smallint, to_active_turn uuid,
    to_turn_first_seq bigint, to_closed boolean,
    events int, close_anchors boolean, moves_head boolean
);
create type engine.commit_event as (
    item int, session_id uuid, seq bigint, type text, ts_ms bigint, turn_id uuid, payload bytea,
    hash bytea
);
create type engine.commit_anchor as (item int, session_id uuid, anchor text, attempt int);
create type engine.commit_workflow as (
    item int, id uuid, session_id uuid, org_id uuid, expected_rev int, ordinal int,
    outcome smallint, state bytea, config_hash bytea, traceparent text, started_ms bigint
);
create type engine.commit_close as (
    item int, task_id uuid, fence int, expected smallint, closing smallint, result_hash bytea,
    error_code text, delay_ms bigint, counts_failure boolean, counts_death boolean
);
create type engine.commit_mark as (item int, task_id uuid, fence int);
create type engine.commit_emit as (item int, task_id uuid, fence int, counter int);
create type engine.commit_result as (
    item int, workflow_id uuid, step text, task_id uuid, fence int, body bytea, hash bytea
);
-- `incarnation` is null for a task that nobody takes at once.
create type engine.commit_task as (
    item int, id uuid, workflow_id uuid, session_id uuid, org_id uuid, kind smallint, route int,
    priority smallint, effect smallint, step text, payload bytea, incarnation uuid,
    attach_number bigint
);
create type engine.commit_accept as (
    item int, session_id uuid, org_id uuid, message_id uuid, seq bigint, ts_ms bigint,
    config_hash bytea, turn_id uuid, controls bytea, consumed_by uuid, idempotency_key text,
    body_hash bytea
);
create type engine.commit_consume as (
    item int, session_id uuid, message_id uuid, workflow_id uuid
);
create type engine.commit_timer as (
    item int, id uuid, workflow_id uuid, session_id uuid, org_id uuid, kind text, delay_ms bigint
);
create type engine.commit_drop as (item int, timer_id uuid);
create type engine.commit_dead_letter as (
    item int, task_id uuid, workflow_id uuid, session_id uuid, org_id uuid, reason text, detail text
);
create type engine.commit_config as (item int, hash bytea, org_id uuid, body bytea);

create type engine.close_answer as (verdict smallint, claimed_ms bigint, incarnation uuid);
create type engine.known_message as (
    item int, asked_id uuid, message_id uuid, body_hash bytea, seq bigint, ts_ms bigint,
    turn_id uuid
);
create type engine.head_view as (
    session_id uuid, org_id uuid, last_seq bigint, hash bytea, ts_ms bigint, status smallint,
    paused boolean, active_turn uuid, turn_first_seq bigint, closed boolean
);
create type engine.workflow_view as (
    id uuid, session_id uuid, org_id uuid, ordinal int, rev int, outcome smallint, state bytea,
    config_hash bytea, traceparent text, started_ms bigint
);
create type engine.inbox_view as (
    session_id uuid, message_id uuid, seq bigint, config_hash bytea, controls bytea
);

-- The present of sessions: head, newest workflow, waiting messages. Stable: one snapshot.
create function engine.load_v1(
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
revoke execute on function engine.load_v1(uuid[]) from public;
grant execute on function engine.load_v1(uuid[]) to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.load_v1(uuid[]);
drop type if exists
engine.commit_item, engine.commit_event, engine.commit_anchor, engine.commit_workflow,
engine.commit_close, engine.commit_mark, engine.commit_emit, engine.commit_result,
engine.commit_task, engine.commit_accept, engine.commit_consume, engine.commit_timer,
engine.commit_drop, engine.commit_dead_letter, engine.commit_config, engine.close_answer,
engine.known_message, engine.head_view, engine.workflow_view, engine.inbox_view;
