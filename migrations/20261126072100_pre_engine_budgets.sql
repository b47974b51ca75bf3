-- migrate:up
-- Budgets: what a session, an agent or an organization may use up. Amounts are millionths. Every
-- change of a balance is a row of the ledger; what an open model call may use is held apart. Rows
-- of budgets come last in the order of locks, sorted by id.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.budget (
    id uuid primary key,
    org_id uuid not null,
    subject_type text not null check (subject_type in ('session', 'agent', 'organization')),
    subject_id uuid not null,
    currency text not null check (currency in ('tokens', 'calls', 'seconds')),
    allowed bigint not null check (allowed >= 0),
    -- used up so much, people are warned once
    soft bigint check (soft >= 0),
    -- the sum of its entries
    balance bigint not null,
    -- the sum of its holds
    reserved bigint not null default 0 check (reserved >= 0),
    -- 1 active, 2 paused, 3 disabled
    status smallint not null default 1 check (status between 1 and 3),
    warned boolean not null default false,
    deleted boolean not null default false,
    metadata bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 70);
create index budget_subject on engine.budget (org_id, subject_type, subject_id) where not deleted;

create table engine.budget_entry (
    id uuid primary key,
    budget_id uuid not null,
    amount bigint not null,
    source text not null,
    description text,
    task_id uuid,
    session_id uuid,
    at timestamptz not null default clock_timestamp()
);
create index budget_entry_budget on engine.budget_entry (budget_id, at, id);

create table engine.budget_hold (
    task_id uuid not null,
    budget_id uuid not null,
    session_id uuid not null,
    amount bigint not null check (amount > 0),
    primary key (task_id, budget_id)
);
create index budget_hold_budget on engine.budget_hold (budget_id);

create function engine.refuse_entry_change() returns trigger
language plpgsql
as $$
begin
    raise exception 'entries of a budget never change' using errcode = 'MSE02';
end
$$;
create trigger budget_entry_immutable before update or delete on engine.budget_entry
for each row execute function engine.refuse_entry_change();

create type engine.budget_ask as (task_id uuid, budget_id uuid, amount bigint, warns boolean);
create type engine.budget_charge as (task_id uuid, currency text, amount bigint);

-- What ended tasks have used is charged, and what was held for them is given back.
create function engine.settle_budgets(p_ended uuid[], p_charges engine.budget_charge[]) returns void
language plpgsql
as $$
begin
    with gone as (
        delete from engine.budget_hold as h
        where h.task_id = any(p_ended)
        returning h.task_id, h.budget_id, h.session_id, h.amount
    ),

    used as (
        select g.task_id, g.budget_id, g.session_id, g.amount as held, coalesce(c.amount, 0) as amount
        from gone as g
        inner join engine.budget as b on g.budget_id = b.id
        left join unnest(p_charges) as c on g.task_id = c.task_id and b.currency = c.currency
    ),

    told as (
        insert into engine.budget_entry (id, budget_id, amount, source, task_id, session_id)
        select gen_random_uuid(), u.budget_id, -u.amount, 'model_call', u.task_id, u.session_id
        from used as u
        where u.amount > 0
    )

    update engine.budget as b
    set
        balance = b.balance - s.amount,
        reserved = b.reserved - s.held,
        updated_at = clock_timestamp()
    from (
        select u.budget_id, sum(u.amount) as amount, sum(u.held) as held
        from used as u group by u.budget_id
    ) as s
    where b.id = s.budget_id;
end
$$;

-- Holds what new tasks may use. A hold fits into what is left, or is the only one and takes the
-- rest; one that does not fit undoes the whole statement.
create function engine.hold_budgets(p_session uuid, p_asks engine.budget_ask[]) returns void
language plpgsql
as $$
declare
    v_short uuid;
begin
    -- What is held for a task that is gone was missed by who closed it.
    with gone as (
        delete from engine.budget_hold as h
        where
            h.budget_id = any(array(select a.budget_id from unnest(p_asks) as a))
            and not exists (select from engine.task as t where t.id = h.task_id)
        returning h.budget_id, h.amount
    )

    update engine.budget as b
    set reserved = b.reserved - s.held
    from (select g.budget_id, sum(g.amount) as held from gone as g group by g.budget_id) as s
    where b.id = s.budget_id;

    select a.budget_id into v_short
    from unnest(p_asks) as a
    left join engine.budget as b on a.budget_id = b.id and not b.deleted
    where
        b.id is null or b.status = 2
        or not (
            b.balance - b.reserved >= a.amount
            or (b.reserved = 0 and b.balance > 0)
        )
    order by a.budget_id
    limit 1;
    if v_short is not null then
        raise exception 'engine.commit: budget % is short', v_short using errcode = 'MSB01';
    end if;

    insert into engine.budget_hold (task_id, budget_id, session_id, amount)
    select a.task_id, a.budget_id, p_session, least(a.amount, b.balance - b.reserved)
    from unnest(p_asks) as a
    inner join engine.budget as b on a.budget_id = b.id;
    update engine.budget as b
    set
        reserved = b.reserved + least(a.amount, b.balance - b.reserved),
        warned = b.warned or a.warns
    from unnest(p_asks) as a
    where b.id = a.budget_id;
