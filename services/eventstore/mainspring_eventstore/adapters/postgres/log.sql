-- The log as its own service reads and writes it, as role log_run: reads are plain, writes are
-- granted functions. A session's log is the union over its lineage: a fork's own rows and the
-- prefixes of its parents, each cut at the sequence where the next one begins.

-- name: append_deltas
-- One flight of deltas over many streams; the verdicts with the organizations to publish under.
select
    a.item,
    a.verdict,
    a.seq,
    a.n,
    a.ts_ms,
    -- Not joined: the planner cannot know how few rows the function returns.
    (
        select h.org_id from log.head as h
        where h.session_id = ($1::uuid[])[a.item]
    ) as org_id
from log.append_deltas_v1($1, $2, $3, $4, $5, $6, $7, $8) as a
order by a.item;

-- name: read
-- One page after a cursor with the head, in one snapshot: kind 0 is the head, 1 events, 2 deltas.
-- repeatable
with lineage as materialized (
    select * from log.lineage_v1($1, $2)
),

start as (
    select
        h.active_turn,
        -- Without a cursor: just before the group that started the newest turn.
        coalesce($3::bigint, greatest(h.turn_first_seq - 1, 0)) as seq,
        case when $3 is null then 2147483647 else $4::int end as n
    from log.head as h
    where h.session_id = $1 and h.org_id = $2
),

event as materialized (
    select
        e.*,
        sum(octet_length(e.payload) + $7) over (order by e.seq) - octet_length(e.payload) - $7
            as bytes_before,
        row_number() over (order by e.seq) as place
    from (
        select x.*
        from lineage as l
        cross join start as s
        cross join
            lateral (
                select
                    o.seq,
                    o.type,
                    o.ts_ms,
                    o.turn_id,
                    o.payload,
                    o.deltas_before
                from log.event as o
                where
                    o.session_id = l.session_id
                    and o.seq > greatest(s.seq, l.floor)
                    and o.seq <= l.ceiling
                order by o.seq
                limit $5::int + 1
            ) as x
        order by x.seq
        limit $5::int + 1
    ) as e
),

-- Deltas are kept by turn. One at a sequence belongs to the turn that was active there: that of
-- a later event, of the last one before the cursor, or of the head.
turn as (
    select e.turn_id from event as e
    union
    select s.active_turn from start as s
    union
    select x.turn_id
    from lineage as l
    cross join start as s
    cross join lateral (
        select o.turn_id
        from log.event as o
        where
            o.session_id = l.session_id
            and o.seq <= least(s.seq, l.ceiling)
            and o.seq > l.floor
            and o.turn_id is not null
        order by o.seq desc
        limit 1
    ) as x
),

delta as materialized (
    select
        d.*,
        sum(octet_length(d.fragment) + $7) over (order by d.seq, d.n)
        - octet_length(d.fragment) - $7 as bytes_before,
        row_number() over (order by d.seq, d.n) as place
    from (
        select x.*
        from lineage as l
        cross join start as s
        cross join turn as t
        cross join
            lateral (
                select o.*
                from log.delta as o
                where
                    o.turn_id = t.turn_id
                    and o.session_id = l.session_id
                    and (o.seq, o.n) > (s.seq, s.n)
                    and o.seq > l.floor
                    and (l.own or o.seq < l.ceiling)
                order by o.seq, o.n
                limit $5::int + 1
            ) as x
        where not $8::boolean
        order by x.seq, x.n
        limit $5::int + 1
    ) as d
)

select
    0 as kind,
    h.last_seq as seq,
    h.n,
    h.ts_ms,
    null::text as type,
    h.hash as payload,
    0 as deltas_before,
    null::uuid as turn_id,
    null::text as anchor,
    0 as attempt,
    null::text as channel,
    0 as "offset",
    null::text as fragment,
    false as reset,
    h.status,
    h.paused,
    h.closed,
    h.turn_first_seq
from log.head as h
where h.session_id = $1 and h.org_id = $2
union all
select
    1 as kind,
    e.seq,
    0 as n,
    e.ts_ms,
    e.type,
    e.payload,
    e.deltas_before,
    e.turn_id,
    null as anchor,
    0 as attempt,
    null as channel,
    0 as "offset",
    null as fragment,
    false as reset,
    0 as status,
    false as paused,
    false as closed,
    0 as turn_first_seq
from event as e
-- The second row is needed to say that there is more, however large the first one is.
where e.bytes_before <= $6 or e.place <= 2
union all
select
    2 as kind,
    d.seq,
    d.n,
    d.ts_ms,
    null as type,
    null as payload,
    0 as deltas_before,
    d.turn_id,
    d.anchor,
    d.attempt,
    d.channel,
    d."offset",
    d.fragment,
    d.reset,
    0 as status,
    false as paused,
    false as closed,
    0 as turn_first_seq
from delta as d
where d.bytes_before <= $6 or d.place <= 2
order by kind, seq, n;

