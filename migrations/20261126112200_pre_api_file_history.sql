-- migrate:up
-- Files as they were, and workspaces that begin as another one was at a time. A fork costs one row:
-- until something is written in it, its files are read where they lie; then they become its own.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

-- When a file became what it is, by the database's clock; 0 for what came with the workspace.
alter table api.file add column changed_ms bigint not null default 0;
-- What session a session was forked from, and behind which event.
alter table api.session add column forked_from uuid;
alter table api.session add column forked_seq bigint;

create table api.file_past (
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
    changed_ms bigint not null,
    -- until when it was so
    until_ms bigint not null,
    primary key (org_id, workspace_id, path, until_ms)
);
create index file_past_age on api.file_past (until_ms);

create table api.workspace_fork (
    org_id uuid not null,
    workspace_id uuid not null,
    parent_id uuid not null,
    as_of_ms bigint not null,
    primary key (org_id, workspace_id)
);
create index workspace_fork_parent on api.workspace_fork (org_id, parent_id);

do $$
declare
    v_table text;
begin
    foreach v_table in array array['file_past', 'workspace_fork'] loop
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
create policy upkeep on api.file_past to api_owner using (true);
create policy upkeep on api.workspace_fork for select to api_owner using (true);

-- Stamps what is written, and keeps what it takes the place of. Files that a fork makes its own come
-- with 0, for they were so from its beginning.
create function api.keep_past() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
    if tg_op = 'INSERT' then
        if new.changed_ms is distinct from 0 then
            new.changed_ms := v_now;
        end if;
        return new;
    end if;
    insert into api.file_past (
        org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
        updated_ms, changed_ms, until_ms
    )
    values (
        old.org_id, old.workspace_id, old.path, old.id, old.is_directory, old.is_readonly,
        old.size_bytes, old.content, old.created_ms, old.updated_ms, old.changed_ms, v_now
    )
    on conflict (org_id, workspace_id, path, until_ms) do nothing;
    if tg_op = 'DELETE' then
        return old;
    end if;
    new.changed_ms := v_now;
    return new;
end
$$;
create trigger file_keeps_its_past before insert or update or delete on api.file
for each row execute function api.keep_past();

-- The files that a workspace has from the one it was forked from; none once they are its own.
-- No paths means all, and then they come without their content.
create function api.inherited(p_workspace uuid, p_paths text[])
returns table (
    org_id uuid, workspace_id uuid, path text, id uuid, is_directory boolean, is_readonly boolean,
    size_bytes bigint, content bytea, created_ms bigint, updated_ms bigint
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_source uuid := p_workspace;
    v_as_of bigint;
    v_fork record;
begin
    loop
        select f.parent_id, f.as_of_ms into v_fork
        from api.workspace_fork as f
        where f.workspace_id = v_source;
        exit when not found;
        v_source := v_fork.parent_id;
        v_as_of := v_fork.as_of_ms;
    end loop;
    if v_as_of is null then
        return;
    end if;
    return query
    select
        f.org_id, p_workspace, f.path, f.id, f.is_directory, f.is_readonly, f.size_bytes,
        case when p_paths is null then null else f.content end, f.created_ms, f.updated_ms
    from api.file as f
    where
        f.workspace_id = v_source and f.changed_ms < v_as_of
        and (p_paths is null or f.path = any(p_paths))
    union all
    select
        f.org_id, p_workspace, f.path, f.id, f.is_directory, f.is_readonly, f.size_bytes,
        case when p_paths is null then null else f.content end, f.created_ms, f.updated_ms
    from api.file_past as f
    where
        f.workspace_id = v_source and f.changed_ms < v_as_of and v_as_of <= f.until_ms
        and (p_paths is null or f.path = any(p_paths));
end
$$;

-- Makes a fork's files its own, before the first of them is written. Of two who would do so the
-- second waits for the first, and finds nothing left to do.
create function api.own_files(p_workspace uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from api.workspace_fork as f where f.workspace_id = p_workspace for update;
    if not found then
        return;
    end if;
    insert into api.file (
        org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
        updated_ms, changed_ms
    )
    select
        i.org_id, i.workspace_id, i.path, i.id, i.is_directory, i.is_readonly, i.size_bytes,
        i.content, i.created_ms, i.updated_ms, 0
    from api.inherited(
        p_workspace, array(select n.path from api.inherited(p_workspace, null) as n)
    ) as i;
    delete from api.workspace_fork as f where f.workspace_id = p_workspace;
end
$$;

-- Removes a workspace's files and their past, once its forks have their own.
create function api.drop_files(p_workspace uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform api.own_files(f.workspace_id)
    from api.workspace_fork as f
    where f.parent_id = p_workspace;
    delete from api.file as f where f.workspace_id = p_workspace;
    delete from api.file_past as f where f.workspace_id = p_workspace;
    delete from api.workspace_fork as f where f.workspace_id = p_workspace;
end
$$;

-- Removes what was so long ago, unless a fork still reads it; how many.
create function api.forget_file_past(p_before_ms bigint, p_limit int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_count int;
begin
    delete from api.file_past
    where ctid in (
        select p.ctid
        from api.file_past as p
        where
            p.until_ms < p_before_ms
            and not exists (
                select from api.workspace_fork as f
                where
                    f.org_id = p.org_id and f.parent_id = p.workspace_id
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
api.keep_past, api.inherited, api.own_files, api.drop_files, api.forget_file_past from public;
grant execute on function
api.keep_past, api.inherited, api.own_files, api.drop_files, api.forget_file_past to api_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop trigger if exists file_keeps_its_past on api.file;
drop function if exists api.forget_file_past;
drop function if exists api.drop_files;
drop function if exists api.own_files;
drop function if exists api.inherited;
drop function if exists api.keep_past;
drop table if exists api.workspace_fork;
drop table if exists api.file_past;
alter table api.session drop column if exists forked_seq;
alter table api.session drop column if exists forked_from;
alter table api.file drop column if exists changed_ms;
