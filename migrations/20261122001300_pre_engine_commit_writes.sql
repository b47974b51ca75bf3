-- migrate:up
-- The writing half of engine.commit_v1: each function writes what was judged fit, under the locks
-- that commit_v1 holds. Not granted to anybody: they run as their owner inside commit_v1 and take
-- its settings. A row that does not fit here is a broken promise: MSE01 undoes the flight.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- The log is appended to before any head closes, and a closed head takes its closing group once.
create function engine.write_log(
    p_items engine.commit_item[], p_events engine.commit_event[],
    p_anchors engine.commit_anchor[], p_closing boolean
) returns void
language plpgsql
as $$
declare
    v_sessions uuid[] := array(
        select i.session_id from unnest(p_items) as i where i.moves_head and i.closed = p_closing
    );
    e record;
    h record;
    a record;
begin
    if cardinality(v_sessions) = 0 then
        return;
    end if;
    select
        coalesce(array_agg(v.session_id), '{}') as session_id, coalesce(array_agg(v.seq), '{}') as seq,
        coalesce(array_agg(v.type), '{}') as type, coalesce(array_agg(v.ts_ms), '{}') as ts_ms,
        coalesce(array_agg(v.turn_id), '{}') as turn_id,
        coalesce(array_agg(v.payload), '{}') as payload, coalesce(array_agg(v.hash), '{}') as hash
    into e
    from unnest(p_events) as v
    where v.session_id = any(v_sessions);
    select
        array_agg(i.session_id) as session_id, array_agg(i.org_id) as org_id,
        array_agg(i.to_last_seq) as last_seq, array_agg(i.to_hash) as hash,
        array_agg(i.to_ts_ms) as ts_ms, array_agg(i.to_status) as status,
        array_agg(i.to_active_turn) as active_turn,
        array_agg(i.to_turn_first_seq) as turn_first_seq, array_agg(i.close_anchors) as close_anchors
    into h
    from unnest(p_items) as i
    where i.moves_head and i.closed = p_closing;
    select
        coalesce(array_agg(v.session_id), '{}') as session_id,
        coalesce(array_agg(v.anchor), '{}') as anchor, coalesce(array_agg(v.attempt), '{}') as attempt
    into a
    from unnest(p_anchors) as v
    where v.session_id = any(v_sessions);
    if p_closing then
        perform log.append_closing_v1(
            e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload, e.hash,
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.active_turn,
            h.turn_first_seq, h.close_anchors, a.session_id, a.anchor, a.attempt
        );
    else
        perform log.append_v1(
            e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload, e.hash,
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.active_turn,
            h.turn_first_seq, h.close_anchors, a.session_id, a.anchor, a.attempt
        );
    end if;
end
$$;

create function engine.write_workflows(p_workflows engine.commit_workflow[]) returns void
language plpgsql
as $$
begin
    -- Ended turns first: the next one of a session may start in the same flight.
    update engine.workflow as w
    set
        rev = w.rev + 1,
        outcome = c.outcome,
        state = c.state,
        config_hash = c.config_hash,
        traceparent = c.traceparent
    from unnest(p_workflows) as c
    where
        c.expected_rev > 0
        and w.id = c.id
        and w.id = any(array(select x.id from unnest(p_workflows) as x where x.expected_rev > 0));

    insert into engine.workflow (
        id, session_id, org_id, ordinal, outcome, state, config_hash, traceparent, started_ms
    )
    select
        c.id, c.session_id, c.org_id, c.ordinal, c.outcome, c.state, c.config_hash, c.traceparent,
        c.started_ms
    from unnest(p_workflows) as c
    where c.expected_rev = 0;
end
$$;

create function engine.write_marks(p_marks engine.commit_mark[], p_emits engine.commit_emit[])
returns void
language plpgsql
as $$
begin
    update engine.task as t
    set
        cancelling = t.cancelling or c.cancelling,
        emit_counter = greatest(t.emit_counter, c.counter),
        rev = t.rev + 1
    from (
        select x.task_id, bool_or(x.cancelling) as cancelling, max(x.counter) as counter
        from (
            select m.task_id, true as cancelling, 0 as counter from unnest(p_marks) as m
            union all
            select e.task_id, false, e.counter from unnest(p_emits) as e
        ) as x
        group by x.task_id
    ) as c
    where
        t.id = c.task_id
        and t.id = any(
            array(select m.task_id from unnest(p_marks) as m)
            || array(select e.task_id from unnest(p_emits) as e)
        );
