-- migrate:up
-- What a commit names is looked up by its keys, whatever the statistics say.
-- Tables that are empty at night (tasks, waits, signals) are analysed as empty then; until the next
-- analyse the planner expects one row of them, to which reading a whole index looks as cheap as a look-up.
-- With 50,000 tasks waiting, a turn's commits read all of them: 114 turns a second, not 522.
--
-- Only the lines that change are here; each must be found as it was.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

do $change$
declare
    v_change record;
    v_was text;
begin
    for v_change in
        select * from (values
            (
'engine.commit_whole_v1',
$was$
                where t.id = c.task_id and t.fence = c.fence and t.state = c.expected
$was$,
$new$
                where
                    t.id = c.task_id and t.fence = c.fence and t.state = c.expected
                    and t.id = any(array(select x.task_id from unnest(p_closes) as x))
$new$
            ),
            (
'engine.commit_workflows_whole_v1',
$was$
                t.id = e.task_id and t.fence = e.fence and t.state = 2 and t.emit_counter < e.first;
$was$,
$new$
                t.id = e.task_id and t.fence = e.fence and t.state + 0 = 2
                and t.emit_counter < e.first
                and t.id = any(array(select x.task_id from unnest(p_emits) as x));
$new$
            ),
            (
'engine.write_effects',
$was$
    inner join engine.task as t on c.task_id = t.id
    where
        c.delay_ms is null
        and t.effect >= 3
$was$,
$new$
    cross join lateral (
        select x.workflow_id, x.step, x.effect, x.started_fence, x.rev
        from engine.task as x
        where x.id = c.task_id
        limit 1
    ) as t
    where
        c.delay_ms is null
        and t.effect >= 3
$new$
            ),
            (
'engine.write_waits',
$was$
    where w.workflow_id = e.workflow_id and w.step = e.step;
$was$,
$new$
    where
        w.workflow_id = e.workflow_id and w.step = e.step
        and w.workflow_id = any(array(select x.workflow_id from unnest(p_ended) as x));
$new$
            ),
            (
'engine.write_waits',
$was$
            s.session_id = t.session_id and s.source_turn = t.source and s.kind = t.kind
            and s.consumed_by is null;
$was$,
$new$
            s.session_id = t.session_id and s.source_turn = t.source and s.kind = t.kind
            and s.consumed_by is null
            and s.session_id = any(array(select x.session_id from unnest(p_takes) as x));
$new$
            ),
            (
'engine.commit_workflows_v1',
$was$
                on s.session_id = k.session_id and s.source = k.source_turn and s.kind = k.kind
        );
$was$,
$new$
                on s.session_id = k.session_id and s.source = k.source_turn and s.kind = k.kind
            where k.session_id = any(array(select x.session_id from unnest(p_signals) as x))
        );
$new$
            )
        ) as c (function, was, new)
    loop
        v_was := pg_get_functiondef(v_change.function::regproc);
        if strpos(v_was, v_change.was) = 0 then
            raise exception '% is not as it was', v_change.function;
        end if;
        execute replace(v_was, v_change.was, v_change.new);
    end loop;
end
$change$;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

do $change$
declare
    v_change record;
    v_was text;
begin
    for v_change in
        select * from (values
            (
'engine.commit_workflows_v1',
$was$
                on s.session_id = k.session_id and s.source = k.source_turn and s.kind = k.kind
            where k.session_id = any(array(select x.session_id from unnest(p_signals) as x))
        );
$was$,
$new$
                on s.session_id = k.session_id and s.source = k.source_turn and s.kind = k.kind
        );
$new$
            ),
            (
'engine.write_waits',
$was$
            s.session_id = t.session_id and s.source_turn = t.source and s.kind = t.kind
            and s.consumed_by is null
            and s.session_id = any(array(select x.session_id from unnest(p_takes) as x));
$was$,
$new$
            s.session_id = t.session_id and s.source_turn = t.source and s.kind = t.kind
            and s.consumed_by is null;
$new$
            ),
            (
'engine.write_waits',
$was$
    where
        w.workflow_id = e.workflow_id and w.step = e.step
        and w.workflow_id = any(array(select x.workflow_id from unnest(p_ended) as x));
$was$,
$new$
    where w.workflow_id = e.workflow_id and w.step = e.step;
$new$
            ),
            (
'engine.write_effects',
$was$
    cross join lateral (
        select x.workflow_id, x.step, x.effect, x.started_fence, x.rev
        from engine.task as x
        where x.id = c.task_id
        limit 1
    ) as t
    where
        c.delay_ms is null
        and t.effect >= 3
$was$,
$new$
    inner join engine.task as t on c.task_id = t.id
    where
        c.delay_ms is null
        and t.effect >= 3
$new$
            ),
            (
'engine.commit_workflows_whole_v1',
$was$
                t.id = e.task_id and t.fence = e.fence and t.state + 0 = 2
                and t.emit_counter < e.first
                and t.id = any(array(select x.task_id from unnest(p_emits) as x));
$was$,
$new$
                t.id = e.task_id and t.fence = e.fence and t.state = 2 and t.emit_counter < e.first;
$new$
            ),
            (
'engine.commit_whole_v1',
$was$
                where
                    t.id = c.task_id and t.fence = c.fence and t.state = c.expected
                    and t.id = any(array(select x.task_id from unnest(p_closes) as x))
$was$,
$new$
                where t.id = c.task_id and t.fence = c.fence and t.state = c.expected
$new$
            )
        ) as c (function, was, new)
    loop
        v_was := pg_get_functiondef(v_change.function::regproc);
        if strpos(v_was, v_change.was) = 0 then
            raise exception '% is not as it was', v_change.function;
        end if;
        execute replace(v_was, v_change.was, v_change.new);
    end loop;
end
$change$;

reset role;
