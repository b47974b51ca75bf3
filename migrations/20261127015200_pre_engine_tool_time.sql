-- migrate:up
-- Tool calls hold time, too: several of one answer begin in one step, and each has what those before
-- it leave. A hold says what kind of call it is for, and so does the entry of what was used.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

alter table engine.budget_hold
add column if not exists source text not null default 'model_call';

create or replace function engine.settle_budgets(p_ended uuid[], p_charges engine.budget_charge[]) returns void
language plpgsql
as $$
begin
    with gone as (
        delete from engine.budget_hold as h
        where h.task_id = any(p_ended)
        returning h.task_id, h.budget_id, h.session_id, h.amount, h.source
    ),

    used as (
        select
            g.task_id, g.budget_id, g.session_id, g.source, g.amount as held,
            coalesce(c.amount, 0) as amount
        from gone as g
        inner join engine.budget as b on g.budget_id = b.id
        left join unnest(p_charges) as c on g.task_id = c.task_id and b.currency = c.currency
    ),

    told as (
        insert into engine.budget_entry (id, budget_id, amount, source, task_id, session_id)
        select gen_random_uuid(), u.budget_id, -u.amount, u.source, u.task_id, u.session_id
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

-- All of the asks, or an error. Whoever calls it holds the locks of their budgets.
create or replace function engine.hold_budgets(p_session uuid, p_asks engine.budget_ask[]) returns void
language plpgsql
as $$
declare
    v_held bigint;
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

    with asked as (
        select
            a.task_id, a.budget_id, a.amount, a.warns, b.balance,
            b.reserved + coalesce(sum(a.amount) over before, 0) as reserved
        from unnest(p_asks) with ordinality as a (task_id, budget_id, amount, warns, place)
        inner join engine.budget as b
            on a.budget_id = b.id and not b.deleted and b.status <> 2
        window before as (
            partition by a.budget_id order by a.place
            rows between unbounded preceding and 1 preceding
        )
    ),

    held as (
        insert into engine.budget_hold (task_id, budget_id, session_id, amount, source)
        select
            a.task_id, a.budget_id, p_session, least(a.amount, a.balance - a.reserved),
            case t.kind when 2 then 'tool_call' else 'model_call' end
        from asked as a
        left join engine.task as t on a.task_id = t.id
        where
            a.balance - a.reserved >= a.amount
            or (a.reserved = 0 and a.balance > 0)
        returning task_id, budget_id, amount
    ),

    told as (
        update engine.budget as b
        set reserved = b.reserved + s.amount, warned = b.warned or s.warns
        from (
            select h.budget_id, sum(h.amount) as amount, bool_or(a.warns) as warns
            from held as h
            inner join asked as a on h.task_id = a.task_id and h.budget_id = a.budget_id
            group by h.budget_id
        ) as s
        where b.id = s.budget_id
    )

    select count(*) into v_held from held;
    if v_held < cardinality(p_asks) then
        raise exception 'engine.commit: a budget is short' using errcode = 'MSB01';
    end if;
end
$$;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

create or replace function engine.settle_budgets(p_ended uuid[], p_charges engine.budget_charge[]) returns void
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

create or replace function engine.hold_budgets(p_session uuid, p_asks engine.budget_ask[]) returns void
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

alter table engine.budget_hold drop column if exists source;
