-- migrate:up
-- Limits whose key ends in `*`: of every key that begins so, each by itself.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

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

-- Buckets of families' keys that are full again, or of a family that is no more.
create function engine.forget_buckets_v1(p_limit int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_forgotten int;
begin
    delete from engine.bucket as b
    where b.key in (
        select x.key
        from engine.bucket as x
        left join lateral (
            select l.burst, l.every_ms
            from engine.key_limit as l
            where right(l.key, 1) = '*' and starts_with(x.key, left(l.key, -1))
            order by length(l.key) desc
            limit 1
        ) as f on true
        where
            not exists (select from engine.key_limit as l where l.key = x.key)
            and (
                f.every_ms is null
                or f.burst <= x.tokens
                + extract(epoch from clock_timestamp() - x.filled_at) * 1000 / f.every_ms
            )
        order by x.key
        limit p_limit
        -- Skips those of a draw that is under way: they are in use.
        for update of x skip locked
    );
    get diagnostics v_forgotten = row_count;
    return v_forgotten;
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
            and proname in ('draw_tokens_v2', 'forget_buckets_v1')
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
set local role engine_owner;

drop function if exists engine.forget_buckets_v1;
drop function if exists engine.draw_tokens_v2;
reset role;
