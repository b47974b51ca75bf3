-- migrate:up
-- The session log. log.head is the one row per session where everything is serialized; log.event is
-- what happened, log.delta what was streamed meanwhile; log.store knows the store's epoch.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

create table log.head (
    session_id uuid primary key,
    org_id uuid not null,
    last_seq bigint not null default 0 check (last_seq >= 0),
    -- deltas since the event last_seq
    n int not null default 0 check (n >= 0),
    -- of the event last_seq, by mainspring_schema.chain
    hash bytea not null default '',
    algorithm smallint not null default 1,
    -- of the event last_seq; deltas leave it alone, for an engine proposes times by its cached head
    ts_ms bigint not null,
    -- 1 started, 2 active, 3 idle, 4 waitingfortoolresults
    status smallint not null default 1 check (status between 1 and 4),
    paused boolean not null default false,
    active_turn uuid,
    -- first event of the group that started the newest turn; 0 before the first
    turn_first_seq bigint not null default 0,
    -- open anchors: {"<anchor>": {"a": attempt, "c": {"<channel>": next offset}}}
    anchors jsonb not null default '{}',
    closed boolean not null default false,
    -- the closing group of a deleted session's turn was appended
    closing_done boolean not null default false,
    -- a fork continues its parent's log at parent_seq + 1
    parent uuid,
    parent_seq bigint,
    parent_hash bytea,
    epoch smallint not null default 1,
    check ((parent is null) = (parent_seq is null) and (parent is null) = (parent_hash is null))
) with (
    fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0
);
comment on table log.head is 'No index but the key: every update must stay heap-only.';

create table log.event (
    session_id uuid not null,
    seq bigint not null check (seq >= 1),
    type text not null,
    ts_ms bigint not null,
    turn_id uuid,
    -- the encoded bytes, exactly as they were hashed
    payload bytea not null,
    -- deltas between the event before and this one
    deltas_before int not null default 0,
    h bytea not null,
    primary key (session_id, seq)
) partition by range (session_id);

create table log.delta (
    turn_id uuid not null,
    session_id uuid not null,
    seq bigint not null,
    n int not null check (n >= 1),
    anchor text not null,
    attempt int not null,
    channel text not null,
    -- characters of the channel before the fragment
    "offset" int not null,
    fragment text not null check (fragment <> ''),
    reset boolean not null default false,
    ts_ms bigint not null,
    primary key (turn_id, session_id, seq, n)
) partition by range (turn_id);

create table log.store (
    only_row boolean primary key default true check (only_row),
    -- raised by the operator after a restore; positions of an older epoch are void
    epoch smallint not null default 1 check (epoch between 0 and 63),
    -- where the sweep of deltas goes on
    swept_turn uuid not null default '00000000-0000-0000-0000-000000000000',
    partitions_checked_ms bigint not null default 0
);
insert into log.store default values;

create function log.refuse_change_v1() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '% of %.% is refused: the log only grows', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;

create trigger event_is_immutable before update or delete on log.event
for each row execute function log.refuse_change_v1();
create trigger event_is_not_truncated before truncate on log.event
for each statement execute function log.refuse_change_v1();
create trigger delta_is_immutable before update on log.delta
for each row execute function log.refuse_change_v1();

grant select on log.head, log.event, log.delta, log.store to log_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop table if exists log.delta;
drop table if exists log.event;
drop table if exists log.head;
drop table if exists log.store;
drop function if exists log.refuse_change_v1();
