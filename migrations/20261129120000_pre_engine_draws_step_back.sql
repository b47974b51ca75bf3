-- migrate:up
-- A clock that steps back takes no tokens out of a bucket, and a draw gives none or more.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- As draw_tokens_v3. `p_drawn_us` says for each draw when the tokens were drawn that it returns, in
-- microseconds: what the bucket got since then, and might not have had room for, is taken off them.
create function engine.draw_tokens_v4(
    p_draws engine.token_draw [], p_rows text [], p_drawn_us bigint []
)
returns table (key text, granted int, wait_ms bigint, drawn_us bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_now_us bigint;
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
    v_now_us := extract(epoch from v_now) * 1000000;

    return query
    with filled as (
        select
            b.key, d.wanted, l.every_ms,
            least(
                l.burst,
                b.tokens
                + greatest(
                    0,
                    d.returned - (v_now_us - p_drawn_us[d.ordinality]) / 1000.0 / l.every_ms
                )
                + greatest(0, extract(epoch from v_now - b.filled_at)) * 1000 / l.every_ms
            ) as tokens
        from unnest(p_draws) with ordinality as d
        inner join engine.bucket as b on d.key = b.key
        inner join engine.key_limit as l on l.key = p_rows[d.ordinality]
        where l.rate is not null
    ),

    given as (
        select
            f.key, f.every_ms, f.tokens,
            -- What came back at once is whole again, whatever sums of floats say.
            greatest(0, least(f.wanted, floor(f.tokens + 1e-6)))::int as granted
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
        ceil(greatest(0, 1 - (g.tokens - g.granted)) * g.every_ms)::bigint,
        v_now_us
    from given as g
    order by g.key;
end
$$;
revoke execute on function engine.draw_tokens_v4 from public;
grant execute on function engine.draw_tokens_v4 to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;
drop function if exists engine.draw_tokens_v4;
reset role;
