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
    order by x.rev desc
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
-- Limits by key; with $2 also what runs under them and what is in their buckets now.
-- repeatable
select
    l.key,
    l.rev,
    l.at_once,
    l.rate,
    l.per_ms,
    l.burst,
    l.every_ms,
    case when $2 then (
        select count(*)
        from engine.task as t
        where
            t.state = 2 and t.counted
            and t.route = any(
                array(select r.id from engine.route as r where r.model = l.key)
                || array(select r.id from engine.route as r where 'queue:' || r.queue = l.key)
            )
    ) else 0 end::int as running,
    coalesce(
        least(
            l.burst,
            b.tokens + extract(epoch from clock_timestamp() - b.filled_at) * 1000 / l.every_ms
        ),
        0
    )::float8 as tokens
from engine.key_limit as l
left join engine.bucket as b on l.key = b.key
where $3::text[] is null or l.key = any($3::text[])
order by l.key
limit $1;

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
select key, granted, wait_ms from engine.draw_tokens_v1($1);
