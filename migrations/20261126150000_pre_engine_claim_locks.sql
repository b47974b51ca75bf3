-- migrate:up
-- A claim takes the locks of all its limits at its beginning, in the order of their keys.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create or replace function engine.claim_v2(
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
    -- Every key in their order, before any is counted: two claims under the same keys never wait
    -- for each other in a ring.
    if cardinality(p_limits) > 0 then
        perform pg_advisory_xact_lock(hashtextextended(k.key, 61))
        from (select distinct l.key from unnest(p_limits) as l order by l.key) as k;
    end if;
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
            p.payload, coalesce(w.config_hash, ''), coalesce(w.traceparent, ''), c.failures::int,
            c.incarnation,
            c.started_fence > 0
        from claimed as c
        inner join lateral (
            select x.payload from engine.payload as x where x.task_id = c.id limit 1
        ) as p on true
        left join lateral (
            select x.config_hash, x.traceparent from engine.workflow as x
            where x.id = c.workflow_id limit 1
        ) as w on true
        order by c.seat;
    end loop;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create or replace function engine.claim_v2(
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
            p.payload, coalesce(w.config_hash, ''), coalesce(w.traceparent, ''), c.failures::int,
            c.incarnation,
            c.started_fence > 0
        from claimed as c
        inner join lateral (
            select x.payload from engine.payload as x where x.task_id = c.id limit 1
        ) as p on true
        left join lateral (
            select x.config_hash, x.traceparent from engine.workflow as x
            where x.id = c.workflow_id limit 1
        ) as w on true
        order by c.seat;
    end loop;
end
$$;
reset role;
