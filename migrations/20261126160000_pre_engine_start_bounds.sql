-- migrate:up
-- Until when a plain task is to be taken by a worker. Only tasks with such a bound have a row; it
-- goes when it is due, whatever became of its task.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.start_bound (
    task_id uuid primary key,
    org_id uuid not null,
    due_at timestamptz not null
);
create index start_bound_due on engine.start_bound (due_at);
grant select on engine.start_bound to engine_run;

-- As submit_tasks_v1, with bounds for some of the tasks: of those that nobody took at once.
create function engine.submit_tasks_v2(
    p_lease_ms bigint, p_tasks engine.plain_task[], p_bounded uuid[], p_within_ms bigint[],
    out known uuid[], out differing uuid[], out unclaimed uuid[]
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_generic_plan'
set enable_seqscan = off
as $$
begin
    select s.known, s.differing, s.unclaimed into known, differing, unclaimed
    from engine.submit_tasks_v1(p_lease_ms, p_tasks) as s;

    insert into engine.start_bound (task_id, org_id, due_at)
    select t.id, t.org_id, clock_timestamp() + b.within_ms * interval '1 millisecond'
    from unnest(p_bounded, p_within_ms) as b (id, within_ms)
    inner join engine.task as t on b.id = t.id
    where
        t.id = any(p_bounded) and t.state = 1 and t.fence = 0
        and b.id <> all(known || differing)
    order by t.id
    on conflict do nothing;
end
$$;

-- Ends plain tasks that no worker has taken, as failed: with an attempt that was nobody's, and
-- p_body as what is kept of them. Says which. Waits for a claim that holds one: it is taken then.
create function engine.time_out_tasks_v1(
    p_lease_ms bigint, p_tasks uuid[], p_code text, p_body bytea
) returns uuid[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_generic_plan'
set enable_seqscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_ended uuid[];
begin
    with locked as materialized (
        select t.id
        from engine.task as t
        where t.id = any(p_tasks) and t.kind = 4 and t.state = 1 and t.fence = 0
        order by t.id
        for update
    ),

    gone as (
        delete from engine.task as t
        using locked as l
        where t.id = l.id and t.id = any(p_tasks)
        returning t.id, t.org_id, t.step, t.rev, t.input_hash
    ),

    attempts as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        select
            g.id, 1, g.id, g.org_id, g.step, '00000000-0000-0000-0000-000000000000', 0, g.rev + 1,
            g.rev + 2, v_now, v_now, v_now, v_now + p_lease_ms * interval '1 millisecond', false,
            false, 2, '', p_code
        from gone as g
    ),

    kept as (
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
        )
        select g.id, 'task', g.org_id, g.id, 1, g.rev + 2, g.input_hash, p_body, sha256(p_body)
        from gone as g
    ),

    dropped as (
        delete from engine.start_bound as b where b.task_id = any(p_tasks)
    )

    select coalesce(array_agg(g.id order by g.id), '{}') into v_ended from gone as g;
    return v_ended;
end
$$;

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid::regprocedure from pg_proc
        where
            pronamespace = 'engine'::regnamespace
            and proname in ('submit_tasks_v2', 'time_out_tasks_v1')
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

drop function if exists engine.time_out_tasks_v1;
drop function if exists engine.submit_tasks_v2;
drop table if exists engine.start_bound;