end
$$;

create function engine.write_closes(
    p_closes engine.commit_close[], p_results engine.commit_result[]
) returns void
language plpgsql
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_kept bigint;
begin
    with gone as (
        delete from engine.task as t
        using unnest(p_closes) as c
        where
            c.delay_ms is null
            and t.id = c.task_id
            and t.id = any(array(select x.task_id from unnest(p_closes) as x where x.delay_ms is null))
        returning
            t.id, t.fence, t.workflow_id, t.org_id, t.step, t.incarnation, t.attach_number,
            t.claim_rev, t.rev, t.claimed_at, t.stamped_at, t.lease_until, t.acknowledged,
            t.started_fence, t.state, t.input_hash, c.closing, c.result_hash, c.error_code
    ),

    attempts as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        select
            g.id, g.fence, g.workflow_id, g.org_id, g.step, g.incarnation, g.attach_number,
            g.claim_rev, g.rev + 1, g.claimed_at, v_now, g.stamped_at, g.lease_until,
            g.acknowledged, g.started_fence = g.fence, g.closing, g.result_hash, g.error_code
        from gone as g
        where g.state = 2
    )

    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
    )
    select r.workflow_id, r.step, g.org_id, r.task_id, r.fence, g.rev + 1, g.input_hash, r.body, r.hash
    from unnest(p_results) as r
    inner join gone as g
        on r.task_id = g.id and r.fence = g.fence and r.workflow_id = g.workflow_id;

    get diagnostics v_kept = row_count;
    if v_kept <> cardinality(p_results) then
        raise exception 'engine.commit: % of % step results belong to a task that closes',
            v_kept, cardinality(p_results) using errcode = 'MSE01';
    end if;
end
$$;

-- An attempt ends, its task waits for the next one.
create function engine.write_delays(p_closes engine.commit_close[]) returns void
language plpgsql
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    with delayed as (
        update engine.task as t
        set
            state = 3, rev = t.rev + 1,
            run_at = v_now + c.delay_ms * interval '1 millisecond',
            lease_until = null, incarnation = null, attach_number = null,
            acknowledged = false,
            failures = t.failures + c.counts_failure::int,
            deaths = t.deaths + c.counts_death::int,
            died = case when c.counts_death then array_append(t.died, t.fence) else t.died end,
            uncounted = t.uncounted + (not (c.counts_failure or c.counts_death))::int
        from unnest(p_closes) as c
        where
            c.delay_ms is not null
            and t.id = c.task_id
            and t.id = any(
                array(select x.task_id from unnest(p_closes) as x where x.delay_ms is not null)
            )
        returning
            t.id, t.fence, t.workflow_id, t.org_id, t.step, old.incarnation, old.attach_number,
            t.claim_rev, t.rev, t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
            t.started_fence, old.state, c.closing, c.result_hash, c.error_code
    )

    insert into engine.attempt (
        task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
        close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
        closing, result_hash, error_code
    )
    select
        d.id, d.fence, d.workflow_id, d.org_id, d.step, d.incarnation, d.attach_number,
        d.claim_rev, d.rev, d.claimed_at, v_now, d.stamped_at, d.lease_until, d.acknowledged,
        d.started_fence = d.fence, d.closing, d.result_hash, d.error_code
    from delayed as d
    where d.state = 2;
end
$$;

-- The outcome of calls that needed a Start; before their tasks go.
create function engine.write_effects(p_closes engine.commit_close[]) returns void
language plpgsql
as $$
begin
    update engine.effect as e
    set
        state = case
            when t.started_fence = 0 then 6
            when c.closing = 1 then 3
            when c.closing = 2 then 4
            else 5
        end,
        rev = t.rev + 1,
        closed_at = clock_timestamp()
    from unnest(p_closes) as c
    inner join engine.task as t on c.task_id = t.id
    where
        c.delay_ms is null
        and t.effect >= 3
        and e.workflow_id = t.workflow_id
        and e.step = t.step;
end
$$;

-- Returns the tasks that were to be claimed at once and wait instead: their worker has attached
-- anew since, so the stream they were meant for is gone.
create function engine.write_tasks(p_tasks engine.commit_task[], p_lease_ms bigint) returns uuid[]
language plpgsql
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_unclaimed uuid[];
    v_effects boolean;
