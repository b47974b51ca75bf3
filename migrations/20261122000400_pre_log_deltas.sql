-- migrate:up
-- Streamed fragments: what the event store's own service calls, and what drops them again.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- The next offset of a channel after a fragment: it moves only if the fragment stands exactly
-- there.
create function log.offset_after(p_next int, p_start int, p_offset int, p_chars int) returns int
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when p_offset = coalesce(p_next, p_start) then p_offset + p_chars
        else coalesce(p_next, p_start)
    end;
end
$$;

-- Folds the items of one channel in their order, as a window function.
create aggregate log.channel_end (p_start int, p_offset int, p_chars int)(
    sfunc = log.offset_after,
    stype = int
);

-- One flight over many streams, under the head locks in id order. Verdicts: 1 committed, 2
-- duplicate, 3 stale, 4 gap.
create function log.append_deltas_v1(
    p_session uuid[], p_turn uuid[], p_anchor text[], p_attempt int[], p_channel text[],
    p_offset int[], p_fragment text[], p_reset boolean[]
) returns table (item int, verdict smallint, seq bigint, n int, ts_ms bigint)
language plpgsql security definer rows 32
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now bigint;
begin
    perform from log.head as h
    where h.session_id = any(p_session)
    order by h.session_id
    for no key update;
    -- After the locks, so that times do not fall in position order.
    v_now := (extract(epoch from clock_timestamp()) * 1000)::bigint;

    return query
    with given as (
        select
            i.*,
            h.last_seq,
            h.n as head_n,
            char_length(i.fragment) as chars,
            case
                when h.closed or h.active_turn is distinct from i.turn_id then null
                else (h.anchors -> i.anchor ->> 'a')::int
            end as open_attempt,
            coalesce((h.anchors -> i.anchor -> 'c' ->> i.channel)::int, 0) as start
        from unnest(
            p_session, p_turn, p_anchor, p_attempt, p_channel, p_offset, p_fragment, p_reset
        ) with ordinality as i (
            session_id, turn_id, anchor, attempt, channel, "offset", fragment, reset, item
        )
        left join log.head as h on i.session_id = h.session_id
    ),

    folded as (
        select
            g.*,
            log.channel_end(g.start, g."offset", g.chars) over stream as channel_end
        from given as g
        window stream as (
            partition by g.session_id, g.turn_id, g.anchor, g.attempt, g.channel
            order by g.item rows unbounded preceding
        )
    ),

    judged as (
        select
            f.*,
            case
                when f.open_attempt is null or f.attempt < f.open_attempt then 3
                when f.attempt > f.open_attempt or f."offset" > f.next_offset then 4
                when f."offset" < f.next_offset or f.chars = 0 then 2
                else 1
            end::smallint as verdict
        from (
            select
                x.*,
                coalesce(lag(x.channel_end) over (
                    partition by x.session_id, x.turn_id, x.anchor, x.attempt, x.channel
                    order by x.item
                ), x.start) as next_offset
            from folded as x
        ) as f
    ),

    placed as (
        select
            j.*,
            (j.head_n + row_number() over (partition by j.session_id order by j.item))::int as n
        from judged as j
        where j.verdict = 1
    ),

    added as (
        insert into log.delta (
            turn_id, session_id, seq, n, anchor, attempt, channel, "offset", fragment, reset, ts_ms
        )
        select
            p.turn_id, p.session_id, p.last_seq, p.n, p.anchor, p.attempt, p.channel, p."offset",
            p.fragment, p.reset, v_now
        from placed as p
    ),

    channels as (
        select p.session_id, p.anchor, p.channel, max(p.channel_end) as channel_end, max(p.n) as n
        from placed as p
        group by p.session_id, p.anchor, p.channel
    ),

    ends as (
        select
            c.session_id, c.anchor, jsonb_object_agg(c.channel, c.channel_end) as channels,
            max(c.n) as n
        from channels as c
        group by c.session_id, c.anchor
    ),

    raised as (
        select
            e.session_id, max(e.n) as n,
            jsonb_object_agg(
                e.anchor,
                jsonb_set(h.anchors -> e.anchor, '{c}', (h.anchors -> e.anchor -> 'c') || e.channels)
            ) as anchors
        from ends as e
        inner join log.head as h on e.session_id = h.session_id
        group by e.session_id
    ),

    moved as (
        update log.head as h
        set n = r.n, anchors = h.anchors || r.anchors
        from raised as r
        where h.session_id = r.session_id
    )

    select
        j.item::int, j.verdict,
        case when j.verdict = 1 then j.last_seq else 0 end,
        coalesce(p.n, 0),
        case when j.verdict = 1 then v_now else 0 end
    from judged as j
    left join placed as p on j.item = p.item
    order by j.item;
end
$$;

