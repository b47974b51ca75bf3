-- migrate:up
-- What holds tasks back, and circuits as the first of it. Few rows, written at transitions only;
-- no statement about a task touches them. engine.board is locked first by every writer, so that
-- versions are committed in their order and a reader that saw one has seen all before it.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.board (
    one boolean primary key default true check (one),
    version bigint not null
) with (fillfactor = 50);
insert into engine.board (version) values (1);

create table engine.circuit (
    -- provider and model of a route
    key text primary key,
    -- the board's version of its newest change
    rev bigint not null,
    -- 1 closed, 2 open, 3 half-open
    state smallint not null check (state between 1 and 3),
    forced boolean not null,
    failures int not null,
    successes int not null,
    -- openings since it was closed last
    trips int not null,
    reason text not null,
    -- when it may be probed, or the prober's time is over
    until_at timestamptz,
    prober uuid,
    last_failure_at timestamptz,
    opened_at timestamptz,
    half_open_at timestamptz,
    check ((state = 3) = (prober is not null))
) with (fillfactor = 70);
create index circuit_rev on engine.circuit (rev);

create type engine.circuit_move as (
    key text, expected_rev bigint, state smallint, forced boolean, failures int, successes int,
    trips int, reason text, wait_ms bigint, prober uuid
);

-- Compare-and-set by rev; rev 0 is a row that is not there. Returns the version afterwards.
create function engine.move_circuits_v1(p_moves engine.circuit_move[]) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_version bigint;
    v_now timestamptz;
begin
    update engine.board set version = version + 1 returning version into v_version;
    v_now := clock_timestamp();

    update engine.circuit as c
    set
        rev = v_version,
        state = m.state,
        forced = m.forced,
        failures = m.failures,
        successes = m.successes,
        trips = m.trips,
        reason = m.reason,
        until_at = v_now + m.wait_ms * interval '1 millisecond',
        prober = m.prober,
        last_failure_at = case
            when m.state = 2 and not m.forced then v_now else c.last_failure_at
        end,
        opened_at = case when m.state = 2 then v_now else c.opened_at end,
        half_open_at = case when m.state = 3 then v_now else c.half_open_at end
    from unnest(p_moves) as m
    where c.key = m.key and c.rev = m.expected_rev;

    insert into engine.circuit (
        key, rev, state, forced, failures, successes, trips, reason, until_at, prober,
        last_failure_at, opened_at, half_open_at
    )
    select
        m.key, v_version, m.state, m.forced, m.failures, m.successes, m.trips, m.reason,
        v_now + m.wait_ms * interval '1 millisecond', m.prober,
        case when m.state = 2 and not m.forced then v_now end,
        case when m.state = 2 then v_now end,
        case when m.state = 3 then v_now end
    from unnest(p_moves) as m
    where m.expected_rev = 0
    on conflict (key) do nothing;
    return v_version;
end
$$;

-- Whether there was one to forget.
create function engine.reset_circuit_v1(p_key text) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update engine.board set version = version + 1;
    delete from engine.circuit where key = p_key;
    return found;
end
$$;

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid::regprocedure from pg_proc
        where
            pronamespace = 'engine'::regnamespace
            and proname in ('move_circuits_v1', 'reset_circuit_v1')
    loop
        execute format('revoke execute on function %s from public', v_function);
        execute format('grant execute on function %s to engine_run', v_function);
    end loop;
end
$$;
grant select on engine.board, engine.circuit to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.reset_circuit_v1;
drop function if exists engine.move_circuits_v1;
drop type if exists engine.circuit_move;
drop table if exists engine.circuit;
drop table if exists engine.board;
