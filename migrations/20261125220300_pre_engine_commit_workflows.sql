-- migrate:up
-- A flight that has more than commit_v1 knows: starts, steps recorded in mid attempt, waits and
-- signals. It judges what is its own, lets commit_v1 judge and write the rest, and writes its own
-- for what was committed, under the locks that commit_v1 took. An item that it refuses itself is
-- handed on with an organization that no head has, so that nothing of it is written.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Returns the starts whose key is known, so that they are refused. The keys are the last lock that
-- anybody takes before the heads of workflows that only he knows; sorted, they cannot deadlock.
create function engine.write_starts(
    p_drift_ms bigint, p_items engine.commit_item[], p_starts engine.commit_start[]
) returns engine.known_start[]
language plpgsql
as $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    v_new uuid[];
begin
    with added as (
        insert into engine.start (workflow_id, org_id, type, key, queue, hash, started_ms)
        select s.workflow_id, s.org_id, s.type, s.key, s.queue, s.hash, s.started_ms
        from unnest(p_starts) as s
        inner join unnest(p_items) as i on s.item = i.item
        -- A time that commit_v1 would not take: it is decided again, with the clock of the reply.
        where i.to_ts_ms between v_now - p_drift_ms and v_now + p_drift_ms
        order by s.org_id, s.key
        on conflict (org_id, key) do nothing
        returning workflow_id
    )

    select coalesce(array_agg(a.workflow_id), '{}') into v_new from added as a;

    perform log.open_empty_v1(array_agg(s.workflow_id), array_agg(s.org_id))
    from unnest(p_starts) as s
    where s.workflow_id = any(v_new)
    having count(*) > 0;

    return array(
        select (s.item, k.workflow_id, k.hash)::engine.known_start
        from unnest(p_starts) as s
        inner join engine.start as k on s.org_id = k.org_id and s.key = k.key
        where s.workflow_id <> all(v_new)
        order by s.item
    );
end
$$;

create function engine.write_steps(p_steps engine.commit_step[]) returns void
language plpgsql
as $$
declare
    v_kept bigint;
begin
    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
    )
    select
        s.workflow_id, s.step, s.org_id, s.task_id, s.fence, r.rev, s.input_hash, s.body, s.hash,
        true
    from unnest(p_steps) as s
    cross join lateral (
        select 0 as rev where s.fence = 0
        union all
        select t.rev from engine.task as t
        where s.fence > 0 and t.id = s.task_id and t.fence = s.fence
        union all
        -- The last steps ride with the result that ends their attempt.
        select a.close_rev from engine.attempt as a
        where s.fence > 0 and a.task_id = s.task_id and a.fence = s.fence
    ) as r;
    get diagnostics v_kept = row_count;
    if v_kept <> cardinality(p_steps) then
        raise exception 'engine.commit: % of % recorded steps have their attempt',
            v_kept, cardinality(p_steps) using errcode = 'MSE01';
    end if;
end
$$;

create function engine.write_waits(
    p_waits engine.commit_wait[], p_ended engine.commit_end_wait[],
    p_signals engine.commit_signal[], p_takes engine.commit_take[]
) returns void
language plpgsql
as $$
declare
    v_taken bigint;
begin
    delete from engine.wait as w
    using unnest(p_ended) as e
    where w.workflow_id = e.workflow_id and w.step = e.step;

    insert into engine.wait (workflow_id, step, org_id, timer_id, body)
    select w.workflow_id, w.step, w.org_id, w.timer_id, w.body
    from unnest(p_waits) as w;

    insert into engine.signal (session_id, source_turn, kind, org_id, body, consumed_by)
    select
        s.session_id, s.source, s.kind, s.org_id, s.body,
        case when s.taken then s.session_id end
    from unnest(p_signals) as s;

    if cardinality(p_takes) > 0 then
        update engine.signal as s
        set consumed_by = t.session_id
        from unnest(p_takes) as t
        where
            s.session_id = t.session_id and s.source_turn = t.source and s.kind = t.kind
            and s.consumed_by is null;
        get diagnostics v_taken = row_count;
        if v_taken <> cardinality(p_takes) then
            raise exception 'engine.commit: % of % signals were waiting', v_taken, cardinality(p_takes)
                using errcode = 'MSE01';
        end if;
    end if;
end
$$;

