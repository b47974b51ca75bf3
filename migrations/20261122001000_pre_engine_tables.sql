-- migrate:up
-- The engine's hot and narrow tables. engine.task holds open tasks only: a closed one is its
-- attempts. `rev` of task and workflow rises with every operation on the row, under its lock.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.route (
    id int generated always as identity primary key,
    queue text not null,
    capability text not null,
    build text not null,
    model text not null,
    unique (queue, capability, build, model)
);

create table engine.workflow (
    id uuid primary key,
    session_id uuid not null,
    org_id uuid not null,
    -- 1..n within the session
    ordinal int not null check (ordinal >= 1),
    rev int not null default 1,
    -- 0 goes on, 1 completed, 2 failed, 3 cancelled, 4 sealed
    outcome smallint not null default 0 check (outcome between 0 and 4),
    state bytea not null check (octet_length(state) <= 1536),
    config_hash bytea not null,
    traceparent text not null default '',
    started_ms bigint not null
) with (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0
);
create unique index workflow_ordinal on engine.workflow (session_id, ordinal);

create table engine.task (
    id uuid primary key,
    workflow_id uuid not null,
    session_id uuid not null,
    org_id uuid not null,
    route int not null,
    priority smallint not null default 0,
    -- 1 reason, 2 tool
    kind smallint not null,
    -- 1 pure, 2 idempotent, 3 at most once, 4 verifiable
    effect smallint not null check (effect between 1 and 4),
    -- 1 ready, 2 leased, 3 delayed, 4 waiting
    state smallint not null check (state between 1 and 4),
    -- of the newest attempt; 0 before the first
    fence int not null default 0,
    rev int not null default 1,
    claim_rev int not null default 0,
    run_at timestamptz not null,
    claimed_at timestamptz,
    -- when lease_until was last written
    stamped_at timestamptz,
    lease_until timestamptz,
    incarnation uuid,
    attach_number bigint,
    acknowledged boolean not null default false,
    cancelling boolean not null default false,
    -- the newest attempt whose effect has started; 0 where none has
    started_fence int not null default 0,
    emit_counter int not null default 0,
    deaths smallint not null default 0,
    failures smallint not null default 0,
    uncounted smallint not null default 0,
    -- fences of the counted deaths: each is taken back once if its holder comes back
    died int[],
    step text not null,
    input_hash bytea not null,
    check ((state = 2) = (lease_until is not null)),
    check ((state = 2) = (incarnation is not null))
) with (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0
);
comment on table engine.task is
'Never indexed: lease_until, stamped_at, rev, acknowledged; a renewal must stay heap-only.';
create index task_ready on engine.task (route, org_id, priority desc, id) where state = 1;
create index task_leased on engine.task (incarnation, id) where state = 2;
create index task_delayed on engine.task (run_at) where state = 3;
create index task_workflow on engine.task (workflow_id);

-- Messages taken in. A waiting one is in no prompt yet; workflow_id is who took it as an input.
create table engine.inbox (
    session_id uuid not null,
    message_id uuid not null,
    org_id uuid not null,
    seq bigint not null,
    ts_ms bigint not null,
    config_hash bytea not null,
    -- the turn that its sender was told
    turn_id uuid not null,
    controls bytea,
    workflow_id uuid,
    body_hash bytea not null,
    primary key (session_id, message_id)
) with (fillfactor = 85);
create index inbox_waiting on engine.inbox (session_id, seq) where workflow_id is null;

create table engine.idempotency (
    session_id uuid not null,
    key text not null,
    message_id uuid not null,
    org_id uuid not null,
    body_hash bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (session_id, key)
);

create table engine.timer (
    id uuid primary key,
    workflow_id uuid not null,
    session_id uuid not null,
    org_id uuid not null,
    kind text not null,
    due_at timestamptz not null
);
create index timer_due on engine.timer (due_at);

-- From session to session: inserted with its cause, consumed through the other one's commit lane.
create table engine.signal (
    session_id uuid not null,
    source_turn uuid not null,
    kind text not null,
    org_id uuid not null,
    body bytea not null default '',
    created_at timestamptz not null default clock_timestamp(),
    consumed_by uuid,
    primary key (session_id, source_turn, kind)
);
create index signal_waiting on engine.signal (session_id) where consumed_by is null;

create table engine.dead_letter (
    task_id uuid primary key,
    workflow_id uuid not null,
    session_id uuid not null,
    org_id uuid not null,
    reason text not null,
    detail text not null,
    created_at timestamptz not null default clock_timestamp()
);

create table engine.config (
    hash bytea primary key,
    org_id uuid not null,
    body bytea not null,
    created_at timestamptz not null default clock_timestamp()
);

-- One row per start of a worker process.
create table engine.worker (
    incarnation uuid primary key,
    attach_number bigint not null,
    name text not null,
    build text not null,
    attached_at timestamptz not null
) with (fillfactor = 70);

create table engine.sweep (
    kind text primary key,
    swept_at timestamptz not null
) with (fillfactor = 50);

create function engine.refuse_change_v1() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '% of %.% is refused: its rows are final', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;
create trigger config_is_final before update or delete on engine.config
for each row execute function engine.refuse_change_v1();
create trigger dead_letter_is_final before update or delete on engine.dead_letter
for each row execute function engine.refuse_change_v1();
create trigger idempotency_is_final before update on engine.idempotency
for each row execute function engine.refuse_change_v1();

grant select on
engine.route, engine.workflow, engine.task, engine.inbox, engine.idempotency, engine.timer,
engine.signal, engine.dead_letter, engine.config, engine.worker, engine.sweep to engine_run;
grant update on engine.task to engine_run;
grant insert, update on engine.sweep to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop table if exists engine.sweep;
drop table if exists engine.worker;
drop table if exists engine.config;
drop table if exists engine.dead_letter;
drop table if exists engine.signal;
drop table if exists engine.timer;
drop table if exists engine.idempotency;
drop table if exists engine.inbox;
drop table if exists engine.task;
drop table if exists engine.workflow;
drop table if exists engine.route;
drop function if exists engine.refuse_change_v1();
