-- migrate:up
-- Workflows of users: how each was started, and what it waits for. Their rows in engine.workflow
-- have no configuration. Steps recorded in the middle of an attempt stand in engine.step_result.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.start (
    workflow_id uuid primary key,
    org_id uuid not null,
    type text not null,
    key text not null,
    queue text not null,
    -- of type, queue and input: the same key with another one is refused
    hash bytea not null,
    started_ms bigint not null
);
create unique index start_key on engine.start (org_id, key);
create index start_newest on engine.start (org_id, workflow_id desc);
create index start_type on engine.start (org_id, type, workflow_id desc);
create trigger start_is_final before update or delete on engine.start
for each row execute function engine.refuse_change_v1();

-- Changed under its workflow's lock only.
create table engine.wait (
    workflow_id uuid not null,
    step text not null,
    org_id uuid not null,
    timer_id uuid,
    -- mainspring_schema.workflows.Wait
    body bytea not null,
    primary key (workflow_id, step)
);

-- Recorded by an attempt that goes on, or (fence 0) found by the engine itself.
alter table engine.step_result add column checkpoint boolean not null default false;

create type engine.commit_start as (
    item int, workflow_id uuid, org_id uuid, type text, key text, queue text, hash bytea,
    started_ms bigint
);
create type engine.commit_step as (
    item int, workflow_id uuid, step text, org_id uuid, task_id uuid, fence int, input_hash bytea,
    body bytea, hash bytea
);
create type engine.commit_wait as (
    item int, workflow_id uuid, step text, org_id uuid, timer_id uuid, body bytea
);
create type engine.commit_end_wait as (item int, workflow_id uuid, step text);
create type engine.commit_signal as (
    item int, session_id uuid, source uuid, kind text, org_id uuid, body bytea, taken boolean
);
create type engine.commit_take as (item int, session_id uuid, source uuid, kind text);
create type engine.known_start as (item int, workflow_id uuid, hash bytea);

grant select on engine.start, engine.wait to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop type if exists
engine.commit_start, engine.commit_step, engine.commit_wait, engine.commit_end_wait,
engine.commit_signal, engine.commit_take, engine.known_start;
alter table engine.step_result drop column if exists checkpoint;
drop table if exists engine.wait;
drop table if exists engine.start;
