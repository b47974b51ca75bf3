-- migrate:up
-- Claims, attaches, cancels and holds look tasks up by their keys as well.
-- And a claim numbers the seats of its tasks once, not once for each of them.
--
-- Only the lines that change are here; each must be found as it was.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

do $change$
declare
    v_change record;
    v_was text;
begin
    for v_change in
        select * from (values
            (
'engine.claim_v2',
$was$
            -- Skips what another claim takes at this moment: the next in rank will do.
            select t.id
            from ranked as r
            inner join engine.task as t on r.id = t.id
            where t.state = 1 and not t.cancelling
            order by r.rank
            limit v_slots
            for no key update of t skip locked
        ),

        seated as (
            select k.id, row_number() over (order by r.rank) as seat
            from taken as k
            inner join ranked as r on k.id = r.id
        ),
$was$,
$new$
            -- Skips what another claim takes at this moment: the next in rank will do.
            select t.id, r.rank
            from ranked as r
            cross join lateral (
                select x.id from engine.task as x
                where x.id = r.id and x.state + 0 = 1 and not x.cancelling
                order by x.id
                limit 1
                for no key update skip locked
            ) as t
            order by r.rank
            limit v_slots
        ),

        seated as materialized (
            select k.id, row_number() over (order by k.rank) as seat
            from taken as k
        ),
$new$
            ),
            (
'engine.attach_v1',
$was$
            t.state = 2 and t.incarnation = any(v_accepted)
            and not exists (
$was$,
$new$
            t.state = 2 and t.incarnation = any(v_accepted)
            and t.id = any(
                array(
                    select x.id from engine.task as x
                    where x.state = 2 and x.incarnation = any(v_accepted)
                )
            )
            and not exists (
$new$
            ),
            (
'engine.cancel_tasks_v1',
$was$
        where t.kind = 4
        order by t.id
$was$,
$new$
        where t.kind = 4 and t.id = any(p_tasks)
        order by t.id
$new$
            ),
            (
'engine.cancel_tasks_v1',
$was$
        where t.id = l.id
        returning t.*, l.reason as why
$was$,
$new$
        where t.id = l.id and t.id = any(array(select x.id from locked as x))
        returning t.*, l.reason as why
$new$
            ),
            (
'engine.hold_budgets',
$was$
            and not exists (select from engine.task as t where t.id = h.task_id)
$was$,
$new$
            -- Not made a join of, which would read every task.
            and not exists (select from engine.task as t where t.id = h.task_id offset 0)
$new$
            ),
            (
'engine.hold_budgets',
$was$
        left join engine.task as t on a.task_id = t.id
$was$,
$new$
        left join lateral (
            select x.kind from engine.task as x where x.id = a.task_id limit 1
        ) as t on true
$new$
            )
        ) as c (function, was, new)
    loop
        v_was := pg_get_functiondef(v_change.function::regproc);
        if strpos(v_was, v_change.was) = 0 then
            raise exception '% is not as it was', v_change.function;
        end if;
        execute replace(v_was, v_change.was, v_change.new);
    end loop;
end
$change$;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

do $change$
declare
    v_change record;
    v_was text;
begin
    for v_change in
        select * from (values
            (
'engine.hold_budgets',
$was$
        left join lateral (
            select x.kind from engine.task as x where x.id = a.task_id limit 1
        ) as t on true
$was$,
$new$
        left join engine.task as t on a.task_id = t.id
$new$
            ),
            (
'engine.hold_budgets',
$was$
            -- Not made a join of, which would read every task.
            and not exists (select from engine.task as t where t.id = h.task_id offset 0)
$was$,
$new$
            and not exists (select from engine.task as t where t.id = h.task_id)
$new$
            ),
            (
'engine.cancel_tasks_v1',
$was$
        where t.id = l.id and t.id = any(array(select x.id from locked as x))
        returning t.*, l.reason as why
$was$,
$new$
        where t.id = l.id
        returning t.*, l.reason as why
$new$
            ),
            (
'engine.cancel_tasks_v1',
$was$
        where t.kind = 4 and t.id = any(p_tasks)
        order by t.id
$was$,
$new$
        where t.kind = 4
        order by t.id
$new$
            ),
            (
'engine.attach_v1',
$was$
            t.state = 2 and t.incarnation = any(v_accepted)
            and t.id = any(
                array(
                    select x.id from engine.task as x
                    where x.state = 2 and x.incarnation = any(v_accepted)
                )
            )
            and not exists (
$was$,
$new$
            t.state = 2 and t.incarnation = any(v_accepted)
            and not exists (
$new$
            ),
            (
'engine.claim_v2',
$was$
            -- Skips what another claim takes at this moment: the next in rank will do.
            select t.id, r.rank
            from ranked as r
            cross join lateral (
                select x.id from engine.task as x
                where x.id = r.id and x.state + 0 = 1 and not x.cancelling
                order by x.id
                limit 1
                for no key update skip locked
            ) as t
            order by r.rank
            limit v_slots
        ),

        seated as materialized (
            select k.id, row_number() over (order by k.rank) as seat
            from taken as k
        ),
$was$,
$new$
            -- Skips what another claim takes at this moment: the next in rank will do.
            select t.id
            from ranked as r
            inner join engine.task as t on r.id = t.id
            where t.state = 1 and not t.cancelling
            order by r.rank
            limit v_slots
            for no key update of t skip locked
        ),

        seated as (
            select k.id, row_number() over (order by r.rank) as seat
            from taken as k
            inner join ranked as r on k.id = r.id
        ),
$new$
            )
        ) as c (function, was, new)
    loop
        v_was := pg_get_functiondef(v_change.function::regproc);
        if strpos(v_was, v_change.was) = 0 then
            raise exception '% is not as it was', v_change.function;
        end if;
        execute replace(v_was, v_change.was, v_change.new);
    end loop;
end
$change$;

reset role;