create function engine.commit_workflows_v1(
    p_lease_ms bigint,
    p_drift_ms bigint,
    p_items engine.commit_item[],
    p_events engine.commit_event[],
    p_anchors engine.commit_anchor[],
    p_workflows engine.commit_workflow[],
    p_closes engine.commit_close[],
    p_marks engine.commit_mark[],
    p_emits engine.commit_emit[],
    p_results engine.commit_result[],
    p_tasks engine.commit_task[],
    p_accepts engine.commit_accept[],
    p_consumes engine.commit_consume[],
    p_timers engine.commit_timer[],
    p_dropped engine.commit_drop[],
    p_dead_letters engine.commit_dead_letter[],
    p_configs engine.commit_config[],
    p_starts engine.commit_start[],
    p_steps engine.commit_step[],
    p_waits engine.commit_wait[],
    p_ended_waits engine.commit_end_wait[],
    p_signals engine.commit_signal[],
    p_takes engine.commit_take[],
    out now_ms bigint,
    out verdicts smallint[],
    out deltas_before int[],
    out closes engine.close_answer[],
    out marks smallint[],
    out emits smallint[],
    out unclaimed uuid[],
    out known engine.known_message[],
    out heads engine.head_view[],
    out workflows engine.workflow_view[],
    out inbox engine.inbox_view[],
    -- starts whose key was used before
    out starts engine.known_start[]
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_repeated int[] := '{}';
    v_all_committed boolean;
begin
    if cardinality(p_starts) > 0 then
        starts := engine.write_starts(p_drift_ms, p_items, p_starts);
    end if;
    if cardinality(p_signals) > 0 then
        v_repeated := array(
            select s.item
            from unnest(p_signals) as s
            inner join engine.signal as k
                on s.session_id = k.session_id and s.source = k.source_turn and s.kind = k.kind
        );
        if v_repeated <> '{}' then
            p_items := array(
                select
                    case
                        when i.item = any(v_repeated) then (
                            i.item, i.session_id, '00000000-0000-0000-0000-000000000000'::uuid,
                            i.last_seq, i.hash, i.status, i.paused, i.active_turn, i.turn_first_seq,
                            i.closed, i.to_last_seq, i.to_hash, i.to_ts_ms, i.to_status,
                            i.to_active_turn, i.to_turn_first_seq, i.to_closed, i.events,
                            i.close_anchors, i.moves_head
                        )::engine.commit_item
                        else i
                    end
                from unnest(p_items) as i
                order by i.item
            );
        end if;
    end if;
    v_repeated := v_repeated || array(select (k.item) from unnest(starts) as k);

    select
        c.now_ms, c.verdicts, c.deltas_before, c.closes, c.marks, c.emits, c.unclaimed, c.known,
        c.heads, c.workflows, c.inbox
    into
        now_ms, verdicts, deltas_before, closes, marks, emits, unclaimed, known,
        heads, workflows, inbox
    from engine.commit_v1(
        p_lease_ms, p_drift_ms, p_items, p_events, p_anchors, p_workflows, p_closes, p_marks,
        p_emits, p_results, p_tasks, p_accepts, p_consumes, p_timers, p_dropped, p_dead_letters,
        p_configs
    ) as c;

    v_all_committed := 1 = all(verdicts);
    if not v_all_committed then
        if exists (
            select from unnest(p_starts) as s
            inner join engine.start as k on s.workflow_id = k.workflow_id
            where verdicts[s.item] <> 1 and s.item <> all(v_repeated)
        ) then
            raise exception 'engine.commit: a start was opened and not committed'
                using errcode = 'MSE01';
        end if;
        verdicts := array(
            select case when v.n = any(v_repeated) then 2 else v.verdict end
            from unnest(verdicts) with ordinality as v (verdict, n)
            order by v.n
        );
        p_steps := array(select c from unnest(p_steps) as c where verdicts[c.item] = 1);
        p_waits := array(select c from unnest(p_waits) as c where verdicts[c.item] = 1);
        p_ended_waits := array(select c from unnest(p_ended_waits) as c where verdicts[c.item] = 1);
        p_signals := array(select c from unnest(p_signals) as c where verdicts[c.item] = 1);
        p_takes := array(select c from unnest(p_takes) as c where verdicts[c.item] = 1);
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
end
$$;

do $$
declare
    v_function record;
begin
    for v_function in
        select oid::regprocedure as signature, proname::text as name from pg_proc
        where
            pronamespace = 'engine'::regnamespace
            and proname in ('write_starts', 'write_steps', 'write_waits', 'commit_workflows_v1')
    loop
        execute format('revoke execute on function %s from public', v_function.signature);
        if v_function.name = 'commit_workflows_v1' then
            execute format('grant execute on function %s to engine_run', v_function.signature);
        end if;
    end loop;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.commit_workflows_v1;
drop function if exists engine.write_waits;
drop function if exists engine.write_steps;
drop function if exists engine.write_starts;
