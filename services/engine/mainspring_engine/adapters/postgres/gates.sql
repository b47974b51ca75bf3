-- name: board
-- The version, and every circuit as of it; one row without a key where there is none.
-- repeatable
select
    b.version,
    c.key,
    c.rev,
    c.state,
    c.forced,
    c.failures,
    c.successes,
    c.trips,
    c.reason,
    c.prober,
    coalesce(
        greatest(0, ceil(extract(epoch from c.until_at - clock_timestamp()) * 1000)), 0
    )::bigint as wait_ms,
    (extract(epoch from c.last_failure_at) * 1000)::bigint as last_failure_ms,
    (extract(epoch from c.opened_at) * 1000)::bigint as opened_ms,
    (extract(epoch from c.half_open_at) * 1000)::bigint as half_open_ms
from engine.board as b
left join lateral (
    select x.* from engine.circuit as x
    where $2::text[] is null or x.key = any($2::text[])
    -- Those that hold something are never left out for many that hold nothing.
    order by x.forced desc, (x.state <> 1) desc, x.rev desc
    limit $1
) as c on true;

-- name: move_circuits
-- Compare-and-set; see the function. A repeat finds its own move done.
-- repeatable
select engine.move_circuits_v1($1) as version;

-- name: reset_circuit
-- Forgets one circuit.
select engine.reset_circuit_v1($1) as done;

-- name: limits
-- All limits by key; with $2 also what runs under them and what is in their buckets now.
-- repeatable
select
    l.key,
    l.rev,
    l.at_once,
    l.rate,
    l.per_ms,
    l.burst,
    l.every_ms,
    case when $2 then engine.running_v1(l.key) else 0 end as running,
    coalesce(
        least(
            l.burst,
            b.tokens + extract(epoch from clock_timestamp() - b.filled_at) * 1000 / l.every_ms
        ),
        0
    )::float8 as tokens,
    '' as family
from engine.key_limit as l
left join engine.bucket as b on l.key = b.key
order by l.key collate "C" -- a collation, which is of no table -- noqa: RF02
limit $1;

-- name: standing
-- The limits that some keys are under, their own or that of their narrowest family, and how each
-- key stands. A key of a family that was not drawn for yet has a full bucket.
-- repeatable
select
    k.key,
    l.rev,
    l.at_once,
    l.rate,
    l.per_ms,
    l.burst,
    l.every_ms,
    engine.running_v1(k.key) as running,
    coalesce(
        least(
            l.burst,
            coalesce(
                b.tokens + extract(epoch from clock_timestamp() - b.filled_at) * 1000 / l.every_ms,
                l.burst
            )
        ),
        0
    )::float8 as tokens,
    case when l.key = k.key then '' else l.key end as family
from unnest($1::text[]) as k (key)
cross join
    lateral (
        select x.* from engine.key_limit as x
        where x.key = k.key or (right(x.key, 1) = '*' and starts_with(k.key, left(x.key, -1)))
        order by (x.key = k.key) desc, length(x.key) desc
        limit 1
    ) as l
left join engine.bucket as b on k.key = b.key
order by k.key collate "C"; -- a collation, which is of no table -- noqa: RF02

-- name: weights
-- Organizations that weigh other than 1.
-- repeatable
select org_id, weight from engine.share;

-- name: set_limit
-- Writes one limit; see the function.
-- repeatable
select engine.set_limit_v1($1, $2, $3, $4, $5, $6) as version;

-- name: drop_limit
-- Forgets one limit.
select engine.drop_limit_v1($1) as done;

-- name: set_weight
-- Writes one organization's weight.
-- repeatable
select engine.set_share_v1($1, $2) as version;

-- name: draw_tokens
-- Takes tokens out of buckets; see the function. Not repeatable: a repeat draws again.
select key, granted, wait_ms, drawn_us from engine.draw_tokens_v4($1, $2, $3);

-- name: forget_buckets
-- Forgets full buckets of families; see the function.
-- repeatable
select engine.forget_buckets_v1($1) as forgotten;