end
$$;

-- One item as commit_v1 writes it, with what it means for budgets and for the session's pause.
-- A budget that is short raises MSB01, and nothing is written.
create function engine.commit_budgeted_v1(
    p_lease_ms bigint,
    p_drift_ms bigint,
    p_items engine.commit_item[],
    p_events engine.commit_event[],
    p_anchors engine.commit_anchor[],
    p_workflows engine.commit_workflow[],
    p_closes engine.commit_close[],
    p_marks engine.commit_mark[],
    p_emits engine.commit_emit[],
    p_results engine.commit_result[],
    p_tasks engine.commit_task[],
    p_accepts engine.commit_accept[],
    p_consumes engine.commit_consume[],
    p_timers engine.commit_timer[],
    p_dropped engine.commit_drop[],
    p_dead_letters engine.commit_dead_letter[],
    p_configs engine.commit_config[],
    p_asks engine.budget_ask[],
    p_ended uuid[],
    p_charges engine.budget_charge[],
    p_paused boolean,
    out now_ms bigint,
    out verdicts smallint[],
    out deltas_before int[],
    out closes engine.close_answer[],
    out marks smallint[],
    out emits smallint[],
    out unclaimed uuid[],
    out known engine.known_message[],
    out heads engine.head_view[],
    out workflows engine.workflow_view[],
    out inbox engine.inbox_view[]
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_session uuid := p_items[1].session_id;
begin
    select
        c.now_ms, c.verdicts, c.deltas_before, c.closes, c.marks, c.emits, c.unclaimed, c.known,
        c.heads, c.workflows, c.inbox
    into
        now_ms, verdicts, deltas_before, closes, marks, emits, unclaimed, known,
        heads, workflows, inbox
    from engine.commit_v1(
        p_lease_ms, p_drift_ms, p_items, p_events, p_anchors, p_workflows, p_closes, p_marks,
        p_emits, p_results, p_tasks, p_accepts, p_consumes, p_timers, p_dropped, p_dead_letters,
        p_configs
    ) as c;
    if verdicts[1] <> 1 then
        return;
    end if;
    perform log.pause_v1(array[v_session], p_paused);
    perform from engine.budget as b
    where b.id in (
        select h.budget_id from engine.budget_hold as h where h.task_id = any(p_ended)
        union all
        select a.budget_id from unnest(p_asks) as a
    )
    order by b.id
    for no key update;
    perform engine.settle_budgets(p_ended, p_charges);
    if cardinality(p_asks) > 0 then
        perform engine.hold_budgets(v_session, p_asks);
    end if;
end
$$;

-- Adds to a balance with its entry. Null where there is no budget.
create function engine.credit_budget_v1(
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

create function engine.create_budget_v1(
    p_org uuid, p_id uuid, p_entry uuid, p_subject_type text, p_subject_id uuid, p_currency text,
    p_allowed bigint, p_soft bigint, p_metadata bytea
) returns uuid
language sql security definer
set search_path = pg_catalog, pg_temp
begin atomic
    insert into engine.budget (
        id, org_id, subject_type, subject_id, currency, allowed, soft, balance, metadata
    )
    values (
        p_id, p_org, p_subject_type, p_subject_id, p_currency, p_allowed, p_soft, p_allowed,
        p_metadata
    );
    insert into engine.budget_entry (id, budget_id, amount, source)
    values (p_entry, p_id, p_allowed, 'limit')
    returning budget_id;
end;

-- Null leaves as it is; a soft limit of -1 takes it off. A limit that moves is an entry.
create function engine.change_budget_v1(
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

-- Its entries stay; what was held in it is given up.
create function engine.drop_budget_v1(p_org uuid, p_id uuid) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update engine.budget as b
    set deleted = true, reserved = 0, updated_at = clock_timestamp()
    where b.id = p_id and b.org_id = p_org and not b.deleted;
    if not found then
        return null;
    end if;
    delete from engine.budget_hold as h where h.budget_id = p_id;
    return p_id;
end
$$;

grant select on engine.budget, engine.budget_entry, engine.budget_hold to engine_run;

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid::regprocedure from pg_proc
        where pronamespace = 'engine'::regnamespace
        and proname in (
            'commit_budgeted_v1', 'credit_budget_v1', 'create_budget_v1', 'change_budget_v1',
            'drop_budget_v1', 'settle_budgets', 'hold_budgets', 'refuse_entry_change'
        )
    loop
        execute format('revoke execute on function %s from public', v_function);
        if v_function::text like '%!_v1(%' escape '!' then
            execute format('grant execute on function %s to engine_run', v_function);
        end if;
    end loop;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.commit_budgeted_v1;
drop function if exists engine.credit_budget_v1;
drop function if exists engine.create_budget_v1;
drop function if exists engine.change_budget_v1;
drop function if exists engine.drop_budget_v1;
drop function if exists engine.settle_budgets;
drop function if exists engine.hold_budgets;
drop table if exists engine.budget_hold;
drop table if exists engine.budget_entry;
drop table if exists engine.budget;
drop function if exists engine.refuse_entry_change;
drop type if exists engine.budget_ask;
drop type if exists engine.budget_charge;
