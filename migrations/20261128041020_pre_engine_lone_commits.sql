-- migrate:up
-- Commits write what they have one of by the functions for one.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Only the lines that change are here; each must be found as it was.
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
        if cardinality(p_moved) > 0 then
$was$,
$new$
        if cardinality(p_moved) = 1 then
            perform engine.move_workflow(p_moved[1]);
        elsif cardinality(p_moved) > 0 then
$new$
            ),
            (
'engine.commit_whole_v1',
$was$
        if cardinality(p_started) > 0 then
$was$,
$new$
        if cardinality(p_started) = 1 then
            perform engine.add_workflow(p_started[1]);
        elsif cardinality(p_started) > 0 then
$new$
            ),
            (
'engine.commit_whole_v1',
$was$
        if cardinality(p_closes) > 0 or cardinality(p_results) > 0 then
$was$,
$new$
        if cardinality(p_closes) = 1 and cardinality(p_results) <= 1 then
            closes := array[engine.close_task(p_closes[1], p_results[1], v_now)];
        elsif cardinality(p_closes) > 0 or cardinality(p_results) > 0 then
$new$
            ),
            (
'engine.commit_workflows_whole_v1',
$was$
        if cardinality(p_starts) > 0 then
$was$,
$new$
        if cardinality(p_starts) = 1 then
            perform engine.write_start(p_starts[1]);
        elsif cardinality(p_starts) > 0 then
$new$
            ),
            (
'engine.write_tasks',
$was$
begin
    with payloads as (
$was$,
$new$
begin
    if cardinality(p_tasks) = 1 then
        return engine.write_task(p_tasks[1], p_lease_ms);
    end if;
    with payloads as (
$new$
            ),
            (
'engine.write_steps',
$was$
    v_copies engine.commit_step[] := array(select s from unnest(p_steps) as s where s.fence < 0);
    v_places engine.commit_step[];
begin
$was$,
$new$
    v_copies engine.commit_step[];
    v_places engine.commit_step[];
begin
    if cardinality(p_steps) = 1 and (p_steps[1]).fence >= 0 then
        perform engine.write_step(p_steps[1]);
        return;
    end if;
    v_copies := array(select s from unnest(p_steps) as s where s.fence < 0);
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
'engine.commit_whole_v1',
$was$
        if cardinality(p_moved) = 1 then
            perform engine.move_workflow(p_moved[1]);
        elsif cardinality(p_moved) > 0 then
$was$,
$new$
        if cardinality(p_moved) > 0 then
$new$
            ),
            (
'engine.commit_whole_v1',
$was$
        if cardinality(p_started) = 1 then
            perform engine.add_workflow(p_started[1]);
        elsif cardinality(p_started) > 0 then
$was$,
$new$
        if cardinality(p_started) > 0 then
$new$
            ),
            (
'engine.commit_whole_v1',
$was$
        if cardinality(p_closes) = 1 and cardinality(p_results) <= 1 then
            closes := array[engine.close_task(p_closes[1], p_results[1], v_now)];
        elsif cardinality(p_closes) > 0 or cardinality(p_results) > 0 then
$was$,
$new$
        if cardinality(p_closes) > 0 or cardinality(p_results) > 0 then
$new$
            ),
            (
'engine.commit_workflows_whole_v1',
$was$
        if cardinality(p_starts) = 1 then
            perform engine.write_start(p_starts[1]);
        elsif cardinality(p_starts) > 0 then
$was$,
$new$
        if cardinality(p_starts) > 0 then
$new$
            ),
            (
'engine.write_tasks',
$was$
begin
    if cardinality(p_tasks) = 1 then
        return engine.write_task(p_tasks[1], p_lease_ms);
    end if;
    with payloads as (
$was$,
$new$
begin
    with payloads as (
$new$
            ),
            (
'engine.write_steps',
$was$
    v_copies engine.commit_step[];
    v_places engine.commit_step[];
begin
    if cardinality(p_steps) = 1 and (p_steps[1]).fence >= 0 then
        perform engine.write_step(p_steps[1]);
        return;
    end if;
    v_copies := array(select s from unnest(p_steps) as s where s.fence < 0);
$was$,
$new$
    v_copies engine.commit_step[] := array(select s from unnest(p_steps) as s where s.fence < 0);
    v_places engine.commit_step[];
begin
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
