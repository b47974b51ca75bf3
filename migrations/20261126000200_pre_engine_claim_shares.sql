-- migrate:up
-- Claims by shares: within a priority the organization that was served least for its weight goes
-- first, a task that waits rises through the priorities, and marks spare the rows that are gone.
-- Tasks under a limit of running ones are counted while they run, and no others.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

alter table engine.task add column counted boolean not null default false;
comment on column engine.task.counted is
'The newest claim was under a limit of running tasks. Only such a lease is in task_counted.';

-- Open tasks alone stand here, so it is built in milliseconds; and it is empty, for none is counted.
-- squawk-ignore require-concurrent-index-creation
create index task_counted on engine.task (route) where state = 2 and counted;

create type engine.claim_slots as (
    route int, incarnation uuid, attach_number bigint, slots int
);
-- Where a claim begins to read a group, and how many of it it looks at. Rows that are gone but not
-- vacuumed, for some snapshot may still see them, lie before from_id and cost nothing.
create type engine.claim_group as (
    route int, org_id uuid, priority smallint, from_id uuid, depth int
);
-- What an organization is ahead by, in tasks of weight 1, and its weight. Who is not listed: 0, 1.
create type engine.claim_share as (org_id uuid, lead float8, weight float8);
-- At most so many tasks of all routes with this model, or of this queue where it is `queue:name`.
create type engine.claim_limit as (route int, key text, at_once int);

-- How many more tasks of a route may run, its limits' locks held until the transaction ends: who
-- claims under the same limit waits, reads what was committed, and so never passes it. The locks
-- are advisory, so no shared row is written; they are taken in one order.
create function engine.headroom_v1(p_route int, p_limits engine.claim_limit[]) returns int
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text;
begin
    for v_key in
        select distinct l.key from unnest(p_limits) as l where l.route = p_route order by l.key
    loop
        perform pg_advisory_xact_lock(hashtextextended(v_key, 61));
    end loop;
    return (
        select greatest(0, min(l.at_once - (
            select count(*)
            from engine.task as t
            where
                t.state = 2 and t.counted
                and t.route = any(
                    array(select r.id from engine.route as r where r.model = l.key)
                    || array(select r.id from engine.route as r where 'queue:' || r.queue = l.key)
                )
        )))::int
        from unnest(p_limits) as l
        where l.route = p_route
    );
end
$$;
-- squawk-ignore require-concurrent-index-creation
create index route_model on engine.route (model);

