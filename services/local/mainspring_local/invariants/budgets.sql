-- Budgets, their ledger and what is held of them. One row each: see checks.py beside this file.

-- name: balances_are_their_ledger
-- The balance of a budget is the sum of its entries.
with examined as (
    select
        b.id,
        b.balance = (
            select coalesce(sum(e.amount), 0)
            from engine.budget_entry as e
            where e.budget_id = b.id
        ) as holds
    from engine.budget as b
)

select
    count(*) as examined,
    coalesce(
        (array_agg(id::text order by id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: reserves_are_their_holds
-- What is reserved of a budget is the sum of its holds, and never less than nothing.
with examined as (
    select
        b.id,
        b.reserved >= 0
        and b.reserved = (
            select coalesce(sum(h.amount), 0)
            from engine.budget_hold as h
            where h.budget_id = b.id
        ) as holds
    from engine.budget as b
)

select
    count(*) as examined,
    coalesce(
        (array_agg(id::text order by id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: periods_follow_their_beat
-- A period is as long as its budget says, and one of the calendar begins with its unit in UTC.
with examined as (
    select
        b.id,
        case b.period_kind
            when 3
                then
                    b.period_started_at = date_trunc(b.period_text, b.period_started_at, 'UTC')
                    and b.renews_at
                    = (b.period_started_at at time zone 'UTC' + ('1 ' || b.period_text)::interval)
                    at time zone 'UTC'
            else b.renews_at = b.period_started_at + make_interval(secs => b.period_seconds)
        end as holds
    from engine.budget as b
    where b.period_kind is not null
)

select
    count(*) as examined,
    coalesce(
        (array_agg(id::text order by id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: holds_belong_to_open_tasks
-- Nothing is held for a task that has ended, and each hold says of what kind its call is.
with examined as materialized (
    select
        h.task_id,
        exists(
            select from engine.task as t
            where
                t.id = h.task_id
                and h.source = case t.kind when 1 then 'model_call' when 2 then 'tool_call' end
        ) as holds
    from engine.budget_hold as h
)

select
    count(*) as examined,
    coalesce(
        (array_agg(task_id::text order by task_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;
