-- migrate:up
-- A plain task that comes alone: as submit_tasks_v1 does with many, by one statement over scalars.
-- Where little is asked for most come so, and it took the server a fifth longer by arrays.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- The task's state; null where its id is taken, and then nothing was written. A worker that has
-- left is not given it: it is ready.
create function engine.submit_task_v1(
    p_lease_ms bigint, p_id uuid, p_org_id uuid, p_route integer, p_priority smallint, p_step text,
    p_payload bytea, p_incarnation uuid, p_attach_number bigint, out state smallint
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
begin
    -- Whoever submits the same id at this moment is waited for by the payload's row.
    with made as (
        insert into engine.payload (task_id, org_id, step, payload, input_hash)
        values (p_id, p_org_id, p_step, p_payload, sha256(p_payload))
        on conflict (task_id) do nothing
        returning input_hash
    )

    insert into engine.task as t (
        id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
        run_at, state, fence, claim_rev, claimed_at, stamped_at, lease_until, incarnation,
        attach_number
    )
    select
        p_id, p_id, p_id, p_org_id, p_route, p_priority, 4, 2, p_step, m.input_hash, v_now,
        case when w.incarnation is null then 1 else 2 end,
        case when w.incarnation is null then 0 else 1 end,
        case when w.incarnation is null then 0 else 1 end,
        case when w.incarnation is not null then v_now end,
        case when w.incarnation is not null then v_now end,
        case when w.incarnation is not null
            then v_now + p_lease_ms * interval '1 millisecond' end,
        w.incarnation,
        w.attach_number
    from made as m
    left join engine.worker as w
        on w.incarnation = p_incarnation and w.attach_number = p_attach_number
    returning t.state into submit_task_v1.state;
end
$$;
revoke execute on function engine.submit_task_v1 from public;
grant execute on function engine.submit_task_v1 to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

drop function if exists engine.submit_task_v1;
reset role;