-- Gives ready tasks of the named groups to workers. Wants of a stream that is not its worker's
-- newest are passed over. Waiting p_aging_ms lifts a priority by one step, up to p_priority_max.
create function engine.claim_v2(
    p_lease_ms bigint,
    p_aging_ms bigint,
    p_priority_max int,
    p_slots engine.claim_slots[],
    p_groups engine.claim_group[],
    p_shares engine.claim_share[],
    p_limits engine.claim_limit[]
)
returns table (
    task_id uuid, fence int, route int, session_id uuid, workflow_id uuid, org_id uuid,
    priority int, payload bytea, config_hash bytea, traceparent text, failures int,
    incarnation uuid, started boolean
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
    v_slots int;
    v_counted boolean;
begin
    for v_want in
        select
            w.route, count(*)::int as slots,
            array_agg(w.incarnation order by g.n, w.ordinality) as seats,
            array_agg(w.attach_number order by g.n, w.ordinality) as numbers
        from unnest(p_slots) with ordinality as w
        inner join engine.worker as k
            on w.incarnation = k.incarnation and w.attach_number = k.attach_number
        cross join lateral generate_series(1, w.slots) as g (n)
        group by w.route
        order by w.route
    loop
        v_slots := v_want.slots;
        v_counted := false;
        if cardinality(p_limits) > 0
            and exists (select from unnest(p_limits) as l where l.route = v_want.route) then
            v_counted := true;
            v_slots := least(v_slots, engine.headroom_v1(v_want.route, p_limits));
            continue when v_slots = 0;
        end if;

        v_now := clock_timestamp();
        return query
        with ready as (
            select
                x.id, g.org_id, g.priority, g.n,
                -- A priority rises as a whole, by its oldest task: a backlog of one organization
                -- lifts nobody over the others' fresh tasks of the same priority. An id may be
                -- made by a clock that is ahead.
                least(
                    greatest(p_priority_max, g.priority),
                    g.priority + greatest(
                        0,
                        floor(
                            extract(
                                epoch from v_now - min(uuid_extract_timestamp(x.id))
                                over (partition by g.priority)
                            ) * 1000 / p_aging_ms
                        )
                    )
                ) as step,
                row_number() over (partition by g.org_id, g.priority order by x.id) as nth
            from (
                select u.org_id, u.priority, u.from_id, u.depth, u.ordinality as n
                from unnest(p_groups) with ordinality as u
                where u.route = v_want.route
            ) as g
            cross join lateral (
                select t.id
                from engine.task as t
                where
                    t.state = 1 and t.route = v_want.route and t.org_id = g.org_id
                    and t.priority = g.priority and t.id >= g.from_id
                order by t.id
                limit g.depth
            ) as x
        ),

        placed as (
            -- Priorities of one organization that have come to the same step take turns.
            select
                r.id, r.step, r.n,
                coalesce(s.lead, 0) + (
                    row_number() over (
                        partition by r.org_id, r.step order by r.nth, r.priority desc
                    ) - 1
                ) / coalesce(s.weight, 1) as place
            from ready as r
            left join unnest(p_shares) as s on r.org_id = s.org_id
        ),

        ranked as materialized (
            select p.id, row_number() over (order by p.step desc, p.place, p.n, p.id) as rank
            from placed as p
            order by rank
            limit 2 * v_slots + 16
        ),

        taken as materialized (
            -- Skips what another claim takes at this moment: the next in rank will do.
            select t.id
            from ranked as r
            inner join engine.task as t on r.id = t.id
            where t.state = 1 and not t.cancelling
            order by r.rank
            limit v_slots
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
                acknowledged = false,
                counted = v_counted
            from seated as s
            where t.id = s.id and t.id = any(array(select k.id from taken as k))
            returning
                t.id, t.fence, t.route, t.session_id, t.workflow_id, t.org_id, t.priority,
                t.failures, t.incarnation, t.started_fence, s.seat
        )

        select
            c.id, c.fence, c.route, c.session_id, c.workflow_id, c.org_id, c.priority::int,
            p.payload, w.config_hash, w.traceparent, c.failures::int, c.incarnation,
            c.started_fence > 0
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

-- The groups (route, organization, priority) that have ready tasks behind the given one, each with
-- its lowest id: a loose scan of the ready index, p_groups_max steps at most.
create function engine.ready_groups_v1(
    p_route int, p_org uuid, p_priority int, p_groups_max int
)
returns table (route int, org_id uuid, priority int, from_id uuid)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    with recursive found as (
        select p_route as route, p_org as org_id, p_priority as priority, p_org as id, 0 as place
        union all
        select n.route, n.org_id, n.priority::int, n.id, f.place + 1
        from found as f
        cross join lateral (
            (
                select t.route, t.org_id, t.priority, t.id
                from engine.task as t
                where
                    t.state = 1 and t.route = f.route and t.org_id = f.org_id
                    and t.priority < f.priority
                order by t.priority desc, t.id
                limit 1
            )
            union all
            (
                select t.route, t.org_id, t.priority, t.id
                from engine.task as t
                where t.state = 1 and t.route = f.route and t.org_id > f.org_id
                order by t.org_id, t.priority desc, t.id
                limit 1
            )
            union all
            (
                select t.route, t.org_id, t.priority, t.id
                from engine.task as t
                where t.state = 1 and t.route > f.route
                order by t.route, t.org_id, t.priority desc, t.id
                limit 1
            )
            limit 1
        ) as n
        where f.place < p_groups_max
    )

    select f.route, f.org_id, f.priority, f.id from found as f where f.place > 0 order by f.place;
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
            and proname in ('claim_v2', 'headroom_v1', 'ready_groups_v1')
    loop
        execute format('revoke execute on function %s from public', v_function.signature);
        if v_function.name <> 'headroom_v1' then
            execute format('grant execute on function %s to engine_run', v_function.signature);
        end if;
    end loop;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.ready_groups_v1;
drop function if exists engine.claim_v2;
drop function if exists engine.headroom_v1;
drop index if exists engine.route_model;
drop type if exists engine.claim_limit;
drop type if exists engine.claim_share;
drop type if exists engine.claim_group;
drop type if exists engine.claim_slots;
drop index if exists engine.task_counted;
alter table engine.task drop column if exists counted;
