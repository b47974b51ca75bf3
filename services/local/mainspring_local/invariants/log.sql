-- The session log, in words what breaks a rule. One row each: see checks.py beside this file.

-- name: sequences_are_dense
-- Each session's own events are numbered from its start, or its fork, to the head without a gap.
-- repeatable
with own as (
    select
        e.session_id,
        count(*) as events,
        min(e.seq) as first_seq,
        max(e.seq) as last_seq
    from log.event as e
    group by e.session_id
),

wrong as (
    select
        coalesce(h.session_id, o.session_id) || ': head ' || coalesce(h.last_seq::text, 'missing')
        || ', events ' || coalesce(o.events::text || ' from ' || o.first_seq::text, 'none') as what
    from log.head as h
    full join own as o on h.session_id = o.session_id
    where
        h.session_id is null
        or coalesce(o.events, 0) <> h.last_seq - coalesce(h.parent_seq, 0)
        or o.first_seq <> coalesce(h.parent_seq, 0) + 1
        or o.last_seq <> h.last_seq
)

select
    (select coalesce(sum(o.events), 0)::bigint from own as o) as examined,
    array(
        select w.what from wrong as w
        order by w.what limit 20
    ) as violating;

-- name: deltas_are_dense
-- Between two events the deltas are numbered 1 to what the later event or the head counted.
-- repeatable
with kept as (
    select
        d.session_id,
        d.seq,
        count(*) as deltas,
        max(d.n) as last_n,
        min(d.ts_ms) as first_ms
    from log.delta as d
    group by d.session_id, d.seq
),

counted as (
    select
        k.session_id,
        k.seq,
        k.deltas,
        k.last_n,
        k.first_ms,
        coalesce(e.deltas_before, case when h.last_seq = k.seq then h.n else 0 end) as counted
    from kept as k
    left join log.head as h on k.session_id = h.session_id
    left join log.event as e on k.session_id = e.session_id and k.seq + 1 = e.seq
    union all
    -- Counted within the hour, and not one of them is there.
    select
        c.session_id,
        c.seq,
        0 as deltas,
        0 as last_n,
        c.ts_ms as first_ms,
        c.n as counted
    from (
        select
            h.session_id,
            h.last_seq as seq,
            h.ts_ms,
            h.n
        from log.head as h
        where h.n > 0
        union all
        select
            e.session_id,
            e.seq - 1 as seq,
            e.ts_ms,
            e.deltas_before as n
        from log.event as e
        where e.deltas_before > 0
    ) as c
    where not exists (
        select from kept as k
        where k.session_id = c.session_id and k.seq = c.seq
    )
),

wrong as (
    select
        c.session_id || ' ' || c.seq || ': ' || c.deltas || ' deltas up to ' || c.last_n
        || ', counted ' || c.counted as what
    from counted as c
    where
        c.last_n > c.counted
        -- Upkeep may be at work on what is older than the hour that deltas are kept.
        or (
            c.deltas <> c.counted
            and c.first_ms > extract(epoch from now()) * 1000 - 3600000
        )
)

select
    (select coalesce(sum(k.deltas), 0)::bigint from kept as k) as examined,
    array(
        select w.what from wrong as w
        order by w.what limit 20
    ) as violating;

-- name: delta_attempts_never_fall
-- In position order an anchor's attempt never falls, and a channel's offsets join without a gap.
-- repeatable
with ordered as (
    select
        d.session_id,
        d.anchor,
        d.seq,
        d.n,
        d.attempt,
        d."offset",
        d.ts_ms,
        max(d.attempt) over (
            partition by d.session_id, d.anchor order by d.seq, d.n rows unbounded preceding
        ) as highest,
        lag(d."offset" + char_length(d.fragment), 1, 0) over (
            partition by d.session_id, d.anchor, d.attempt, d.channel order by d.seq, d.n
        ) as expected
    from log.delta as d
),

wrong as (
    select
        o.session_id || ' (' || o.seq || ', ' || o.n || ') of ' || o.anchor || ': attempt '
        || o.attempt || ' of ' || o.highest || ', offset ' || o."offset" || ' for ' || o.expected
            as what
    from ordered as o
    where
        o.attempt < o.highest
        or (
            o."offset" <> o.expected
            and o.ts_ms > extract(epoch from now()) * 1000 - 3600000
        )
)

select
    (select count(*) from ordered) as examined,
    array(
        select w.what from wrong as w
        order by w.what limit 20
    ) as violating;

-- name: chains_are_whole
-- Every event's hash follows from the one before and its content, and the head has the last one.
-- repeatable
with linked as (
    select
        e.session_id,
        e.seq,
        e.h,
        h.last_seq,
        h.hash,
        sha256(
            lag(e.h, 1, coalesce(h.parent_hash, ''))
                over (
                    partition by e.session_id order by e.seq
                )
            || uuid_send(e.session_id)
            || int8send(e.seq)
            || int8send(octet_length(e.type))
            || convert_to(e.type, 'UTF8')
            || int8send(e.ts_ms)
            || sha256(e.payload)
        ) as expected
    from log.event as e
    inner join log.head as h on e.session_id = h.session_id
),

wrong as (
    select l.session_id || ' ' || l.seq || ': not the hash of its content' as what
    from linked as l
    where l.h <> l.expected
    union all
    select l.session_id || ' ' || l.seq || ': the head has another hash' as what
    from linked as l
    where l.seq = l.last_seq and l.h <> l.hash
    union all
    select h.session_id || ': its parent has another hash at ' || h.parent_seq as what
    from log.head as h
    inner join log.event as e on h.parent = e.session_id and h.parent_seq = e.seq
    where h.parent_hash <> e.h
)

select
    (select count(*) from linked) as examined,
    array(
        select w.what from wrong as w
        order by w.what limit 20
    ) as violating;
