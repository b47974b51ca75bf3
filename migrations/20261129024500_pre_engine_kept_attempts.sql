-- migrate:up
-- An attempt that a worker kept, and whose task waits for what was decided about it, is no loss. A
-- call that waited for its child counted one with each look, and the twentieth made a dead letter
-- of it as soon as its worker was lost.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Tasks that wait for their next attempt. Those that were lost before count no more where a worker
-- kept this one.
create or replace function engine.write_delays(p_closes engine.commit_close[]) returns void
language plpgsql
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    with delayed as (
        update engine.task as t
        set
            state = 3, rev = t.rev + 1,
            run_at = v_now + c.delay_ms * interval '1 millisecond',
            lease_until = null, incarnation = null, attach_number = null,
            acknowledged = false,
            failures = t.failures + c.counts_failure::int,
            deaths = t.deaths + c.counts_death::int,
            died = case when c.counts_death then array_append(t.died, t.fence) else t.died end,
            uncounted = case when c.counts_death then t.uncounted else 0 end
        from unnest(p_closes) as c
        where
            c.delay_ms is not null
            and t.id = c.task_id
            and t.id = any(
                array(select x.task_id from unnest(p_closes) as x where x.delay_ms is not null)
            )
        returning
            t.id, t.fence, t.workflow_id, t.org_id, t.step, old.incarnation, old.attach_number,
            t.claim_rev, t.rev, t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
            t.started_fence, old.state, c.closing, c.result_hash, c.error_code
    )

    insert into engine.attempt (
        task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
        close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
        closing, result_hash, error_code
    )
    select
        d.id, d.fence, d.workflow_id, d.org_id, d.step, d.incarnation, d.attach_number,
        d.claim_rev, d.rev, d.claimed_at, v_now, d.stamped_at, d.lease_until, d.acknowledged,
        d.started_fence = d.fence, d.closing, d.result_hash, d.error_code
    from delayed as d
    where d.state = 2;
end
$$;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create or replace function engine.write_delays(p_closes engine.commit_close[]) returns void
language plpgsql
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    with delayed as (
        update engine.task as t
        set
            state = 3, rev = t.rev + 1,
            run_at = v_now + c.delay_ms * interval '1 millisecond',
            lease_until = null, incarnation = null, attach_number = null,
            acknowledged = false,
            failures = t.failures + c.counts_failure::int,
            deaths = t.deaths + c.counts_death::int,
            died = case when c.counts_death then array_append(t.died, t.fence) else t.died end,
            uncounted = t.uncounted + (not (c.counts_failure or c.counts_death))::int
        from unnest(p_closes) as c
        where
            c.delay_ms is not null
            and t.id = c.task_id
            and t.id = any(
                array(select x.task_id from unnest(p_closes) as x where x.delay_ms is not null)
            )
        returning
            t.id, t.fence, t.workflow_id, t.org_id, t.step, old.incarnation, old.attach_number,
            t.claim_rev, t.rev, t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
            t.started_fence, old.state, c.closing, c.result_hash, c.error_code
    )

    insert into engine.attempt (
        task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
        close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
        closing, result_hash, error_code
    )
    select
        d.id, d.fence, d.workflow_id, d.org_id, d.step, d.incarnation, d.attach_number,
        d.claim_rev, d.rev, d.claimed_at, v_now, d.stamped_at, d.lease_until, d.acknowledged,
        d.started_fence = d.fence, d.closing, d.result_hash, d.error_code
    from delayed as d
    where d.state = 2;
end
$$;

reset role;
