-- migrate:up
-- Cancels of plain tasks. One that no worker has leaves no attempt, so the cancel has a row of its
-- own; insert-only.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.plain_cancel (
    task_id uuid primary key,
    org_id uuid not null,
    -- of the attempt that it ended; else of the last one before it
    fence int not null,
    reason text not null,
    cancelled_at timestamptz not null
);
grant select on engine.plain_cancel to engine_run;

-- Ends open plain tasks of their organizations whoever holds them: the fence they had is stale from
-- now on. Returns those it ended, with the fence that a worker may hold, or null. Tasks are locked
-- by id.
create function engine.cancel_tasks_v1(p_orgs uuid[], p_tasks uuid[], p_reasons text[])
returns table (ended uuid, held_fence int)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    return query
    with asked as materialized (
        select a.org_id, a.task_id, a.reason
        from unnest(p_orgs, p_tasks, p_reasons) as a (org_id, task_id, reason)
    ),

    locked as materialized (
        select t.id, a.reason
        from engine.task as t
        inner join asked as a on t.id = a.task_id and t.org_id = a.org_id
        where t.kind = 4
        order by t.id
        for update of t
    ),

    gone as (
        delete from engine.task as t
        using locked as l
        where t.id = l.id
        returning t.*, l.reason as why
    ),

    attempts as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        select
            g.id, g.fence, g.id, g.org_id, g.step, g.incarnation, g.attach_number, g.claim_rev,
            g.rev + 1, g.claimed_at, v_now, g.stamped_at, g.lease_until, g.acknowledged, false,
            7, '', 'cancelled'
        from gone as g
        where g.state = 2
    ),

    told as (
        insert into engine.plain_cancel (task_id, org_id, fence, reason, cancelled_at)
        select g.id, g.org_id, g.fence, g.why, v_now from gone as g
    )

    select g.id, case when g.state = 2 then g.fence end from gone as g;
end
$$;
revoke execute on function engine.cancel_tasks_v1(uuid[], uuid[], text[]) from public;
grant execute on function engine.cancel_tasks_v1(uuid[], uuid[], text[]) to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.cancel_tasks_v1;
drop table if exists engine.plain_cancel;
