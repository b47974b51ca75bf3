-- The session log. One row each: see checks.py beside this file.

-- name: sequences_are_dense
-- A session's own events are numbered from its fork, or from 1, to its head without a gap.
with counted as (
    select
        session_id,
        count(*) as events,
        min(seq) as first,
        max(seq) as last
    from log.event
    group by session_id
),

examined as (
    select
        h.session_id,
        coalesce(c.events, 0) = h.last_seq - coalesce(h.parent_seq, 0)
        and coalesce(c.first = coalesce(h.parent_seq, 0) + 1, true)
        and coalesce(c.last = h.last_seq, true) as holds
    from log.head as h
    left join counted as c on h.session_id = c.session_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(session_id::text order by session_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: deltas_are_dense
-- Kept deltas between two events have no gap, and end where the next event or the head says.
with counted as (
    select
        session_id,
        seq,
        count(*) as deltas,
        min(n) as first,
        max(n) as last
    from log.delta
    group by session_id, seq
),

examined as (
    select
        c.session_id,
        c.deltas = c.last - c.first + 1
        and c.last <= coalesce(e.deltas_before, h.n) as holds
    from counted as c
    inner join log.head as h on c.session_id = h.session_id
    left join log.event as e on c.session_id = e.session_id and c.seq + 1 = e.seq
)

select
    count(*) as examined,
    coalesce(
        (array_agg(session_id::text order by session_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: chains_are_whole
-- Each event's hash covers it and the one before, and the head holds the last (see schema.chain).
with linked as (
    select
        e.session_id,
        e.seq,
        e.h,
        h.last_seq,
        h.hash,
        sha256(
            coalesce(
                lag(e.h) over (partition by e.session_id order by e.seq), h.parent_hash, ''
            )
            || uuid_send(e.session_id)
            || int8send(e.seq)
            || int8send(octet_length(convert_to(e.type, 'UTF8')))
            || convert_to(e.type, 'UTF8')
            || int8send(e.ts_ms)
            || sha256(e.payload)
        ) as recomputed
    from log.event as e
    inner join log.head as h on e.session_id = h.session_id
    where h.algorithm = 1
),

examined as (
    select
        session_id,
        h = recomputed and (seq <> last_seq or h = hash) as holds
    from linked
)

select
    count(*) as examined,
    coalesce(
        (array_agg(distinct session_id::text) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;
