-- migrate:up
-- A worker that comes back takes back the death of what it still lists, thrice for one task at most.
-- Rows and answers are as before, so either version may call it. Only the lines that change are
-- here; they must be found as they were.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

do $change$
declare
    v_was text := pg_get_functiondef('engine.attach_v1'::regproc);
    v_old constant text := $was$
    -- Who lists a task did not die of it, though he lost it.
    update engine.task as t
    set deaths = t.deaths - 1, died = array_remove(t.died, h.fence), rev = t.rev + 1
    from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
    where
        t.id = h.task_id and t.id = any(h_task)
$was$;
    v_new constant text := $new$
    -- Who lists a task did not die of it, though he lost it. But what has workers stand still until
    -- their leases are over, and lets them come back, is not given out for ever.
    update engine.task as t
    set
        deaths = t.deaths - 1, died = array_remove(t.died, h.fence), rev = t.rev + 1,
        uncounted = t.uncounted + 1
    from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
    where
        t.id = h.task_id and t.id = any(h_task) and t.uncounted < 3
$new$;
begin
    if strpos(v_was, v_old) = 0 then
        raise exception 'engine.attach_v1 is not as it was';
    end if;
    execute replace(v_was, v_old, v_new);
end
$change$;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

do $change$
declare
    v_was text := pg_get_functiondef('engine.attach_v1'::regproc);
    v_old constant text := $was$
    -- Who lists a task did not die of it, though he lost it. But what has workers stand still until
    -- their leases are over, and lets them come back, is not given out for ever.
    update engine.task as t
    set
        deaths = t.deaths - 1, died = array_remove(t.died, h.fence), rev = t.rev + 1,
        uncounted = t.uncounted + 1
    from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
    where
        t.id = h.task_id and t.id = any(h_task) and t.uncounted < 3
$was$;
    v_new constant text := $new$
    -- Who lists a task did not die of it, though he lost it.
    update engine.task as t
    set deaths = t.deaths - 1, died = array_remove(t.died, h.fence), rev = t.rev + 1
    from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
    where
        t.id = h.task_id and t.id = any(h_task)
$new$;
begin
    if strpos(v_was, v_old) = 0 then
        raise exception 'engine.attach_v1 is not as it was';
    end if;
    execute replace(v_was, v_old, v_new);
end
$change$;

reset role;
