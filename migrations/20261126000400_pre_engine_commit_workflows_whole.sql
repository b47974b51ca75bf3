-- migrate:up
-- What commit_whole_v1 is to commit_v1, this is to commit_workflows_v1: all of a flight with starts,
-- checkpoints, waits and signals, or nothing, and then now_ms is null and the flight is judged.
-- Locks: start keys, then those of commit_whole_v1; tasks of checkpoints come last, like its own.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create function engine.commit_workflows_whole_v1(
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
    p_starts engine.commit_start[],
    p_emits engine.commit_emit[],
    p_steps engine.commit_step[],
    p_waits engine.commit_wait[],
    p_ended_waits engine.commit_end_wait[],
    p_signals engine.commit_signal[],
    p_takes engine.commit_take[],
    out now_ms bigint,
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
begin
    begin
        if cardinality(p_starts) > 0 then
            insert into engine.start (workflow_id, org_id, type, key, queue, hash, started_ms)
            select s.workflow_id, s.org_id, s.type, s.key, s.queue, s.hash, s.started_ms
            from unnest(p_starts) as s
            order by s.org_id, s.key;
            perform log.open_empty_v1(array_agg(s.workflow_id), array_agg(s.org_id))
            from unnest(p_starts) as s;
        end if;

        select c.now_ms, c.deltas_before, c.closes, c.unclaimed
        into now_ms, deltas_before, closes, unclaimed
        from engine.commit_whole_v1(
            p_lease_ms, p_drift_ms, p_heads, p_events, p_started, p_moved, p_closes, p_results,
            p_tasks, p_accepts, p_keyed, p_consumes, p_timers, p_dropped, p_configs
        ) as c;
        if now_ms is null then
            raise exception 'engine.commit_workflows_whole: it does not fit' using errcode = 'MSE02';
        end if;

        if cardinality(p_emits) > 0 then
            update engine.task as t
            set emit_counter = e.counter, rev = t.rev + 1
            from (
                select x.task_id, x.fence, min(x.counter) as first, max(x.counter) as counter
                from unnest(p_emits) as x
                group by x.task_id, x.fence
            ) as e
            where
                t.id = e.task_id and t.fence = e.fence and t.state = 2 and t.emit_counter < e.first;
            get diagnostics v_rows = row_count;
            if v_rows <> (select count(distinct x.task_id) from unnest(p_emits) as x) then
                raise exception 'engine.commit_workflows_whole: an attempt has moved'
                    using errcode = 'MSE02';
            end if;
        end if;
        if cardinality(p_steps) > 0 then
            perform engine.write_steps(p_steps);
        end if;
        if
            cardinality(p_waits) > 0 or cardinality(p_ended_waits) > 0
            or cardinality(p_signals) > 0 or cardinality(p_takes) > 0
        then
            perform engine.write_waits(p_waits, p_ended_waits, p_signals, p_takes);
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
        where pronamespace = 'engine'::regnamespace and proname = 'commit_workflows_whole_v1'
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

drop function if exists engine.commit_workflows_whole_v1;
