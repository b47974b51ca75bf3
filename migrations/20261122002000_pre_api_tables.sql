-- migrate:up
-- What api owns: organizations with their harnesses, agents and sessions, workspaces with their
-- files, and the answers kept under Idempotency-Keys. Configuration is kept as the bytes that
-- were encoded, for jsonb would reorder the members of schemas that a model reads.
--
-- Row-level security: a transaction names its organization in mainspring.org_id; without it there
-- are no rows. Lock order: rows of one organization only, agent or session first, files last.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

create table api.organization (
    id uuid primary key,
    name text not null unique,
    default_model_id text,
    default_harness_id uuid,
    rev int not null default 1,
    created_ms bigint not null,
    updated_ms bigint not null
);

create table api.harness (
    org_id uuid not null,
    id uuid not null,
    name text not null,
    display_name text,
    description text,
    parent_id uuid,
    tier bytea not null,
    status text not null check (status in ('active', 'archived', 'deleted')),
    -- rises with its own changes and those of its ancestors
    rev int not null,
    created_ms bigint not null,
    updated_ms bigint not null,
    archived_ms bigint,
    primary key (org_id, id)
);
create unique index harness_name on api.harness (org_id, name) where status <> 'deleted';
create index harness_heirs on api.harness (org_id, parent_id) where parent_id is not null;

create table api.agent (
    org_id uuid not null,
    id uuid not null,
    name text not null,
    display_name text,
    description text,
    harness_id uuid not null,
    tier bytea not null,
    status text not null check (status in ('active', 'archived', 'deleted')),
    rev int not null,
    created_ms bigint not null,
    updated_ms bigint not null,
    archived_ms bigint,
    primary key (org_id, id)
);
create unique index agent_name on api.agent (org_id, name) where status <> 'deleted';
create index agent_newest on api.agent (org_id, created_ms desc, id desc) where status = 'active';

create table api.session (
    org_id uuid not null,
    id uuid not null,
    workspace_id uuid not null,
    harness_id uuid not null,
    agent_id uuid,
    title text,
    locale text,
    tier bytea not null,
    pinned boolean not null default false,
    rev int not null,
    created_ms bigint not null,
    updated_ms bigint not null,
    -- when its deletion began; from then on readers find nothing
    deleting_ms bigint,
    primary key (org_id, id)
) with (fillfactor = 85);
create index session_newest on api.session (org_id, created_ms desc, id desc)
where deleting_ms is null;
create index session_of_agent on api.session (org_id, agent_id, created_ms desc, id desc)
where deleting_ms is null and agent_id is not null;
create index session_deleting on api.session (deleting_ms) where deleting_ms is not null;

create table api.workspace (
    org_id uuid not null,
    id uuid not null,
    name text not null,
    description text,
    status text not null check (status in ('active', 'archived', 'deleted')),
    created_ms bigint not null,
    updated_ms bigint not null,
    archived_ms bigint,
    primary key (org_id, id)
);
-- Only active ones reserve their name, so that a name can be used again.
create unique index workspace_name on api.workspace (org_id, name) where status = 'active';

create table api.file (
    org_id uuid not null,
    workspace_id uuid not null,
    path text not null,
    id uuid not null,
    is_directory boolean not null,
    is_readonly boolean not null,
    size_bytes bigint not null,
    content bytea,
    created_ms bigint not null,
    updated_ms bigint not null,
    primary key (org_id, workspace_id, path)
);

create table api.request_key (
    org_id uuid not null,
    route text not null,
    key text not null,
    body_hash bytea not null,
    -- null while the request is at work
    status int,
    body bytea not null default '',
    claimed_ms bigint not null,
    primary key (org_id, route, key)
);
create index request_key_age on api.request_key (claimed_ms);

insert into api.organization (id, name, created_ms, updated_ms)
values (
    '01933b5a-0000-7000-8000-00000000f001', 'default',
    (extract(epoch from now()) * 1000)::bigint, (extract(epoch from now()) * 1000)::bigint
);

do $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'organization', 'harness', 'agent', 'session', 'workspace', 'file', 'request_key'
    ] loop
        execute format('alter table api.%I enable row level security', v_table);
        execute format('alter table api.%I force row level security', v_table);
        execute format(
            'create policy own on api.%I to api_run using (%I = %s) with check (%I = %s)',
            v_table,
            case v_table when 'organization' then 'id' else 'org_id' end,
            'nullif(current_setting(''mainspring.org_id'', true), '''')::uuid',
            case v_table when 'organization' then 'id' else 'org_id' end,
            'nullif(current_setting(''mainspring.org_id'', true), '''')::uuid'
        );
        execute format('grant select, insert, update, delete on api.%I to api_run', v_table);
    end loop;
end
$$;
-- The upkeep works across organizations, through the owner's own functions.
create policy upkeep on api.session for select to api_owner using (true);
create policy upkeep on api.request_key to api_owner using (true);
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop table if exists api.request_key;
drop table if exists api.file;
drop table if exists api.workspace;
drop table if exists api.session;
drop table if exists api.agent;
drop table if exists api.harness;
drop table if exists api.organization;