begin
    with payloads as (
        insert into engine.payload (task_id, org_id, step, payload, input_hash)
        select c.id, c.org_id, c.step, c.payload, sha256(c.payload)
        from unnest(p_tasks) as c
    ),

    added as (
        insert into engine.task (
            id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
            run_at, state, fence, claim_rev, claimed_at, stamped_at, lease_until, incarnation,
            attach_number
        )
        select
            c.id, c.workflow_id, c.session_id, c.org_id, c.route, c.priority, c.kind, c.effect,
            c.step, sha256(c.payload), v_now,
            case when w.incarnation is null then 1 else 2 end,
            case when w.incarnation is null then 0 else 1 end,
            case when w.incarnation is null then 0 else 1 end,
            case when w.incarnation is not null then v_now end,
            case when w.incarnation is not null then v_now end,
            case when w.incarnation is not null
                then v_now + p_lease_ms * interval '1 millisecond' end,
            w.incarnation,
            w.attach_number
        from unnest(p_tasks) as c
        left join engine.worker as w
            on
                c.incarnation = w.incarnation
                and c.attach_number = w.attach_number
                and w.incarnation = any(array(select x.incarnation from unnest(p_tasks) as x))
        returning id, state, effect
    )

    select
        array_agg(a.id) filter (
            where a.state = 1 and a.id = any(
                array(select x.id from unnest(p_tasks) as x where x.incarnation is not null)
            )
        ),
        bool_or(a.effect >= 3)
    into v_unclaimed, v_effects
    from added as a;

    if v_effects then
        insert into engine.effect (workflow_id, step, org_id, task_id, class, rev)
        select c.workflow_id, c.step, c.org_id, c.id, c.effect, 1
        from unnest(p_tasks) as c
        where c.effect >= 3;
    end if;
    return v_unclaimed;
end
$$;

create function engine.write_inputs(
    p_accepts engine.commit_accept[], p_consumes engine.commit_consume[]
) returns void
language plpgsql
as $$
declare
    v_consumed bigint;
begin
    if cardinality(p_accepts) > 0 then
        insert into engine.inbox (
            session_id, message_id, org_id, seq, ts_ms, config_hash, turn_id, controls,
            workflow_id, body_hash
        )
        select
            c.session_id, c.message_id, c.org_id, c.seq, c.ts_ms, c.config_hash, c.turn_id,
            c.controls, c.consumed_by, c.body_hash
        from unnest(p_accepts) as c;

        insert into engine.idempotency (session_id, key, message_id, org_id, body_hash)
        select c.session_id, c.idempotency_key, c.message_id, c.org_id, c.body_hash
        from unnest(p_accepts) as c
        where c.idempotency_key is not null;
    end if;

    if cardinality(p_consumes) > 0 then
        update engine.inbox as i
        set workflow_id = c.workflow_id
        from unnest(p_consumes) as c
        where
            i.session_id = c.session_id
            and i.message_id = c.message_id
            and i.workflow_id is null
            and i.session_id = any(array(select x.session_id from unnest(p_consumes) as x))
            and i.message_id = any(array(select x.message_id from unnest(p_consumes) as x));
        get diagnostics v_consumed = row_count;
        if v_consumed <> cardinality(p_consumes) then
            raise exception 'engine.commit: % of % consumed messages were waiting',
                v_consumed, cardinality(p_consumes) using errcode = 'MSE01';
        end if;
    end if;
end
$$;

create function engine.write_timers(
    p_timers engine.commit_timer[], p_dropped engine.commit_drop[]
) returns void
language plpgsql
as $$
begin
    if cardinality(p_dropped) > 0 then
        -- One that is gone was dropped before; that is no conflict, for its effect rides the head.
        delete from engine.timer as t
        where t.id = any(array(select d.timer_id from unnest(p_dropped) as d));
    end if;
    if cardinality(p_timers) > 0 then
        insert into engine.timer (id, workflow_id, session_id, org_id, kind, due_at)
        select
            c.id, c.workflow_id, c.session_id, c.org_id, c.kind,
            clock_timestamp() + c.delay_ms * interval '1 millisecond'
        from unnest(p_timers) as c;
    end if;
end
$$;

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid::regprocedure from pg_proc
        where pronamespace = 'engine'::regnamespace and proname like 'write\_%'
    loop
        execute format('revoke execute on function %s from public', v_function);
    end loop;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.write_timers;
drop function if exists engine.write_inputs;
drop function if exists engine.write_tasks;
drop function if exists engine.write_effects;
drop function if exists engine.write_delays;
drop function if exists engine.write_closes;
drop function if exists engine.write_marks;
drop function if exists engine.write_workflows;
drop function if exists engine.write_log;
