-- migrate:up
-- What is told of an attempt that failed, beside its code. Only such attempts have a row; it is
-- kept in weeks as they are, and never changes.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.attempt_error (
    task_id uuid not null,
    fence int not null,
    message text not null,
    primary key (task_id, fence)
) partition by range (task_id);
create trigger attempt_error_is_final before update or delete on engine.attempt_error
for each row execute function engine.refuse_change_v1();
grant select, insert on engine.attempt_error to engine_run;

-- Makes the partitions of every week (from Monday, 0:00 UTC) that touches [from_ms, until_ms];
-- returns how many were missing.
create or replace function engine.make_partitions_v1(p_from_ms bigint, p_until_ms bigint)
returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_week bigint := p_from_ms - mod(p_from_ms - 345600000, 604800000);
    v_parent text;
    v_name text;
    v_made int := 0;
begin
    if p_until_ms - p_from_ms > 60 * 604800000::bigint then
        raise exception 'engine.make_partitions_v1: at most 60 weeks at once';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('engine.make_partitions_v1', 0));
    while v_week <= p_until_ms loop
        foreach v_parent in array
            array['payload', 'attempt', 'attempt_error', 'step_result', 'effect']
        loop
            v_name := v_parent || '_'
                || to_char(to_timestamp(v_week / 1000) at time zone 'UTC', 'IYYY"w"IW');
            continue when to_regclass('engine.' || v_name) is not null;
            -- Attaching takes a weaker lock on the parent than `create table … partition of`:
            -- writers go on.
            execute format('create table engine.%I (like engine.%I including all)', v_name, v_parent);
            execute format(
                'create trigger %I before truncate on engine.%I '
                'for each statement execute function engine.refuse_change_v1()',
                v_parent || '_is_not_truncated', v_name
            );
            execute format(
                'alter table engine.%I attach partition engine.%I for values from (%L) to (%L)',
                v_parent, v_name,
                engine.uuid_at_ms(v_week), engine.uuid_at_ms(v_week + 604800000)
            );
            v_made := v_made + 1;
        end loop;
        v_week := v_week + 604800000;
    end loop;
    return v_made;
end
$$;

-- In each week that attempts have: a task of long ago may fail tomorrow.
select engine.make_partitions_v1(w.ms, w.ms)
from pg_inherits as i
inner join pg_class as c on i.inhrelid = c.oid
cross join
    lateral (
        select to_date(substr(c.relname, length('attempt_') + 1), 'IYYY"w"IW') as monday
    ) as d
cross join lateral (select (extract(epoch from d.monday) * 1000)::bigint as ms) as w
where i.inhparent = 'engine.attempt'::regclass;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Makes the partitions of every week (from Monday, 0:00 UTC) that touches [from_ms, until_ms];
-- returns how many were missing.
create or replace function engine.make_partitions_v1(p_from_ms bigint, p_until_ms bigint)
returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_week bigint := p_from_ms - mod(p_from_ms - 345600000, 604800000);
    v_parent text;
    v_name text;
    v_made int := 0;
begin
    if p_until_ms - p_from_ms > 60 * 604800000::bigint then
        raise exception 'engine.make_partitions_v1: at most 60 weeks at once';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('engine.make_partitions_v1', 0));
    while v_week <= p_until_ms loop
        foreach v_parent in array array['payload', 'attempt', 'step_result', 'effect'] loop
            v_name := v_parent || '_'
                || to_char(to_timestamp(v_week / 1000) at time zone 'UTC', 'IYYY"w"IW');
            continue when to_regclass('engine.' || v_name) is not null;
            -- Attaching takes a weaker lock on the parent than `create table … partition of`:
            -- writers go on.
            execute format('create table engine.%I (like engine.%I including all)', v_name, v_parent);
            execute format(
                'create trigger %I before truncate on engine.%I '
                'for each statement execute function engine.refuse_change_v1()',
                v_parent || '_is_not_truncated', v_name
            );
            execute format(
                'alter table engine.%I attach partition engine.%I for values from (%L) to (%L)',
                v_parent, v_name,
                engine.uuid_at_ms(v_week), engine.uuid_at_ms(v_week + 604800000)
            );
            v_made := v_made + 1;
        end loop;
        v_week := v_week + 604800000;
    end loop;
    return v_made;
end
$$;

drop table if exists engine.attempt_error;

reset role;
