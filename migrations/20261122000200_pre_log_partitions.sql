-- migrate:up
-- Weekly partitions, made ahead; there is no default partition, so a missing one is loud.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- The lowest UUIDv7 of a millisecond.
create function log.uuid_at_ms(p_ms bigint) returns uuid
language sql immutable strict set search_path = pg_catalog, pg_temp
as $$
    select (lpad(to_hex(p_ms), 12, '0') || repeat('0', 20))::uuid
$$;

-- The Monday, 0:00 UTC, on or before a millisecond.
create function log.week_start_ms(p_ms bigint) returns bigint
language sql immutable strict set search_path = pg_catalog, pg_temp
as $$
    select p_ms - mod(p_ms - 345600000, 604800000)
$$;

-- Makes the partitions of every week that touches [from_ms, until_ms]; returns how many were
-- missing.
create function log.make_partitions_v1(from_ms bigint, until_ms bigint) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_week bigint := log.week_start_ms(from_ms);
    v_parent text;
    v_name text;
    v_made int := 0;
begin
    if until_ms - from_ms > 60 * 604800000::bigint then
        raise exception 'log.make_partitions_v1: at most 60 weeks at once';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('log.make_partitions_v1', 0));
    while v_week <= until_ms loop
        foreach v_parent in array array['event', 'delta'] loop
            v_name := v_parent || '_'
                || to_char(to_timestamp(v_week / 1000) at time zone 'UTC', 'IYYY"w"IW');
            continue when to_regclass('log.' || v_name) is not null;
            -- Attaching takes a weaker lock on the parent than `create table … partition of`:
            -- writers go on.
            execute format('create table log.%I (like log.%I including all)', v_name, v_parent);
            if v_parent = 'event' then
                execute format(
                    'create trigger event_is_not_truncated before truncate on log.%I '
                    'for each statement execute function log.refuse_change_v1()', v_name
                );
            end if;
            execute format(
                'alter table log.%I attach partition log.%I for values from (%L) to (%L)',
                v_parent, v_name, log.uuid_at_ms(v_week), log.uuid_at_ms(v_week + 604800000)
            );
            v_made := v_made + 1;
        end loop;
        v_week := v_week + 604800000;
    end loop;
    return v_made;
end
$$;

-- The first millisecond, from now on, that some partition is missing for.
create function log.partition_horizon_v1() returns bigint
language plpgsql security definer stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_week bigint := log.week_start_ms((extract(epoch from clock_timestamp()) * 1000)::bigint);
    v_name text;
begin
    loop
        v_name := to_char(to_timestamp(v_week / 1000) at time zone 'UTC', 'IYYY"w"IW');
        exit when to_regclass('log.event_' || v_name) is null
            or to_regclass('log.delta_' || v_name) is null;
        v_week := v_week + 604800000;
    end loop;
    return v_week;
end
$$;

revoke execute on function log.make_partitions_v1(bigint, bigint) from public;
revoke execute on function log.partition_horizon_v1() from public;
grant execute on function log.make_partitions_v1(bigint, bigint) to log_run;
grant execute on function log.partition_horizon_v1() to log_run;

-- A day back as well: an id may be made by a clock that is behind, or just before the week turned.
select log.make_partitions_v1(
    (extract(epoch from now()) * 1000)::bigint - 86400000,
    (extract(epoch from now()) * 1000)::bigint + 2 * 604800000::bigint
);
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.partition_horizon_v1();
drop function if exists log.make_partitions_v1(bigint, bigint);
drop function if exists log.week_start_ms(bigint);
drop function if exists log.uuid_at_ms(bigint);
