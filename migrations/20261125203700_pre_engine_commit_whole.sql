-- migrate:up
-- A flight as a whole or not at all. Most flights fit in every row, so this one compares by
-- writing and gives no verdicts; the first row that does not fit undoes all and now_ms is null, and
-- the engine asks engine.commit_v1, which judges item by item. Locks in the one order: heads,
-- workflows, tasks. The rows of workflows and inbox are guarded by their heads' locks; claims and
-- sweeps, which lock tasks without heads, skip what is locked and wait for nothing, so tasks need
-- no order of their own.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- What a closed call that needed a Start leaves to write.
create type engine.effect_end as (
    workflow_id uuid, step text, state smallint, rev int
);

create function engine.commit_whole_v1(
    p_lease_ms bigint,
    p_drift_ms bigint,
    p_heads log.head_change[],
    p_events log.new_event[],
    p_started engine.commit_workflow[],
    p_moved engine.commit_workflow[],
    p_closes engine.commit_close[],
    p_results engine.commit_result[],
    p_tasks engine.commit_task[],
    p_accepts engine.commit_accept[],
    p_keyed boolean,
    p_consumes engine.commit_consume[],
    p_timers engine.commit_timer[],
    p_dropped engine.commit_drop[],
    p_configs engine.commit_config[],
    out now_ms bigint,
    -- in the order of the heads, of the closes
    out deltas_before int[],
    out closes engine.close_answer[],
    out unclaimed uuid[]
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_rows bigint;
    v_closed bigint;
    v_kept bigint;
    v_effects engine.effect_end[];
    v_now timestamptz;
begin
    begin
        deltas_before := log.append_whole_v1(p_drift_ms, p_heads, p_events);
        v_now := clock_timestamp();
        now_ms := (extract(epoch from v_now) * 1000)::bigint;

        if cardinality(p_moved) > 0 then
            update engine.workflow as w
            set
                rev = w.rev + 1,
                outcome = c.outcome,
                state = c.state,
                config_hash = c.config_hash,
                traceparent = c.traceparent
            from unnest(p_moved) as c
            where w.id = c.id and w.rev = c.expected_rev;
            get diagnostics v_rows = row_count;
            if v_rows <> cardinality(p_moved) then
                raise exception 'engine.commit_whole: a workflow has moved' using errcode = 'MSE02';
            end if;
        end if;
        if cardinality(p_started) > 0 then
            insert into engine.workflow (
                id, session_id, org_id, ordinal, outcome, state, config_hash, traceparent, started_ms
            )
            select
                c.id, c.session_id, c.org_id, c.ordinal, c.outcome, c.state, c.config_hash,
                c.traceparent, c.started_ms
            from unnest(p_started) as c;
        end if;

        if cardinality(p_closes) > 0 or cardinality(p_results) > 0 then
            with gone as (
                delete from engine.task as t
                using unnest(p_closes) with ordinality as c
                where t.id = c.task_id and t.fence = c.fence and t.state = c.expected
                returning
                    t.id, t.fence, t.workflow_id, t.org_id, t.step, t.incarnation, t.attach_number,
                    t.claim_rev, t.rev, t.claimed_at, t.stamped_at, t.lease_until, t.acknowledged,
                    t.started_fence, t.state, t.input_hash, t.effect, c.closing, c.result_hash,
                    c.error_code, c.ordinality
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
            ),

            kept as (
                insert into engine.step_result (
                    workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
                )
                select
                    r.workflow_id, r.step, g.org_id, r.task_id, r.fence, g.rev + 1, g.input_hash, r.body,
                    r.hash
                from unnest(p_results) as r
                inner join gone as g
                    on r.task_id = g.id and r.fence = g.fence and r.workflow_id = g.workflow_id
                returning 1
            )

            select
                count(*), (select count(*) from kept),
                array_agg(
                    (1, (extract(epoch from g.claimed_at) * 1000)::bigint, g.incarnation)
                    ::engine.close_answer
                    order by g.ordinality
                ),
                array_agg(
                    (
                        g.workflow_id, g.step,
                        case
                            when g.started_fence = 0 then 6
                            when g.closing = 1 then 3
                            when g.closing = 2 then 4
                            else 5
                        end,
                        g.rev + 1
                    )::engine.effect_end
                ) filter (where g.effect >= 3)
            into v_closed, v_kept, closes, v_effects
            from gone as g;
            if v_closed <> cardinality(p_closes) or v_kept <> cardinality(p_results) then
                raise exception 'engine.commit_whole: a task is not as it was' using errcode = 'MSE02';
            end if;
            if v_effects is not null then
                update engine.effect as e
                set state = c.state, rev = c.rev, closed_at = v_now
                from unnest(v_effects) as c
                where e.workflow_id = c.workflow_id and e.step = c.step;
            end if;
        end if;

        if cardinality(p_tasks) > 0 then
            unclaimed := engine.write_tasks(p_tasks, p_lease_ms);
        end if;

        -- A message or a key that came before is refused by its row: commit_v1 says whose it is.
        if cardinality(p_accepts) > 0 then
            insert into engine.inbox (
                session_id, message_id, org_id, seq, ts_ms, config_hash, turn_id, controls,
                workflow_id, body_hash
            )
            select
                c.session_id, c.message_id, c.org_id, c.seq, c.ts_ms, c.config_hash, c.turn_id,
                c.controls, c.consumed_by, c.body_hash
            from unnest(p_accepts) as c;
            if p_keyed then
                insert into engine.idempotency (session_id, key, message_id, org_id, body_hash)
                select c.session_id, c.idempotency_key, c.message_id, c.org_id, c.body_hash
                from unnest(p_accepts) as c
                where c.idempotency_key is not null;
            end if;
        end if;
        if cardinality(p_consumes) > 0 then
            perform engine.write_inputs('{}', p_consumes);
        end if;
        if cardinality(p_timers) > 0 or cardinality(p_dropped) > 0 then
            perform engine.write_timers(p_timers, p_dropped);
        end if;
        if cardinality(p_configs) > 0 then
            insert into engine.config (hash, org_id, body)
            select c.hash, c.org_id, c.body
            from unnest(p_configs) as c
            order by c.hash
            on conflict (hash) do nothing;
        end if;
    exception
        -- Undone to the last row; told without an error, for a conflict is nothing unusual.
        when sqlstate 'MSL02' or sqlstate 'MSE01' or sqlstate 'MSE02' or unique_violation then
            now_ms := null;
    end;
end
$$;

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid::regprocedure from pg_proc
        where pronamespace = 'engine'::regnamespace and proname = 'commit_whole_v1'
    loop
        execute format('revoke execute on function %s from public', v_function);
        execute format('grant execute on function %s to engine_run', v_function);
    end loop;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.commit_whole_v1;
drop type if exists engine.effect_end;
