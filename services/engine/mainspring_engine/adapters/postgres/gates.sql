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
