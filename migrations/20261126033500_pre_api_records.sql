-- migrate:up
-- Records: the small resources of an organization that SQL finds by id, by owner or by key and never
-- looks into: versions of agents, memories, providers, budgets … Each is kept as the bytes that were
-- encoded. And where an agent came from, and which of its versions new sessions get.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

create table api.record (
    org_id uuid not null,
    kind text not null,
    id uuid not null,
    -- what the record belongs to; the organization's own id where it stands alone
    owner_id uuid not null,
    -- unique below an owner; empty where the id is all there is
    key text not null,
    data bytea not null,
    created_ms bigint not null,
    updated_ms bigint not null,
    primary key (org_id, kind, id)
);
create unique index record_key on api.record (org_id, kind, owner_id, key) where key <> '';
create index record_newest on api.record (org_id, kind, owner_id, created_ms desc, id desc);

alter table api.record enable row level security;
alter table api.record force row level security;
create policy own on api.record to api_run
using (org_id = nullif(current_setting('mainspring.org_id', true), '')::uuid)
with check (org_id = nullif(current_setting('mainspring.org_id', true), '')::uuid);
grant select, insert, update, delete on api.record to api_run;

alter table api.agent
add column default_version_id uuid,
add column forked_from_agent_id uuid,
add column forked_from_version_id uuid,
add column root_agent_id uuid;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

alter table api.agent
drop column if exists root_agent_id,
drop column if exists forked_from_version_id,
drop column if exists forked_from_agent_id,
drop column if exists default_version_id;
drop table if exists api.record;
