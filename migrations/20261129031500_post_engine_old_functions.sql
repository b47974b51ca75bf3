-- migrate:up
-- What no service calls any more: the versions before of how tasks are claimed, tokens drawn and
-- budgets made.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

drop function engine.claim_v1;
drop function engine.draw_tokens_v1;
drop function engine.draw_tokens_v2;
drop function engine.create_budget_v1;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

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
revoke execute on function engine.claim_v1 from public;
grant execute on function engine.claim_v1 to engine_run;

-- Takes tokens out of buckets, and back in what was not used. Buckets are locked by key.
create function engine.draw_tokens_v1(p_draws engine.token_draw[])
returns table (key text, granted int, wait_ms bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz;
begin
    perform
    from engine.bucket as b
    where b.key = any(array(select d.key from unnest(p_draws) as d))
    order by b.key
    for no key update;
    v_now := clock_timestamp();

    return query
    with filled as (
        select
            b.key, d.wanted, l.every_ms,
            least(
                l.burst,
                b.tokens + d.returned
                + extract(epoch from v_now - b.filled_at) * 1000 / l.every_ms
            ) as tokens
        from unnest(p_draws) as d
        inner join engine.bucket as b on d.key = b.key
        inner join engine.key_limit as l on b.key = l.key
        where l.rate is not null
    ),

    given as (
        select
            f.key, f.every_ms, f.tokens, least(f.wanted, floor(f.tokens))::int as granted
        from filled as f
    ),

    drawn as (
        update engine.bucket as b
        set tokens = g.tokens - g.granted, filled_at = v_now
        from given as g
        where b.key = g.key
    )

    select
        g.key, g.granted,
        ceil(greatest(0, 1 - (g.tokens - g.granted)) * g.every_ms)::bigint
    from given as g
    order by g.key;
end
$$;
revoke execute on function engine.draw_tokens_v1 from public;
grant execute on function engine.draw_tokens_v1 to engine_run;

-- Takes tokens out of buckets. `p_rows` names for each draw the limit that its key is under; a key
-- of a family gets its bucket, a full one, with its first draw.
create function engine.draw_tokens_v2(p_draws engine.token_draw[], p_rows text[])
returns table (key text, granted int, wait_ms bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz;
begin
    insert into engine.bucket (key, tokens, filled_at)
    select d.key, l.burst, clock_timestamp()
    from unnest(p_draws) with ordinality as d
    inner join engine.key_limit as l on l.key = p_rows[d.ordinality]
    where l.rate is not null and l.key <> d.key
    order by d.key
    on conflict do nothing;

    perform
    from engine.bucket as b
    where b.key = any(array(select d.key from unnest(p_draws) as d))
    order by b.key
    for no key update;
    v_now := clock_timestamp();

    return query
    with filled as (
        select
            b.key, d.wanted, l.every_ms,
            least(
                l.burst,
                b.tokens + d.returned
                + extract(epoch from v_now - b.filled_at) * 1000 / l.every_ms
            ) as tokens
        from unnest(p_draws) with ordinality as d
        inner join engine.bucket as b on d.key = b.key
        inner join engine.key_limit as l on l.key = p_rows[d.ordinality]
        where l.rate is not null
    ),

    given as (
        select
            f.key, f.every_ms, f.tokens, least(f.wanted, floor(f.tokens))::int as granted
        from filled as f
    ),

    drawn as (
        update engine.bucket as b
        set tokens = g.tokens - g.granted, filled_at = v_now
        from given as g
        where b.key = g.key
    )

    select
        g.key, g.granted,
        ceil(greatest(0, 1 - (g.tokens - g.granted)) * g.every_ms)::bigint
    from given as g
    order by g.key;
end
$$;
revoke execute on function engine.draw_tokens_v2 from public;
grant execute on function engine.draw_tokens_v2 to engine_run;

create function engine.create_budget_v1(
    p_org uuid, p_id uuid, p_entry uuid, p_subject_type text, p_subject_id uuid, p_currency text,
    p_allowed bigint, p_soft bigint, p_metadata bytea
) returns uuid
language sql security definer
set search_path = pg_catalog, pg_temp
begin atomic
    insert into engine.budget (
        id, org_id, subject_type, subject_id, currency, allowed, soft, balance, metadata
    )
    values (
        p_id, p_org, p_subject_type, p_subject_id, p_currency, p_allowed, p_soft, p_allowed,
        p_metadata
    );
    insert into engine.budget_entry (id, budget_id, amount, source)
    values (p_entry, p_id, p_allowed, 'limit')
    returning budget_id;
end;
revoke execute on function engine.create_budget_v1 from public;
grant execute on function engine.create_budget_v1 to engine_run;

reset role;
