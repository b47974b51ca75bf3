-- migrate:up
-- Forks of declared workflows. A step that came as a task has a result and no record, and one
-- beside those that are kept may have failed: so a fork names each place that it takes over
-- (fence -2), and all of them are there, or it does not begin.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create or replace function engine.write_steps(p_steps engine.commit_step[]) returns void
language plpgsql
as $$
declare
    v_kept bigint;
    v_copies engine.commit_step[] := array(select s from unnest(p_steps) as s where s.fence < 0);
    v_places engine.commit_step[];
begin
    if v_copies <> '{}' then
        p_steps := array(select s from unnest(p_steps) as s where s.fence >= 0);
        v_places := array(select c from unnest(v_copies) as c where c.fence = -2);
        v_copies := array(select c from unnest(v_copies) as c where c.fence = -1);
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
        )
        select c.workflow_id, r.step, r.org_id, c.workflow_id, 0, 0, r.input_hash, r.body, r.hash, true
        from unnest(v_places) as c
        inner join engine.step_result as r
            on c.task_id = r.workflow_id and c.step = r.step and c.org_id = r.org_id;
        get diagnostics v_kept = row_count;
        if v_kept <> cardinality(v_places) then
            raise exception 'engine.commit: what a fork begins with was removed'
                using errcode = 'MSE01';
        end if;
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
        )
        select c.workflow_id, r.step, r.org_id, c.workflow_id, 0, 0, r.input_hash, r.body, r.hash, true
        from unnest(v_copies) as c
        inner join engine.step_result as r on c.task_id = r.workflow_id and c.org_id = r.org_id
        where
            r.checkpoint and engine.place_before(r.step, c.step)
            and exists (
                select from engine.step_result as i
                where i.workflow_id = c.task_id and i.step = engine.input_of_v1(c.step)
            );
        if exists (
            select from unnest(v_copies) as c
            where not exists (
                select from engine.step_result as i
                where i.workflow_id = c.task_id and i.step = engine.input_of_v1(c.step)
            )
        ) then
            raise exception 'engine.commit: what a fork begins with was removed'
                using errcode = 'MSE01';
        end if;
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
            r.checkpoint and engine.place_before(r.step, c.step)
            and exists (
                select from engine.step_result as i
                where i.workflow_id = c.task_id and i.step = engine.input_of_v1(c.step)
            );
        if exists (
            select from unnest(v_copies) as c
            where not exists (
                select from engine.step_result as i
                where i.workflow_id = c.task_id and i.step = engine.input_of_v1(c.step)
            )
        ) then
            raise exception 'engine.commit: what a fork begins with was removed'
                using errcode = 'MSE01';
        end if;
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
