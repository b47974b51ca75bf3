-- migrate:up
-- Schedules and their slots. A schedule is claimed like a duty; who holds it decides about its
-- slots, whose rows are then the record of what was begun. Times are in ms since the epoch.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role scheduler_owner;

create table scheduler.schedule (
    id uuid primary key,
    org_id uuid not null,
    name text not null,
    -- what kind of thing it begins; lists are narrowed by it
    target text not null check (target in ('message', 'workflow')),
    -- MessagePack of schema.schedules.Spec: all that people say of it
    spec bytea not null,
    paused boolean not null,
    deleted boolean not null default false,
    -- raised by every claim and every change; every write compares it
    rev int not null,
    -- the next slot, and the newest one that fell due
    next_ms bigint,
    last_ms bigint,
    -- when somebody must look at it: its next slot with jitter, or what its open slots ask for
    due_ms bigint,
    created_ms bigint not null,
    updated_ms bigint not null
) with (fillfactor = 70);
comment on table scheduler.schedule is 'What fires when; replicas claim what is due, SKIP LOCKED.';

create unique index schedule_name on scheduler.schedule (org_id, name) where not deleted;
create index schedule_due on scheduler.schedule (due_ms) where due_ms is not null;
create index schedule_listed on scheduler.schedule (org_id, created_ms, id) where not deleted;

create table scheduler.slot (
    id uuid primary key,
    schedule_id uuid not null,
    org_id uuid not null,
    slot_ms bigint not null,
    origin text not null check (origin in ('time', 'hand')),
    status text not null check (
        status in (
            'waiting', 'buffered', 'starting', 'running', 'completed', 'failed', 'cancelled',
            'needs_attention', 'skipped', 'missed'
        )
    ),
    attempts int not null,
    -- why it ended as it did
    code text,
    detail text,
    -- what it began
    session_id uuid,
    message_id uuid,
    turn_id uuid,
    workflow_id uuid,
    created_ms bigint not null,
    started_ms bigint,
    ended_ms bigint,
    -- when it is to be asked for again, or about
    due_ms bigint
) with (fillfactor = 70);
comment on table scheduler.slot is 'One firing of a schedule, or why there was none.';

-- A time of a schedule has one slot, whoever plans it and however often.
create unique index slot_time on scheduler.slot (schedule_id, slot_ms) where origin = 'time';
create index slot_newest on scheduler.slot (schedule_id, slot_ms, id);
create index slot_open on scheduler.slot (schedule_id) where ended_ms is null;
create index slot_ended on scheduler.slot (ended_ms) where ended_ms is not null;

grant select, insert, update, delete on scheduler.schedule, scheduler.slot to scheduler_run;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop table if exists scheduler.slot;
drop table if exists scheduler.schedule;
