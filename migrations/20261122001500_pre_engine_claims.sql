-- migrate:up
-- Who takes and who holds tasks: routes, claims, attaches, and the api's proof of a hold.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- The numbers of routes, in the order asked; new ones are made.
create function engine.routes_v1(
    p_queue text[], p_capability text[], p_build text[], p_model text[]
) returns int[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into engine.route (queue, capability, build, model)
    select distinct p.queue, p.capability, p.build, p.model
    from unnest(p_queue, p_capability, p_build, p_model) as p (queue, capability, build, model)
    where not exists (
        select from engine.route as r
        where
            r.queue = p.queue and r.capability = p.capability
            and r.build = p.build and r.model = p.model
    )
    order by p.queue, p.capability, p.build, p.model
    on conflict do nothing;
    return array(
        select r.id
        from unnest(p_queue, p_capability, p_build, p_model) with ordinality
            as p (queue, capability, build, model, n)
        inner join engine.route as r
            on
                p.queue = r.queue and p.capability = r.capability
                and p.build = r.build and p.model = r.model
        order by p.n
    );
end
$$;

-- `after_org` is the organization that was served last on this route: the round goes on behind it.
create type engine.claim_want as (
    route int, after_org uuid, incarnation uuid, attach_number bigint, slots int
);

-- Gives ready tasks to workers, highest priority first, organizations in turn within a priority.
-- Wants of a stream that is not its worker's newest are passed over.
create function engine.claim_v1(p_lease_ms bigint, p_orgs_max int, p_wants engine.claim_want[])
returns table (
    task_id uuid, fence int, route int, session_id uuid, workflow_id uuid, org_id uuid,
    payload bytea, config_hash bytea, traceparent text, failures int, incarnation uuid,
    started boolean
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_want record;
    v_now timestamptz;
begin
    for v_want in
        select
            w.route, min(w.after_org::text)::uuid as after_org, count(*)::int as slots,
            array_agg(w.incarnation order by g.n, w.ordinality) as seats,
            array_agg(w.attach_number order by g.n, w.ordinality) as numbers
        from unnest(p_wants) with ordinality as w
        inner join engine.worker as k
            on w.incarnation = k.incarnation and w.attach_number = k.attach_number
        cross join lateral generate_series(1, w.slots) as g (n)
        group by w.route
        order by w.route
    loop
        v_now := clock_timestamp();
        return query
        with recursive behind as (
            (
                select t.org_id, 1 as place
                from engine.task as t
                where t.state = 1 and t.route = v_want.route and t.org_id > v_want.after_org
                order by t.org_id
                limit 1
            )
            union all
            select n.org_id, b.place + 1
            from behind as b
            cross join lateral (
                select t.org_id
                from engine.task as t
                where t.state = 1 and t.route = v_want.route and t.org_id > b.org_id
                order by t.org_id
                limit 1
            ) as n
            where b.place < p_orgs_max
        ),

        before as (
            (
                select t.org_id, p_orgs_max + 1 as place
                from engine.task as t
                where t.state = 1 and t.route = v_want.route and t.org_id <= v_want.after_org
                order by t.org_id
                limit 1
            )
            union all
            select n.org_id, b.place + 1
            from before as b
            cross join lateral (
                select t.org_id
                from engine.task as t
                where
                    t.state = 1 and t.route = v_want.route
                    and t.org_id > b.org_id and t.org_id <= v_want.after_org
                order by t.org_id
                limit 1
            ) as n
            where b.place < 2 * p_orgs_max
        ),

        ready as (
            select
                t.id, t.priority, o.place,
                row_number() over (partition by o.place, t.priority order by t.id) as round
            from (table behind union all table before) as o
            cross join lateral (
                select x.id, x.priority
                from engine.task as x
                where x.state = 1 and x.route = v_want.route and x.org_id = o.org_id
                order by x.priority desc, x.id
                limit 2 * v_want.slots + 16
            ) as t
        ),

        ranked as materialized (
            select r.id, row_number() over (order by r.priority desc, r.round, r.place) as rank
            from ready as r
            order by r.priority desc, r.round, r.place
            limit 2 * v_want.slots + 16
        ),

        taken as materialized (
            -- Skips what another claim takes at this moment: the next in rank will do.
            select t.id
            from ranked as r
            inner join engine.task as t on r.id = t.id
            where t.state = 1 and not t.cancelling
            order by r.rank
            limit v_want.slots
            for no key update of t skip locked
        ),

        seated as (
            select k.id, row_number() over (order by r.rank) as seat
            from taken as k
            inner join ranked as r on k.id = r.id
        ),

        claimed as (
            update engine.task as t
            set
                state = 2,
                fence = t.fence + 1,
                rev = t.rev + 1,
                claim_rev = t.rev + 1,
                claimed_at = v_now,
                stamped_at = v_now,
                lease_until = v_now + p_lease_ms * interval '1 millisecond',
                incarnation = v_want.seats[s.seat],
                attach_number = v_want.numbers[s.seat],
                acknowledged = false
            from seated as s
            where t.id = s.id and t.id = any(array(select k.id from taken as k))
            returning
                t.id, t.fence, t.route, t.session_id, t.workflow_id, t.org_id, t.failures,
                t.incarnation, t.started_fence, s.seat
        )

        select
            c.id, c.fence, c.route, c.session_id, c.workflow_id, c.org_id, p.payload,
            w.config_hash, w.traceparent, c.failures::int, c.incarnation, c.started_fence > 0
        from claimed as c
        inner join lateral (
            select x.payload from engine.payload as x where x.task_id = c.id limit 1
        ) as p on true
        inner join lateral (
            select x.config_hash, x.traceparent from engine.workflow as x
            where x.id = c.workflow_id limit 1
        ) as w on true
        order by c.seat;
    end loop;
end
$$;

-- Writes the one row per incarnation, under which everything else is done: what it does not list
-- is released as undelivered, what it lists is renewed. `kind` of an answer: 1 attached, 2 lost,
-- 3 is to be cancelled, 4 was released. An incarnation without an answer of kind 1 is refused.
create function engine.attach_v1(
    p_lease_ms bigint, p_undelivered smallint,
    p_incarnation uuid[], p_attach_number bigint[], p_name text[], p_build text[],
    h_incarnation uuid[], h_task uuid[], h_fence int[]
) returns table (incarnation uuid, kind int, task_id uuid, fence int)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_accepted uuid[];
begin
    with written as (
        insert into engine.worker as w (incarnation, attach_number, name, build, attached_at)
        select p.incarnation, p.attach_number, p.name, p.build, clock_timestamp()
        from unnest(p_incarnation, p_attach_number, p_name, p_build)
            as p (incarnation, attach_number, name, build)
        order by p.incarnation
        on conflict (incarnation) do update
        set
            attach_number = excluded.attach_number, name = excluded.name, build = excluded.build,
            attached_at = excluded.attached_at
        -- The same number again is a repeat whose answer was lost.
        where w.attach_number <= excluded.attach_number
        returning w.incarnation
    )

    select coalesce(array_agg(w.incarnation), '{}') into v_accepted from written as w;

    perform
    from engine.task as t
    where
        t.id = any(
            array(
                select x.id from engine.task as x
                where x.state = 2 and x.incarnation = any(v_accepted)
            ) || h_task
        )
    order by t.id
    for no key update;
    v_now := clock_timestamp();

    return query select a.incarnation, 1, null::uuid, null::int
    from unnest(v_accepted) as a (incarnation);

    return query
    with held as (
        update engine.task as t
        set
            attach_number = p.attach_number,
            acknowledged = true,
            stamped_at = v_now,
            lease_until = v_now + p_lease_ms * interval '1 millisecond',
            rev = t.rev + 1
        from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
        inner join unnest(p_incarnation, p_attach_number) as p (incarnation, attach_number)
            on h.incarnation = p.incarnation
        where
            t.id = h.task_id and t.id = any(h_task)
            and t.fence = h.fence and t.state = 2
            and t.incarnation = h.incarnation and h.incarnation = any(v_accepted)
        returning t.incarnation, t.id, t.fence, t.cancelling
    )

    select h.incarnation, case when d.id is null then 2 else 3 end, h.task_id, h.fence
    from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
    left join held as d
        on h.task_id = d.id and h.fence = d.fence and h.incarnation = d.incarnation
    where h.incarnation = any(v_accepted) and (d.id is null or d.cancelling);

    -- Who lists a task did not die of it, though he lost it.
    update engine.task as t
    set deaths = t.deaths - 1, died = array_remove(t.died, h.fence), rev = t.rev + 1
    from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
    where
        t.id = h.task_id and t.id = any(h_task)
        and h.fence = any(t.died) and h.incarnation = any(v_accepted)
        and exists (
            select from engine.attempt as a
            where a.task_id = h.task_id and a.fence = h.fence and a.incarnation = h.incarnation
        );

    return query
    with released as (
        update engine.task as t
        set
            state = 1,
            run_at = v_now,
            rev = t.rev + 1,
            lease_until = null,
            incarnation = null,
            attach_number = null,
            acknowledged = false,
            uncounted = t.uncounted + 1
        where
            t.state = 2 and t.incarnation = any(v_accepted)
            and not exists (
                select from unnest(h_task, h_fence) as h (task_id, fence)
                where h.task_id = t.id and h.fence = t.fence
            )
            -- These write events when they end: the lease and the commit lane see to them.
            and not t.cancelling and not (t.effect >= 3 and t.started_fence > 0)
        returning
            t.id, t.fence, t.workflow_id, t.org_id, t.step, old.incarnation, old.attach_number,
            t.claim_rev, t.rev, t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
            t.started_fence
    ),

    kept as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing
        )
        select
            r.id, r.fence, r.workflow_id, r.org_id, r.step, r.incarnation, r.attach_number,
            r.claim_rev, r.rev, r.claimed_at, v_now, r.stamped_at, r.lease_until,
            r.acknowledged, r.started_fence = r.fence, p_undelivered
        from released as r
    )

    select r.incarnation, 4, r.id, r.fence from released as r;
end
$$;

-- For another owner's transaction: whose task this fence holds, until that transaction ends. Empty
-- where it holds no more.
create function engine.hold_v1(p_task uuid, p_fence int)
returns table (session_id uuid, org_id uuid)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select t.session_id, t.org_id
    from engine.task as t
    where t.id = p_task and t.fence = p_fence and t.state = 2
    for share;
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
            and proname in ('routes_v1', 'claim_v1', 'attach_v1', 'hold_v1')
    loop
        execute format('revoke execute on function %s from public', v_function.signature);
        execute format(
            'grant execute on function %s to %s', v_function.signature,
            case when v_function.name = 'hold_v1' then 'api_owner, api_run' else 'engine_run' end
        );
    end loop;
end
$$;
grant usage on schema engine to api_owner, api_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

revoke usage on schema engine from api_owner, api_run;
drop function if exists engine.hold_v1;
drop function if exists engine.attach_v1;
drop function if exists engine.claim_v1;
drop type if exists engine.claim_want;
drop function if exists engine.routes_v1;