-- Deletes deltas of turns whose outcome is an hour old, some turns per call, and goes on where it
-- stopped. Returns how many rows went. Only one caller sweeps at a time; another one finds nothing
-- to do.
create function log.drop_deltas_v1(p_keep_ms bigint, p_turns int, p_rows int) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_after uuid;
    v_until bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint - p_keep_ms;
    v_turns uuid[];
    v_over uuid[];
    v_dropped bigint;
begin
    -- Skips the row while another sweep holds it: that one does the work.
    select s.swept_turn into v_after from log.store as s
    order by s.only_row limit 1 for update skip locked;
    if not found then
        return 0;
    end if;
    with recursive turns as (
        (
            select d.turn_id, d.session_id, d.seq, 1 as i
            from log.delta as d
            where d.turn_id > v_after and d.turn_id < log.uuid_at_ms(v_until)
            order by d.turn_id, d.session_id, d.seq
            limit 1
        )
        union all
        select x.turn_id, x.session_id, x.seq, t.i + 1
        from turns as t
        cross join lateral (
            select d.turn_id, d.session_id, d.seq
            from log.delta as d
            where d.turn_id > t.turn_id and d.turn_id < log.uuid_at_ms(v_until)
            order by d.turn_id, d.session_id, d.seq
            limit 1
        ) as x
        where t.i < p_turns
    )

    select
        array_agg(t.turn_id order by t.turn_id),
        array_agg(t.turn_id) filter (where exists (
            select from log.event as e
            where e.session_id = t.session_id and e.seq > t.seq and e.turn_id = t.turn_id
                and e.type in ('turn.completed', 'turn.failed', 'turn.cancelled', 'turn.sealed')
                and e.ts_ms <= v_until
        ))
    into v_turns, v_over
    from turns as t;

    delete from log.delta as d
    where (d.turn_id, d.session_id, d.seq, d.n) in (
        select x.turn_id, x.session_id, x.seq, x.n
        from log.delta as x
        where x.turn_id = any(v_over)
        limit p_rows
    );
    get diagnostics v_dropped = row_count;
    if v_dropped < p_rows then
        update log.store
        set swept_turn = case
            when cardinality(v_turns) = p_turns then v_turns[p_turns]
            else '00000000-0000-0000-0000-000000000000'
        end;
    end if;
    return v_dropped;
end
$$;

-- Drops empty delta partitions that ended two weeks ago and that no turn can stream into; looks
-- once a day.
create function log.drop_delta_partitions_v1() returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- Dropping locks the parent: rather try again tomorrow than make writers wait.
set lock_timeout = '100ms'
as $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    v_partition record;
    v_rows boolean;
    v_dropped int := 0;
begin
    update log.store set partitions_checked_ms = v_now
    where partitions_checked_ms < v_now - 86400000;
    if not found then
        return 0;
    end if;
    for v_partition in
        select c.relname::text as name, b.week_ms
        from pg_inherits as i
        inner join pg_class as c on i.inhrelid = c.oid
        cross join lateral (
            select (
                extract(epoch from to_date(right(c.relname, 7), 'IYYY"w"IW')) * 1000
            )::bigint as week_ms
        ) as b
        where i.inhparent = 'log.delta'::regclass and b.week_ms + 3 * 604800000::bigint < v_now
        order by b.week_ms
        limit 10
    loop
        execute format('select exists (select from log.%I)', v_partition.name) into v_rows;
        -- A turn that still waits may stream again. New turns have new ids, so no lock is needed to
        -- ask.
        continue when v_rows or exists (
            select from log.head
            where active_turn >= log.uuid_at_ms(v_partition.week_ms)
                and active_turn < log.uuid_at_ms(v_partition.week_ms + 604800000)
        );
        begin
            execute format('drop table log.%I', v_partition.name);
            v_dropped := v_dropped + 1;
        exception when lock_not_available then null;
        end;
    end loop;
    return v_dropped;
end
$$;

revoke execute on function log.append_deltas_v1(
    uuid[], uuid[], text[], int[], text[], int[], text[], boolean[]
) from public;
revoke execute on function log.drop_deltas_v1(bigint, int, int) from public;
revoke execute on function log.drop_delta_partitions_v1() from public;
grant execute on function log.append_deltas_v1(
    uuid[], uuid[], text[], int[], text[], int[], text[], boolean[]
) to log_run;
grant execute on function log.drop_deltas_v1(bigint, int, int) to log_run;
grant execute on function log.drop_delta_partitions_v1() to log_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.drop_delta_partitions_v1();
drop function if exists log.drop_deltas_v1(bigint, int, int);
drop function if exists log.append_deltas_v1;
drop aggregate if exists log.channel_end(int, int, int);
drop function if exists log.offset_after(int, int, int, int);
