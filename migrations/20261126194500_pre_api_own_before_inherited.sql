-- migrate:up
-- A version before forks had records writes one of a fork's without making the inherited ones its
-- own. What it wrote counts then, in the place of what the fork would have under that key; without
-- this each key was there twice, and no later write of the fork could be made.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

create or replace function api.inherited_records(p_kind text, p_owner uuid)
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
    ) as r
    where not exists (
        select from api.record as o
        where o.kind = p_kind and o.owner_id = p_owner and o.key = r.key and r.key <> ''
    );
end
$$;

create or replace function api.own_records(p_owner uuid) returns void
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
    cross join lateral api.inherited_records(k.kind, p_owner) as i
    on conflict do nothing;
    delete from api.record_fork as f where f.owner_id = p_owner;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role api_owner;

create or replace function api.inherited_records(p_kind text, p_owner uuid)
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

create or replace function api.own_records(p_owner uuid) returns void
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
reset role;
