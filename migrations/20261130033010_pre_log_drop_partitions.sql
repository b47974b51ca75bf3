-- migrate:up
-- Which weeks of deltas may go is asked of their partitions alone, oldest first, until ten were
-- tried: neither names of other relations are read as weeks, nor do ten that stay keep all the others.
-- The signature and the answer are as before, so either version may call it.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- Drops empty delta partitions that ended two weeks ago and that no turn can stream into; looks
-- once a day.
create or replace function log.drop_delta_partitions_v1() returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- Dropping locks the parent: rather try again tomorrow than make writers wait.
set lock_timeout = '100ms'
as $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    v_held bigint[];
    v_partition record;
    v_rows boolean;
    v_tried int := 0;
    v_dropped int := 0;
begin
    update log.store set partitions_checked_ms = v_now
    where partitions_checked_ms < v_now - 86400000;
    if not found then
        return 0;
    end if;
    -- A turn that still waits may stream again. New turns have new ids, so no lock is needed to
    -- ask; once for all partitions, for nothing indexes which turn is active.
    v_held := array(
        select distinct
            log.week_start_ms(
                ('x' || left(replace(h.active_turn::text, '-', ''), 12))::bit(48)::bigint
            )
        from log.head as h
        where h.active_turn is not null
    );
    for v_partition in
        -- Materialized: else the planner may read the names of all relations as weeks.
        with week as materialized (
            select c.relname::text as name
            from pg_inherits as i
            inner join pg_class as c on i.inhrelid = c.oid
            where i.inhparent = 'log.delta'::regclass
        )

        select w.name, b.week_ms
        from week as w
        cross join lateral (
            select (
                extract(epoch from to_date(right(w.name, 7), 'IYYY"w"IW')) * 1000
            )::bigint as week_ms
        ) as b
        where b.week_ms + 3 * 604800000::bigint < v_now and b.week_ms <> all(v_held)
        order by b.week_ms
    loop
        exit when v_tried >= 10;
        execute format('select exists (select from log.%I)', v_partition.name) into v_rows;
        continue when v_rows;
        v_tried := v_tried + 1;
        begin
            execute format('drop table log.%I', v_partition.name);
            v_dropped := v_dropped + 1;
        exception when lock_not_available then null;
        end;
    end loop;
    return v_dropped;
end
$$;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

create or replace function log.drop_delta_partitions_v1() returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
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

reset role;
