-- migrate:up
-- Limits per key and weights of organizations: rows of the board. A bucket's tokens are drawn in
-- slices by engines that have a use for them, so no statement about a task touches a shared row.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.key_limit (
    -- the model of a route, or `queue:name`
    key text primary key,
    -- the board's version of its newest change
    rev bigint not null,
    -- tasks that run at once
    at_once int check (at_once >= 0),
    -- claims in any window of per_ms
    rate int check (rate > 0),
    per_ms int check (per_ms > 0),
    -- tokens of a full bucket, and how long one takes to come
    burst int check (burst > 0),
    every_ms float8 check (every_ms > 0),
    check (num_nulls(rate, per_ms, burst, every_ms) in (0, 4))
);

create table engine.bucket (
    key text primary key,
    tokens float8 not null,
    filled_at timestamptz not null
) with (fillfactor = 50);

create table engine.share (
    org_id uuid primary key,
    weight float8 not null check (weight > 0)
);

create function engine.set_limit_v1(
    p_key text, p_at_once int, p_rate int, p_per_ms int, p_burst int, p_every_ms float8
) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_version bigint;
begin
    update engine.board set version = version + 1 returning version into v_version;
    insert into engine.key_limit (key, rev, at_once, rate, per_ms, burst, every_ms)
    values (p_key, v_version, p_at_once, p_rate, p_per_ms, p_burst, p_every_ms)
    on conflict (key) do update
    set
        rev = excluded.rev, at_once = excluded.at_once, rate = excluded.rate,
        per_ms = excluded.per_ms, burst = excluded.burst, every_ms = excluded.every_ms;
    if p_rate is not null then
        insert into engine.bucket as b (key, tokens, filled_at)
        values (p_key, p_burst, clock_timestamp())
        on conflict (key) do update set tokens = least(b.tokens, excluded.tokens);
    end if;
    return v_version;
end
$$;

-- Whether there was one to drop.
create function engine.drop_limit_v1(p_key text) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update engine.board set version = version + 1;
    delete from engine.bucket where key = p_key;
    delete from engine.key_limit where key = p_key;
    return found;
end
$$;

-- A weight of 1 is that of everybody, and needs no row.
create function engine.set_share_v1(p_org uuid, p_weight float8) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_version bigint;
begin
    update engine.board set version = version + 1 returning version into v_version;
    if p_weight = 1 then
        delete from engine.share where org_id = p_org;
    else
        insert into engine.share (org_id, weight) values (p_org, p_weight)
        on conflict (org_id) do update set weight = excluded.weight;
    end if;
    return v_version;
end
$$;

create type engine.token_draw as (key text, wanted int, returned int);

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

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid::regprocedure from pg_proc
        where
            pronamespace = 'engine'::regnamespace
            and proname in ('set_limit_v1', 'drop_limit_v1', 'set_share_v1', 'draw_tokens_v1')
    loop
        execute format('revoke execute on function %s from public', v_function);
        execute format('grant execute on function %s to engine_run', v_function);
    end loop;
end
$$;
grant select on engine.key_limit, engine.bucket, engine.share to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.draw_tokens_v1;
drop type if exists engine.token_draw;
drop function if exists engine.set_share_v1;
drop function if exists engine.drop_limit_v1;
drop function if exists engine.set_limit_v1;
drop table if exists engine.share;
drop table if exists engine.bucket;
drop table if exists engine.key_limit;
