-- migrate:up
-- One flight: lock heads, workflows and tasks in this order, each by id; give each item a verdict;
-- write what is fit. Verdicts: 1 committed, 2 duplicate, 3 stale, 5 conflict; a duplicate entry
-- outweighs a stale one, that a conflict. Anything unexpected raises and undoes the flight.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create function engine.commit_v1(
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
    out now_ms bigint,
    -- by item
    out verdicts smallint[],
    out deltas_before int[],
    -- in the order of the argument
    out closes engine.close_answer[],
    out marks smallint[],
    out emits smallint[],
    out unclaimed uuid[],
    out known engine.known_message[],
    -- the present of items in conflict
    out heads engine.head_view[],
    out workflows engine.workflow_view[],
    out inbox engine.inbox_view[]
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_fits boolean[];
    v_fit boolean;
    v_moves boolean;
    v_closing boolean;
    v_ending boolean;
    v_moved int[];
    v_duplicate int[];
    v_stale int[];
    v_delayed boolean := false;
    v_ended boolean := false;
    v_effects boolean := false;
begin
    -- Heads. Their times bound the proposed ones from below, the database's clock from both sides.
    select
        array_agg(j.fits order by j.item), bool_and(j.fits), array_agg(j.n order by j.item),
        bool_or(j.moves_head), bool_or(j.closed), bool_or(j.to_closed and not j.closed)
    into v_fits, v_fit, deltas_before, v_moves, v_closing, v_ending
    from (
        select
            i.item, i.moves_head, i.closed, i.to_closed,
            h.session_id is not null
            and h.org_id = i.org_id and h.last_seq = i.last_seq and h.hash = i.hash
            and h.status = i.status and h.paused = i.paused and h.closed = i.closed
            and h.active_turn is not distinct from i.active_turn
            and h.turn_first_seq = i.turn_first_seq
            and (
                i.events = 0 or i.to_ts_ms between
                greatest(h.ts_ms, (extract(epoch from clock_timestamp()) * 1000)::bigint - p_drift_ms)
                and greatest(h.ts_ms, (extract(epoch from clock_timestamp()) * 1000)::bigint + p_drift_ms)
            ) as fits,
            case when i.events > 0 then coalesce(h.n, 0) else 0 end as n
        from unnest(p_items) as i
        left join log.lock_v1(array(select s.session_id from unnest(p_items) as s)) as h
            on i.session_id = h.session_id
    ) as j;
    now_ms := (extract(epoch from clock_timestamp()) * 1000)::bigint;

    -- Workflows of items whose head fits; a missing row counts as rev 0.
    if cardinality(p_workflows) > 0 then
        with locked as materialized (
            select w.id, w.rev
            from engine.workflow as w
            where w.id = any(array(select c.id from unnest(p_workflows) as c where v_fits[c.item]))
            order by w.id
            for no key update
        )

        select array_agg(c.item) into v_moved
        from unnest(p_workflows) as c
        left join locked as l on c.id = l.id
        where v_fits[c.item] and coalesce(l.rev, 0) <> c.expected_rev;
    end if;

    -- Tasks. Of items that do not fit anyway they are only looked at.
    if cardinality(p_closes) > 0 or cardinality(p_marks) > 0 or cardinality(p_emits) > 0 then
        with asked as materialized (
            select
                1 as part, c.ordinality as n, c.item, c.task_id, c.fence, c.expected, c.result_hash,
                null::int as counter, c.delay_ms is not null as delayed
            from unnest(p_closes) with ordinality as c
            union all
            select 2, m.ordinality, m.item, m.task_id, m.fence, 2, null, null, false
            from unnest(p_marks) with ordinality as m
            union all
            select 3, e.ordinality, e.item, e.task_id, e.fence, 2, null, e.counter, false
            from unnest(p_emits) with ordinality as e
        ),

        locked as materialized (
            select t.id, t.fence, t.state, t.emit_counter, t.effect, t.claimed_at, t.incarnation
            from engine.task as t
            where t.id = any(array(select a.task_id from asked as a where v_fits[a.item]))
            order by t.id
            for no key update
        ),

        seen as (
            select l.* from locked as l
            union all
            select t.id, t.fence, t.state, t.emit_counter, t.effect, t.claimed_at, t.incarnation
            from engine.task as t
            where
                not v_fit
                and t.id = any(array(select a.task_id from asked as a where not v_fits[a.item]))
                and t.id <> all(array(select l.id from locked as l))
        ),

        judged as (
            select
                a.part, a.n, a.item, a.delayed, t.effect,
                case
                    when t.fence = a.fence and t.state = a.expected
                        then case when a.counter <= t.emit_counter then 2 else 1 end
                    when
                        a.result_hash <> '' and exists (
                            select from engine.attempt as b
                            where
                                b.task_id = a.task_id
                                and b.fence = a.fence
                                and b.result_hash = a.result_hash
                        ) then 2
                    else 3
                end::smallint as verdict,
                (extract(epoch from t.claimed_at) * 1000)::bigint as claimed_ms,
                t.incarnation
            from asked as a
            left join seen as t on a.task_id = t.id
        )

        select
            array_agg((j.verdict, j.claimed_ms, j.incarnation)::engine.close_answer order by j.n)
            filter (where j.part = 1),
            array_agg(j.verdict order by j.n) filter (where j.part = 2),
            array_agg(j.verdict order by j.n) filter (where j.part = 3),
            array_agg(j.item) filter (where j.verdict = 2),
            array_agg(j.item) filter (where j.verdict = 3),
            bool_or(j.delayed),
            bool_or(j.part = 1 and not j.delayed),
            bool_or(j.part = 1 and j.effect >= 3)
        into closes, marks, emits, v_duplicate, v_stale, v_delayed, v_ended, v_effects
        from judged as j;
    end if;

    -- Messages that came before, by their id or by their key.
    if cardinality(p_accepts) > 0 then
        select array_agg(
            (a.item, a.message_id, k.message_id, k.body_hash, k.seq, k.ts_ms, k.turn_id)
            ::engine.known_message
        )
        into known
        from unnest(p_accepts) as a
        cross join lateral (
            select i.message_id, i.body_hash, i.seq, i.ts_ms, i.turn_id
            from engine.inbox as i
            where i.session_id = a.session_id and i.message_id = a.message_id
            union all
            select i.message_id, d.body_hash, i.seq, i.ts_ms, i.turn_id
            from engine.idempotency as d
            inner join engine.inbox as i
                on d.session_id = i.session_id and d.message_id = i.message_id
            where d.session_id = a.session_id and d.key = a.idempotency_key
            limit 1
        ) as k;
        if known is not null then
            v_duplicate := coalesce(v_duplicate, '{}')
            || array(select (k.item) from unnest(known) as k);
        end if;
    end if;

    verdicts := array_fill(1::smallint, array[cardinality(p_items)]);
    if not v_fit or v_moved is not null or v_duplicate is not null or v_stale is not null then
        verdicts := array(
            select
                case
                    when i.item = any(v_duplicate) then 2
                    when i.item = any(v_stale) then 3
                    when not v_fits[i.item] or i.item = any(v_moved) then 5
                    else 1
                end
            from unnest(p_items) as i
            order by i.item
        );
        -- What was fit by itself in an item that is not written: decide again.
        closes := array(
            select (
                case when v_closes.verdict = 1 and verdicts[c.item] <> 1 then 5::smallint else v_closes.verdict end,
                v_closes.claimed_ms, v_closes.incarnation
            )::engine.close_answer
            from unnest(p_closes) with ordinality as c
            inner join unnest(closes) with ordinality as v_closes on c.ordinality = v_closes.ordinality
            order by c.ordinality
        );
        marks := array(
            select case when marks[m.ordinality] = 1 and verdicts[m.item] <> 1 then 5 else marks[m.ordinality] end
            from unnest(p_marks) with ordinality as m
            order by m.ordinality
        );
        emits := array(
            select case when emits[e.ordinality] = 1 and verdicts[e.item] <> 1 then 5 else emits[e.ordinality] end
            from unnest(p_emits) with ordinality as e
            order by e.ordinality
        );
        select l.heads, l.workflows, l.inbox into heads, workflows, inbox
        from engine.load_v1(
            array(select i.session_id from unnest(p_items) as i where verdicts[i.item] = 5)
        ) as l;
        if 1 <> all(verdicts) then
            return;
        end if;
        p_events := array(select c from unnest(p_events) as c where verdicts[c.item] = 1);
        p_anchors := array(select c from unnest(p_anchors) as c where verdicts[c.item] = 1);
        p_workflows := array(select c from unnest(p_workflows) as c where verdicts[c.item] = 1);
        p_closes := array(select c from unnest(p_closes) as c where verdicts[c.item] = 1);
        p_marks := array(select c from unnest(p_marks) as c where verdicts[c.item] = 1);
        p_emits := array(select c from unnest(p_emits) as c where verdicts[c.item] = 1);
        p_results := array(select c from unnest(p_results) as c where verdicts[c.item] = 1);
        p_tasks := array(select c from unnest(p_tasks) as c where verdicts[c.item] = 1);
        p_accepts := array(select c from unnest(p_accepts) as c where verdicts[c.item] = 1);
        p_consumes := array(select c from unnest(p_consumes) as c where verdicts[c.item] = 1);
        p_timers := array(select c from unnest(p_timers) as c where verdicts[c.item] = 1);
        p_dropped := array(select c from unnest(p_dropped) as c where verdicts[c.item] = 1);
        p_dead_letters := array(select c from unnest(p_dead_letters) as c where verdicts[c.item] = 1);
        p_configs := array(select c from unnest(p_configs) as c where verdicts[c.item] = 1);
        p_items := array(select c from unnest(p_items) as c where verdicts[c.item] = 1);
    end if;

    if v_moves then
        perform engine.write_log(p_items, p_events, p_anchors, false);
        if v_closing then
            perform engine.write_log(p_items, p_events, p_anchors, true);
        end if;
    end if;
    if v_ending then
        perform log.close_v1(array_agg(i.session_id), array_agg(i.org_id))
        from unnest(p_items) as i
        where i.to_closed and not i.closed;
    end if;
    if cardinality(p_workflows) > 0 then
        perform engine.write_workflows(p_workflows);
    end if;
    if cardinality(p_marks) > 0 or cardinality(p_emits) > 0 then
        perform engine.write_marks(p_marks, p_emits);
    end if;
    if v_effects then
        perform engine.write_effects(p_closes);
    end if;
    if v_ended or cardinality(p_results) > 0 then
        perform engine.write_closes(p_closes, p_results);
    end if;
    if v_delayed then
        perform engine.write_delays(p_closes);
    end if;
    if cardinality(p_tasks) > 0 then
        unclaimed := engine.write_tasks(p_tasks, p_lease_ms);
    end if;
    if cardinality(p_accepts) > 0 or cardinality(p_consumes) > 0 then
        perform engine.write_inputs(p_accepts, p_consumes);
    end if;
    if cardinality(p_timers) > 0 or cardinality(p_dropped) > 0 then
        perform engine.write_timers(p_timers, p_dropped);
    end if;
    if cardinality(p_dead_letters) > 0 then
        insert into engine.dead_letter (task_id, workflow_id, session_id, org_id, reason, detail)
        select c.task_id, c.workflow_id, c.session_id, c.org_id, c.reason, c.detail
        from unnest(p_dead_letters) as c;
    end if;
    if cardinality(p_configs) > 0 then
        insert into engine.config (hash, org_id, body)
        select c.hash, c.org_id, c.body
        from unnest(p_configs) as c
        order by c.hash
        on conflict (hash) do nothing;
    end if;
end
$$;

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid::regprocedure from pg_proc
        where pronamespace = 'engine'::regnamespace and proname = 'commit_v1'
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

drop function if exists engine.commit_v1;
