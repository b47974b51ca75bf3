-- migrate:up
-- What people put into a budget and change of one: renewed first, under the same lock.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Adds to a balance with its entry. Null where there is no budget.
create or replace function engine.credit_budget_v1(
    p_org uuid, p_id uuid, p_entry uuid, p_amount bigint, p_source text, p_description text
) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from engine.budget as b
    where b.id = p_id and b.org_id = p_org and not b.deleted
    for no key update;
    if not found then
        return null;
    end if;
    perform engine.renew_budgets(array[p_id]);
    update engine.budget as b
    set
        balance = b.balance + p_amount,
        warned = false,
        updated_at = clock_timestamp()
    where b.id = p_id;
    insert into engine.budget_entry (id, budget_id, amount, source, description)
    values (p_entry, p_id, p_amount, p_source, p_description);
    return p_id;
end
$$;

-- Null leaves as it is; a soft limit of -1 takes it off. A limit that moves is an entry.
create or replace function engine.change_budget_v1(
    p_org uuid, p_id uuid, p_entry uuid, p_allowed bigint, p_soft bigint, p_status smallint,
    p_metadata bytea
) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_moved bigint;
begin
    select coalesce(p_allowed, b.allowed) - b.allowed into v_moved
    from engine.budget as b
    where b.id = p_id and b.org_id = p_org and not b.deleted
    for no key update;
    if not found then
        return null;
    end if;
    perform engine.renew_budgets(array[p_id]);
    update engine.budget as b
    set
        allowed = b.allowed + v_moved,
        balance = b.balance + v_moved,
        soft = case when p_soft = -1 then null else coalesce(p_soft, b.soft) end,
        status = coalesce(p_status, b.status),
        metadata = coalesce(p_metadata, b.metadata),
        warned = b.warned and v_moved = 0 and p_soft is null,
        updated_at = clock_timestamp()
    where b.id = p_id;
    if v_moved <> 0 then
        insert into engine.budget_entry (id, budget_id, amount, source)
        values (p_entry, p_id, v_moved, 'limit');
    end if;
    return p_id;
end
$$;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

create or replace function engine.credit_budget_v1(
    p_org uuid, p_id uuid, p_entry uuid, p_amount bigint, p_source text, p_description text
) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update engine.budget as b
    set
        balance = b.balance + p_amount,
        warned = false,
        updated_at = clock_timestamp()
    where b.id = p_id and b.org_id = p_org and not b.deleted;
    if not found then
        return null;
    end if;
    insert into engine.budget_entry (id, budget_id, amount, source, description)
    values (p_entry, p_id, p_amount, p_source, p_description);
    return p_id;
end
$$;

create or replace function engine.change_budget_v1(
    p_org uuid, p_id uuid, p_entry uuid, p_allowed bigint, p_soft bigint, p_status smallint,
    p_metadata bytea
) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_moved bigint;
begin
    select coalesce(p_allowed, b.allowed) - b.allowed into v_moved
    from engine.budget as b
    where b.id = p_id and b.org_id = p_org and not b.deleted
    for no key update;
    if not found then
        return null;
    end if;
    update engine.budget as b
    set
        allowed = b.allowed + v_moved,
        balance = b.balance + v_moved,
        soft = case when p_soft = -1 then null else coalesce(p_soft, b.soft) end,
        status = coalesce(p_status, b.status),
        metadata = coalesce(p_metadata, b.metadata),
        warned = b.warned and v_moved = 0 and p_soft is null,
        updated_at = clock_timestamp()
    where b.id = p_id;
    if v_moved <> 0 then
        insert into engine.budget_entry (id, budget_id, amount, source)
        values (p_entry, p_id, v_moved, 'limit');
    end if;
    return p_id;
end
$$;
