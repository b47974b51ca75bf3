-- name: keep_progress
-- Keeps the newest report of each step, under the tasks' locks; says which were fit.
-- repeatable
with asked as materialized (
    select a.task_id, a.fence, a.incarnation, a.counter, a.step, a.details, a.n
    from
        unnest($1::uuid[], $2::int[], $3::uuid[], $4::int[], $5::text[], $6::bytea[])
        with ordinality as a (task_id, fence, incarnation, counter, step, details, n)
),

locked as materialized (
    -- Waits: whoever holds a row now ends its attempt, or leaves it to be judged.
    select t.id, t.state, t.fence, t.incarnation
    from engine.task as t
    where t.id = any($1::uuid[])
    order by t.id
    for no key update
),

fit as materialized (
    select a.task_id, a.fence, a.counter, a.step, a.details, a.n
    from asked as a
    left join locked as l on a.task_id = l.id
    where
        (l.state = 2 and l.fence = a.fence and l.incarnation = a.incarnation)
        -- A step that is over takes its report along, and so does a task.
        or (l.id is null and a.details = '')
),

risen as (
    update engine.task as t
    set rev = t.rev + 1
    where t.id = any(array(select f.task_id from fit as f where f.details <> ''))
    returning t.id, t.rev
),

kept as (
    insert into engine.progress as p (task_id, step, fence, counter, rev, details)
    select f.task_id, f.step, f.fence, f.counter, r.rev, f.details
    from fit as f
    inner join risen as r on f.task_id = r.id
    where f.details <> ''
    order by f.task_id, f.step
    on conflict (task_id, step) do update
        set
            fence = excluded.fence, counter = excluded.counter, rev = excluded.rev,
            details = excluded.details
        where (p.fence, p.counter) < (excluded.fence, excluded.counter)
),

removed as (
    delete from engine.progress as p
    using fit as f
    where
        f.details = '' and p.task_id = f.task_id and p.step = f.step
        and (p.fence, p.counter) < (f.fence, f.counter)
)

select f.n is not null as fits
from asked as a
left join fit as f on a.n = f.n
order by a.n;

-- name: forget_progress
-- Removes reports whose task is over, at most $1; says how many.
-- repeatable
with gone as (
    delete from engine.progress as p
    where (p.task_id, p.step) in (
        select x.task_id, x.step
        from engine.progress as x
        where
            not exists (
                select from engine.task as t
                where t.id = x.task_id
                offset 0 -- so that no join is made of it, which may read all -- noqa: AM09
            )
        order by x.task_id, x.step
        limit $1
        -- Skips what another replica removes at this moment: it will be gone either way.
        for update of x skip locked
    )
    returning 1 as one
)

select count(*)::int as forgotten
from gone;