-- name: list_oldest
-- The oldest events that match, ascending.
-- repeatable
select
    x.seq,
    x.type,
    x.ts_ms,
    x.payload,
    x.deltas_before
from log.lineage_v1($1, $2) as l
cross join
    lateral (
        select
            e.seq,
            e.type,
            e.ts_ms,
            e.payload,
            e.deltas_before
        from log.event as e
        where
            e.session_id = l.session_id
            and e.seq > greatest($3::bigint, l.floor)
            and e.seq <= l.ceiling
            and ($4::bigint is null or e.seq < $4)
            and (cardinality($5::text[]) = 0 or e.type = any($5))
            and e.type <> all($6::text[])
            and ($7::bigint is null or e.ts_ms >= $7)
            and ($8::bigint is null or e.ts_ms <= $8)
            and ($9::uuid is null or e.turn_id = $9)
            and not exists (
                select
                from unnest($10::bytea[]) as w (needle)
                where position(w.needle in e.payload) = 0
            )
            and ($11::text is null or strpos(lower(convert_from(e.payload, 'UTF8')), $11) > 0)
        order by e.seq
        limit $12
    ) as x
order by x.seq
limit $12;

-- name: list_newest
-- The newest events that match, descending.
-- repeatable
select
    x.seq,
    x.type,
    x.ts_ms,
    x.payload,
    x.deltas_before
from log.lineage_v1($1, $2) as l
cross join
    lateral (
        select
            e.seq,
            e.type,
            e.ts_ms,
            e.payload,
            e.deltas_before
        from log.event as e
        where
            e.session_id = l.session_id
            and e.seq > greatest($3::bigint, l.floor)
            and e.seq <= l.ceiling
            and ($4::bigint is null or e.seq < $4)
            and (cardinality($5::text[]) = 0 or e.type = any($5))
            and e.type <> all($6::text[])
            and ($7::bigint is null or e.ts_ms >= $7)
            and ($8::bigint is null or e.ts_ms <= $8)
            and ($9::uuid is null or e.turn_id = $9)
            and not exists (
                select
                from unnest($10::bytea[]) as w (needle)
                where position(w.needle in e.payload) = 0
            )
            and ($11::text is null or strpos(lower(convert_from(e.payload, 'UTF8')), $11) > 0)
        order by e.seq desc
        limit $12
    ) as x
order by x.seq desc
limit $12;

-- name: count_events
-- How many events match; sequences are dense, so without a condition the head says it.
-- repeatable
select count(*)
from log.lineage_v1($1, $2) as l
inner join log.event as e on l.session_id = e.session_id
where
    e.seq > greatest($3::bigint, l.floor)
    and e.seq <= l.ceiling
    and ($4::bigint is null or e.seq < $4)
    and (cardinality($5::text[]) = 0 or e.type = any($5))
    and e.type <> all($6::text[])
    and ($7::bigint is null or e.ts_ms >= $7)
    and ($8::bigint is null or e.ts_ms <= $8)
    and ($9::uuid is null or e.turn_id = $9)
    and not exists (
        select from unnest($10::bytea[]) as w (needle)
        where position(w.needle in e.payload) = 0
    )
    and ($11::text is null or strpos(lower(convert_from(e.payload, 'UTF8')), $11) > 0);

-- name: heads
-- The heads of many sessions with the store's epoch; unknown sessions are absent.
-- repeatable
select
    h.session_id,
    h.org_id,
    h.last_seq as seq,
    h.n,
    h.hash,
    h.status,
    h.paused,
    h.closed,
    h.turn_first_seq,
    h.ts_ms as updated_ms
from log.head as h
where h.session_id = any($1::uuid[]);

-- name: epoch
-- The store's epoch; positions of an older one are void.
-- repeatable
select s.epoch from log.store as s;

-- name: lineage
-- The segments of a session's log, its own first, then its parents'.
-- repeatable
select
    l.session_id,
    l.ceiling as last_seq,
    l.parent_hash,
    l.floor + 1 as first_seq
from log.lineage_v1($1, null) as l
order by l.depth;

-- name: chain
-- Events that one session appended itself, with their hashes, for verification.
-- repeatable
select
    e.session_id,
    e.seq,
    e.type,
    e.ts_ms,
    e.payload,
    e.h
from log.event as e
where e.session_id = $1 and e.seq between $2 and $3
order by e.seq
limit $4;

-- name: horizon
-- Until when partitions exist, and what time the database has.
-- repeatable
select
    log.partition_horizon_v1() as horizon_ms,
    (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms;

-- name: make_partitions
-- Makes the partitions between two times of the database's clock; returns how many were missing.
select log.make_partitions_v1($1, $2);

-- name: drop_deltas
-- One bounded pass over deltas of turns that ended long enough ago; whether there are more.
select d.dropped, d.more from log.drop_deltas_v2($1, $2, $3) as d;

-- name: drop_partitions
-- Drops empty delta partitions that nobody can write into again.
select log.drop_delta_partitions_v1();

-- name: ping
-- Whether the store answers.
-- repeatable
select 1;
