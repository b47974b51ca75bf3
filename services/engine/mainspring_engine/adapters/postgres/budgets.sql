-- name: commit_budgeted
-- One item with what it means for budgets; not repeatable, as commit is not.
select
    now_ms, verdicts, deltas_before, closes, marks, emits, unclaimed, known, heads, workflows, inbox
from engine.commit_budgeted_v1(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21
);

-- name: organizations
-- Those that have budgets: from one to the next in an index, however many budgets each has.
-- repeatable
with recursive found as (
    (
        select b.org_id from engine.budget as b
        where not b.deleted
        order by b.org_id
        limit 1
    )
    union all
    select n.org_id
    from found as f
    cross join lateral (
        select b.org_id from engine.budget as b
        where not b.deleted and b.org_id > f.org_id
        order by b.org_id
        limit 1
    ) as n
)

select f.org_id from found as f;

-- name: over
-- Budgets of some subjects that count, by id; what the first of them, a session, holds is told
-- apart, and what is still held for tasks that are gone is left out: the next hold gives it back.
-- repeatable
select
    b.id, b.org_id, b.subject_type, b.subject_id, b.currency, b.allowed, b.soft, b.balance,
    o.reserved, o.own_tasks, o.own_amounts,
    b.status, b.warned, b.metadata, b.period_kind, b.period_seconds, b.period_text,
    (extract(epoch from b.period_started_at) * 1000)::bigint as period_started_ms,
    (extract(epoch from b.renews_at) * 1000)::bigint as renews_ms,
    (extract(epoch from b.created_at) * 1000)::bigint as created_ms,
    (extract(epoch from b.updated_at) * 1000)::bigint as updated_ms
from engine.budget_present as b
cross join
    lateral (
        select
            coalesce(sum(h.amount) filter (where not h.own), 0)::bigint as reserved,
            coalesce(array_agg(h.task_id) filter (where h.own), '{}') as own_tasks,
            coalesce(array_agg(h.amount) filter (where h.own), '{}') as own_amounts
        from (
            select h.task_id, h.amount, h.session_id = ($3::uuid[])[1] as own
            from engine.budget_hold as h
            where
                h.budget_id = b.id
                and exists (
                    select from engine.task as t
                    where t.id = h.task_id
                    offset 0 -- so that no join is made of it, which may read all -- noqa: AM09
                )
        ) as h
    ) as o
where
    b.org_id = $1 and b.status <> 3
    and (b.subject_type, b.subject_id) in (select * from unnest($2::text[], $3::uuid[]))
order by b.id;

-- name: page
-- Budgets newest first: one by its id, those of some subjects, or of one kind of subject. Which
-- they are is asked in the one way of three that fits, and only then how each stands in its period.
-- repeatable
select
    b.id, b.org_id, b.subject_type, b.subject_id, b.currency, b.allowed, b.soft, b.balance,
    b.reserved, b.status, b.warned, b.metadata, b.period_kind, b.period_seconds, b.period_text,
    (extract(epoch from b.period_started_at) * 1000)::bigint as period_started_ms,
    (extract(epoch from b.renews_at) * 1000)::bigint as renews_ms,
    (extract(epoch from b.created_at) * 1000)::bigint as created_ms,
    (extract(epoch from b.updated_at) * 1000)::bigint as updated_ms
from engine.budget_present as b
where
    b.org_id = $1
    and ($3::text is null or b.subject_type = $3)
    and b.id = any(
        array(
            select $2::uuid
            union all
            select x.id
            from unnest($4::text[], $5::uuid[]) as s (type, id)
            inner join engine.budget as x on s.type = x.subject_type and s.id = x.subject_id
            where x.org_id = $1 and not x.deleted
            union all
            (
                select x.id
                from engine.budget as x
                where
                    $2::uuid is null and cardinality($4::text[]) = 0
                    and x.org_id = $1 and not x.deleted
                    and ($3::text is null or x.subject_type = $3)
                order by x.created_at desc, x.id desc
                limit $6
            )
        )
    )
order by b.created_at desc, b.id desc
limit $6;

-- name: ledger
-- Entries of a budget, newest first.
-- repeatable
select
    e.id, e.budget_id, e.amount, e.source, e.description, e.task_id, e.session_id,
    (extract(epoch from e.at) * 1000)::bigint as at_ms
from engine.budget_entry as e
inner join engine.budget as b on e.budget_id = b.id
where b.org_id = $1 and b.id = $2 and not b.deleted
order by e.at desc, e.id desc
limit
    $4
    offset $3;

-- name: create
-- A budget and its first entry.
select
    engine.create_budget_v2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) as id;

-- name: change
-- Null where there is no such budget.
select engine.change_budget_v1($1, $2, $3, $4, $5, $6, $7) as id;

-- name: credit
-- Null where there is no such budget.
select engine.credit_budget_v1($1, $2, $3, $4, $5, $6) as id;

-- name: drop
-- Null where there is no such budget.
select engine.drop_budget_v1($1, $2) as id;
