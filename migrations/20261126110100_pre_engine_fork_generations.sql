-- migrate:up
-- Forks of workflows whose code started over. The bound of a copy may be of any generation: "a1~3"
-- is the first place that is not copied, "a1~" copies that generation, "3" and "" are as before.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Whether a place is copied by a fork up to this bound: of the bound's generation, and before it.
create function engine.place_before(p_step text, p_bound text) returns boolean
language sql immutable strict parallel safe
return starts_with(p_step, coalesce(substring(p_bound from '^[a-j][0-9]+~'), ''))
and coalesce(
    p_bound = ''
    or p_bound ~ '~$'
    or engine.place_order(substring(p_step from '[^~]*$'))
    < engine.place_order(substring(p_bound from '[^~]*$')),
    false
)
and engine.place_order(
    substr(p_step, length(coalesce(substring(p_bound from '^[a-j][0-9]+~'), '')) + 1)
) is not null;

create or replace function engine.write_steps(p_steps engine.commit_step[]) returns void
language plpgsql
as $$
declare
    v_kept bigint;
    v_copies engine.commit_step[] := array(select s from unnest(p_steps) as s where s.fence = -1);
begin
    if v_copies <> '{}' then
        p_steps := array(select s from unnest(p_steps) as s where s.fence <> -1);
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
        )
        select c.workflow_id, r.step, r.org_id, c.workflow_id, 0, 0, r.input_hash, r.body, r.hash, true
        from unnest(v_copies) as c
        inner join engine.step_result as r on c.task_id = r.workflow_id and c.org_id = r.org_id
        where r.checkpoint and engine.place_before(r.step, c.step);
    end if;
    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
    )
    select
        s.workflow_id, s.step, s.org_id, s.task_id, s.fence, r.rev, s.input_hash, s.body, s.hash,
        true
    from unnest(p_steps) as s
    cross join lateral (
        select 0 as rev where s.fence = 0
        union all
        select t.rev from engine.task as t
        where s.fence > 0 and t.id = s.task_id and t.fence = s.fence
        union all
        -- The last steps ride with the result that ends their attempt.
        select a.close_rev from engine.attempt as a
        where s.fence > 0 and a.task_id = s.task_id and a.fence = s.fence
    ) as r;
    get diagnostics v_kept = row_count;
    if v_kept <> cardinality(p_steps) then
        raise exception 'engine.commit: % of % recorded steps have their attempt',
            v_kept, cardinality(p_steps) using errcode = 'MSE01';
    end if;
end
$$;

revoke execute on function engine.place_before(text, text) from public;
grant execute on function engine.place_before(text, text) to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

create or replace function engine.write_steps(p_steps engine.commit_step[]) returns void
language plpgsql
as $$
declare
    v_kept bigint;
    v_copies engine.commit_step[] := array(select s from unnest(p_steps) as s where s.fence = -1);
begin
    if v_copies <> '{}' then
        p_steps := array(select s from unnest(p_steps) as s where s.fence <> -1);
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
        )
        select c.workflow_id, r.step, r.org_id, c.workflow_id, 0, 0, r.input_hash, r.body, r.hash, true
        from unnest(v_copies) as c
        inner join engine.step_result as r on c.task_id = r.workflow_id and c.org_id = r.org_id
        where
            r.checkpoint and engine.place_order(r.step) is not null
            and (c.step = '' or engine.place_order(r.step) < engine.place_order(c.step));
    end if;
    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
    )
    select
        s.workflow_id, s.step, s.org_id, s.task_id, s.fence, r.rev, s.input_hash, s.body, s.hash,
        true
    from unnest(p_steps) as s
    cross join lateral (
        select 0 as rev where s.fence = 0
        union all
        select t.rev from engine.task as t
        where s.fence > 0 and t.id = s.task_id and t.fence = s.fence
        union all
        -- The last steps ride with the result that ends their attempt.
        select a.close_rev from engine.attempt as a
        where s.fence > 0 and a.task_id = s.task_id and a.fence = s.fence
    ) as r;
    get diagnostics v_kept = row_count;
    if v_kept <> cardinality(p_steps) then
        raise exception 'engine.commit: % of % recorded steps have their attempt',
            v_kept, cardinality(p_steps) using errcode = 'MSE01';
    end if;
end
$$;
drop function if exists engine.place_before;
