-- migrate:up
-- The engine's wide tables: insert-only but for an effect's way forward, cut into weeks of their
-- owner's UUIDv7. Partitions are made ahead; there is no default one, so a missing one is loud.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.payload (
    task_id uuid primary key,
    org_id uuid not null,
    step text not null,
    payload bytea not null,
    input_hash bytea not null
) partition by range (task_id);

-- Inserted when the attempt closes; the live one is the task row.
create table engine.attempt (
    task_id uuid not null,
    fence int not null check (fence >= 1),
    workflow_id uuid not null,
    org_id uuid not null,
    step text not null,
    incarnation uuid not null,
    attach_number bigint not null,
    claim_rev int not null,
    close_rev int not null,
    claimed_at timestamptz not null,
    closed_at timestamptz not null,
    stamped_at timestamptz not null,
    lease_until timestamptz not null,
    acknowledged boolean not null,
    started boolean not null,
    -- mainspring_engine.domain.rows.Closing
    closing smallint not null,
    result_hash bytea not null default '',
    error_code text not null default '',
    primary key (task_id, fence)
) partition by range (task_id);

create table engine.step_result (
    workflow_id uuid not null,
    step text not null,
    org_id uuid not null,
    task_id uuid not null,
    fence int not null,
    rev int not null,
    input_hash bytea not null,
    body bytea not null,
    hash bytea not null,
    primary key (workflow_id, step)
) partition by range (workflow_id);

-- One row per call that needs a Start.
create table engine.effect (
    workflow_id uuid not null,
    step text not null,
    org_id uuid not null,
    task_id uuid not null,
    class smallint not null check (class in (3, 4)),
    -- 1 intended, 2 started, 3 done, 4 failed, 5 unknown, 6 closed unstarted
    state smallint not null default 1 check (state between 1 and 6),
    -- of the newest start
    fence int not null default 0,
    rev int not null,
    started_at timestamptz,
    closed_at timestamptz,
    primary key (workflow_id, step)
) partition by range (workflow_id);

create function engine.refuse_way_back_v1() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'effect %: % does not follow %', old.step, new.state, old.state
        using errcode = 'object_not_in_prerequisite_state';
end
$$;

create trigger payload_is_final before update or delete on engine.payload
for each row execute function engine.refuse_change_v1();
create trigger attempt_is_final before update or delete on engine.attempt
for each row execute function engine.refuse_change_v1();
create trigger step_result_is_final before update or delete on engine.step_result
for each row execute function engine.refuse_change_v1();
create trigger effect_stays before delete on engine.effect
for each row execute function engine.refuse_change_v1();
create trigger effect_moves_forward before update on engine.effect
for each row when (
    not (
        (old.state = 1 and new.state in (2, 6))
        or (old.state = 2 and new.state in (3, 4, 5))
        -- a verifiable call starts again once its probe found no effect
        or (old.state = 2 and new.state = 2 and old.class = 4)
    )
) execute function engine.refuse_way_back_v1();

-- The lowest UUIDv7 of a millisecond.
create function engine.uuid_at_ms(p_ms bigint) returns uuid
language sql immutable strict set search_path = pg_catalog, pg_temp
as $$
    select (lpad(to_hex(p_ms), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes the partitions of every week (from Monday, 0:00 UTC) that touches [from_ms, until_ms];
-- returns how many were missing.
create function engine.make_partitions_v1(p_from_ms bigint, p_until_ms bigint) returns int
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
revoke execute on function engine.make_partitions_v1(bigint, bigint) from public;
grant execute on function engine.make_partitions_v1(bigint, bigint) to engine_run;

-- A day back as well: an id may be made by a clock that is behind, or just before the week turned.
select engine.make_partitions_v1(
    (extract(epoch from now()) * 1000)::bigint - 86400000,
    (extract(epoch from now()) * 1000)::bigint + 2 * 604800000::bigint
);

grant select on engine.payload, engine.attempt, engine.step_result, engine.effect to engine_run;
grant insert on engine.attempt to engine_run;
grant update on engine.effect to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.make_partitions_v1(bigint, bigint);
drop function if exists engine.uuid_at_ms(bigint);
drop table if exists engine.effect;
drop table if exists engine.step_result;
drop table if exists engine.attempt;
drop table if exists engine.payload;
drop function if exists engine.refuse_way_back_v1();
