-- migrate:up
-- What a fork has of the values that its session had stored, and of the tool lists that it had
-- pinned: as they were then, read where they lie, until the fork writes; then they become its own.
-- Like the files of a fork (adr/0010), at the cost of one row.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

-- When a record became what it is, by the database's clock; 0 for what came with the fork, null for
-- kinds that no fork inherits.
alter table api.record add column changed_ms bigint;

create table api.record_past (
    org_id uuid not null,
    kind text not null,
    id uuid not null,
    owner_id uuid not null,
    key text not null,
    data bytea not null,
    created_ms bigint not null,
    updated_ms bigint not null,
    changed_ms bigint not null,
    -- until when it was so
    until_ms bigint not null,
    primary key (org_id, kind, id, until_ms)
);
create index record_past_owner on api.record_past (org_id, kind, owner_id);
create index record_past_age on api.record_past (until_ms);

create table api.record_fork (
    org_id uuid not null,
    owner_id uuid not null,
    parent_id uuid not null,
    as_of_ms bigint not null,
    primary key (org_id, owner_id)
);
create index record_fork_parent on api.record_fork (org_id, parent_id);

do $$
declare
    v_table text;
begin
    foreach v_table in array array['record_past', 'record_fork'] loop
        execute format('alter table api.%I enable row level security', v_table);
        execute format('alter table api.%I force row level security', v_table);
        execute format(
            'create policy own on api.%I to api_run using (org_id = %s) with check (org_id = %s)',
            v_table,
            'nullif(current_setting(''mainspring.org_id'', true), '''')::uuid',
            'nullif(current_setting(''mainspring.org_id'', true), '''')::uuid'
        );
        execute format('grant select, insert, update, delete on api.%I to api_run', v_table);
    end loop;
end
$$;
create policy upkeep on api.record_past to api_owner using (true);
create policy upkeep on api.record_fork for select to api_owner using (true);

-- Stamps what is written, and keeps what it takes the place of.
create function api.keep_record() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
    if tg_op = 'INSERT' then
        new.changed_ms := coalesce(new.changed_ms, v_now);
        return new;
    end if;
    insert into api.record_past (
        org_id, kind, id, owner_id, key, data, created_ms, updated_ms, changed_ms, until_ms
    )
    values (
        old.org_id, old.kind, old.id, old.owner_id, old.key, old.data, old.created_ms,
        old.updated_ms, coalesce(old.changed_ms, 0), v_now
    )
    on conflict (org_id, kind, id, until_ms) do nothing;
    if tg_op = 'DELETE' then
        return old;
    end if;
    new.changed_ms := v_now;
    return new;
end
$$;
create trigger record_is_stamped before insert on api.record
for each row when (new.kind in ('session_value', 'mcp_pin'))
execute function api.keep_record();
create trigger record_keeps_its_past before update or delete on api.record
for each row when (old.kind in ('session_value', 'mcp_pin'))
execute function api.keep_record();

-- The records of a kind that an owner has from the one it was forked from; none once they are its
-- own. An inherited record has an id of the fork's, the same before and after.
create function api.inherited_records(p_kind text, p_owner uuid)
returns table (
    org_id uuid, id uuid, owner_id uuid, key text, data bytea, created_ms bigint, updated_ms bigint
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_source uuid := p_owner;
    v_as_of bigint;
    v_fork record;
begin
    loop
        select f.parent_id, f.as_of_ms into v_fork
        from api.record_fork as f
        where f.owner_id = v_source;
        exit when not found;
        v_source := v_fork.parent_id;
        v_as_of := v_fork.as_of_ms;
    end loop;
    if v_as_of is null then
        return;
    end if;
    return query
    select
        r.org_id,
        encode(substr(sha256(uuid_send(p_owner) || uuid_send(r.id)), 1, 16), 'hex')::uuid,
        p_owner, r.key, r.data, r.created_ms, r.updated_ms
    from (
        select f.org_id, f.id, f.key, f.data, f.created_ms, f.updated_ms
        from api.record as f
        where
            f.kind = p_kind and f.owner_id = v_source and coalesce(f.changed_ms, 0) < v_as_of
        union all
        select f.org_id, f.id, f.key, f.data, f.created_ms, f.updated_ms
        from api.record_past as f
        where
            f.kind = p_kind and f.owner_id = v_source
            and f.changed_ms < v_as_of and v_as_of <= f.until_ms
    ) as r;
end
$$;

-- Makes a fork's records its own, before the first of them is written. Of two who would do so the
-- second waits for the first, and finds nothing left to do.
create function api.own_records(p_owner uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from api.record_fork as f where f.owner_id = p_owner for update;
    if not found then
        return;
    end if;
    insert into api.record (
        org_id, kind, id, owner_id, key, data, created_ms, updated_ms, changed_ms
    )
    select i.org_id, k.kind, i.id, i.owner_id, i.key, i.data, i.created_ms, i.updated_ms, 0
    from unnest(array['session_value', 'mcp_pin']) as k (kind)
    cross join lateral api.inherited_records(k.kind, p_owner) as i;
    delete from api.record_fork as f where f.owner_id = p_owner;
end
$$;

-- Removes an owner's records and their past, once its forks have their own.
create function api.drop_records(p_owner uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform api.own_records(f.owner_id)
    from api.record_fork as f
    where f.parent_id = p_owner;
    delete from api.record as r where r.owner_id = p_owner;
    delete from api.record_past as r where r.owner_id = p_owner;
    delete from api.record_fork as f where f.owner_id = p_owner;
end
$$;

-- Removes what was so long ago, unless a fork still reads it; how many.
create function api.forget_record_past(p_before_ms bigint, p_limit int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_count int;
begin
    delete from api.record_past
    where ctid in (
        select p.ctid
        from api.record_past as p
        where
            p.until_ms < p_before_ms
            and not exists (
                select from api.record_fork as f
                where
                    f.org_id = p.org_id and f.parent_id = p.owner_id
                    and p.changed_ms < f.as_of_ms and f.as_of_ms <= p.until_ms
            )
        order by p.until_ms
        limit p_limit
        -- Skips what another replica removes at this moment: it will be gone either way.
        for update skip locked
    );
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

revoke execute on function
api.keep_record, api.inherited_records, api.own_records, api.drop_records,
api.forget_record_past from public;
grant execute on function
api.keep_record, api.inherited_records, api.own_records, api.drop_records,
api.forget_record_past to api_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop trigger if exists record_keeps_its_past on api.record;
drop trigger if exists record_is_stamped on api.record;
drop function if exists api.forget_record_past;
drop function if exists api.drop_records;
drop function if exists api.own_records;
drop function if exists api.inherited_records;
drop function if exists api.keep_record;
drop table if exists api.record_fork;
drop table if exists api.record_past;
alter table api.record drop column if exists changed_ms;
