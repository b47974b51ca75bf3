-- migrate:up
-- Plain tasks: rows of engine.task that belong to no workflow. They have no head and no events; each
-- is its own workflow and session by id, and its step is `task:` and its type. Their results stand in
-- engine.step_result under the step `task`; a result of null has no row, its attempt says enough.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create type engine.plain_task as (
    id uuid, org_id uuid, route int, priority smallint, step text, payload bytea,
    -- for whom it is inserted already claimed
    incarnation uuid, attach_number bigint
);

-- The end of an attempt, and of the task where delay_ms is null.
create type engine.plain_end as (
    task_id uuid, fence int, closing smallint, result_hash bytea, error_code text, body bytea,
    delay_ms bigint, counts_failure boolean, counts_death boolean, expired_only boolean,
    -- of the dead letter, where it leaves one
    reason text, detail text
);

-- Inserts what is new. known: ids that were there before with the same payload; differing: with
-- another one, or of another organization; unclaimed: inserted as ready, for the stream that they
-- were meant for is not its worker's newest. The ids of one call differ.
create function engine.submit_tasks_v1(
    p_lease_ms bigint,
    p_tasks engine.plain_task[],
    out known uuid[],
    out differing uuid[],
    out unclaimed uuid[]
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_added uuid[];
begin
    -- Whoever submits the same id at this moment is waited for by the payload's row.
    with made as (
        insert into engine.payload (task_id, org_id, step, payload, input_hash)
        select c.id, c.org_id, c.step, c.payload, sha256(c.payload)
        from unnest(p_tasks) as c
        on conflict (task_id) do nothing
        returning task_id, input_hash
    ),

    added as (
        insert into engine.task (
            id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
            run_at, state, fence, claim_rev, claimed_at, stamped_at, lease_until, incarnation,
            attach_number
        )
        select
            c.id, c.id, c.id, c.org_id, c.route, c.priority, 4, 2, c.step, m.input_hash, v_now,
            case when w.incarnation is null then 1 else 2 end,
            case when w.incarnation is null then 0 else 1 end,
            case when w.incarnation is null then 0 else 1 end,
            case when w.incarnation is not null then v_now end,
            case when w.incarnation is not null then v_now end,
            case when w.incarnation is not null
                then v_now + p_lease_ms * interval '1 millisecond' end,
            w.incarnation,
            w.attach_number
        from unnest(p_tasks) as c
        inner join made as m on c.id = m.task_id
        left join engine.worker as w
            on
                c.incarnation = w.incarnation
                and c.attach_number = w.attach_number
                and w.incarnation = any(array(select x.incarnation from unnest(p_tasks) as x))
        returning id, state
    )

    select
        coalesce(array_agg(a.id), '{}'),
        coalesce(array_agg(a.id) filter (
            where a.state = 1 and a.id = any(
                array(select x.id from unnest(p_tasks) as x where x.incarnation is not null)
            )
        ), '{}')
    into v_added, unclaimed
    from added as a;

    known := '{}';
    differing := '{}';
    if cardinality(v_added) < cardinality(p_tasks) then
        select
            coalesce(array_agg(c.id) filter (where c.is_same), '{}'),
            coalesce(array_agg(c.id) filter (where not c.is_same), '{}')
        into known, differing
        from (
            select
                t.id,
                p.org_id = t.org_id and p.step = t.step and p.input_hash = sha256(t.payload)
                as is_same
            from unnest(p_tasks) as t
            inner join engine.payload as p on t.id = p.task_id
            where t.id <> all(v_added)
        ) as c;
    end if;
end
$$;

-- Ends attempts, each wholly or not at all, and says how it went in their order: 1 committed,
-- 2 the same was committed before, 3 the attempt holds the task no more. Tasks are locked by id.
create function engine.end_tasks_v1(p_ends engine.plain_end[]) returns smallint[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_verdicts smallint[];
begin
    with asked as materialized (
        select e.*, e.ordinality as n from unnest(p_ends) with ordinality as e
    ),

    locked as materialized (
        select t.id, t.fence, t.state, t.lease_until
        from engine.task as t
        where t.id = any(array(select a.task_id from asked as a)) and t.kind = 4
        order by t.id
        for update
    ),

    fit as materialized (
        select distinct on (a.task_id) a.*
        from asked as a
        inner join locked as l on a.task_id = l.id
        where
            l.state = 2 and l.fence = a.fence
            and (not a.expired_only or l.lease_until < v_now)
        order by a.task_id, a.n
    ),

    gone as (
        delete from engine.task as t
        using fit as f
        where
            f.delay_ms is null and t.id = f.task_id
            and t.id = any(array(select x.task_id from fit as x))
        returning
            t.id, t.fence, t.org_id, t.step, t.incarnation, t.attach_number, t.claim_rev, t.rev + 1 as rev,
            t.claimed_at, t.stamped_at, t.lease_until, t.acknowledged, t.input_hash,
            f.closing, f.result_hash, f.error_code, f.body, f.reason, f.detail
    ),

    delayed as (
        update engine.task as t
        set
            state = 3, rev = t.rev + 1,
            run_at = v_now + f.delay_ms * interval '1 millisecond',
            lease_until = null, incarnation = null, attach_number = null,
            acknowledged = false,
            failures = t.failures + f.counts_failure::int,
            deaths = t.deaths + f.counts_death::int,
            uncounted = t.uncounted + (not (f.counts_failure or f.counts_death))::int
        from fit as f
        where
            f.delay_ms is not null and t.id = f.task_id
            and t.id = any(array(select x.task_id from fit as x))
        returning
            t.id, t.fence, t.org_id, t.step, old.incarnation, old.attach_number, t.claim_rev, t.rev,
            t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
            f.closing, f.result_hash, f.error_code
    ),

    attempts as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        select
            x.id, x.fence, x.id, x.org_id, x.step, x.incarnation, x.attach_number, x.claim_rev,
            x.rev, x.claimed_at, v_now, x.stamped_at, x.lease_until, x.acknowledged, false,
            x.closing, x.result_hash, x.error_code
        from (
            select
                g.id, g.fence, g.org_id, g.step, g.incarnation, g.attach_number, g.claim_rev, g.rev,
                g.claimed_at, g.stamped_at, g.lease_until, g.acknowledged, g.closing,
                g.result_hash, g.error_code
            from gone as g
            union all
            select * from delayed as d
        ) as x
    ),

    kept as (
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
        )
        select
            g.id, 'task', g.org_id, g.id, g.fence, g.rev, g.input_hash, g.body, sha256(g.body)
        from gone as g
        where g.body is not null
    ),

    letters as (
        insert into engine.dead_letter (task_id, workflow_id, session_id, org_id, reason, detail)
        select g.id, g.id, g.id, g.org_id, g.reason, g.detail
        from gone as g
        where g.reason is not null
    )

    select array_agg(
        case
            when f.n is not null then 1
            when exists (
                select from engine.attempt as x
                where
                    x.task_id = a.task_id and x.fence = a.fence
                    and x.result_hash = a.result_hash and a.result_hash <> ''
            ) then 2
            else 3
        end::smallint
        order by a.n
    )
    into v_verdicts
    from asked as a
    left join fit as f on a.n = f.n;
    return v_verdicts;
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
            and proname in ('submit_tasks_v1', 'end_tasks_v1')
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

drop function if exists engine.end_tasks_v1;
drop function if exists engine.submit_tasks_v1;
drop type if exists engine.plain_end;
drop type if exists engine.plain_task;
