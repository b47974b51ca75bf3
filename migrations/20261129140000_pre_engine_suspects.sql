-- migrate:up
-- What a step recorded takes the deaths before it back: they did not stop the workflow. And tasks that
-- are one death from being set aside are found, for they are tried one at a time. And several steps
-- may ride with a result after which their task goes on: code that does not fit is tried again.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Open tasks alone stand here, and hardly one of them died twice: it is built in milliseconds.
-- squawk-ignore require-concurrent-index-creation
create index task_suspect on engine.task (state, run_at) where deaths >= 2;

-- One step, which is what most flights bring.
create or replace function engine.write_step(p_step engine.commit_step) returns void
language plpgsql
as $$
declare
    v_rev int := 0;
    v_deaths int := 0;
begin
    if p_step.fence > 0 then
        select t.rev, t.deaths into v_rev, v_deaths
        from engine.task as t
        where t.id = p_step.task_id and t.fence = p_step.fence;
        if not found then
            -- The last step rides with the result that ends its attempt.
            select a.close_rev into v_rev
            from engine.attempt as a
            where a.task_id = p_step.task_id and a.fence = p_step.fence;
        end if;
        if not found then
            raise exception 'engine.commit: a recorded step has no attempt'
                using errcode = 'MSE01';
        end if;
        if v_deaths > 0 then
            update engine.task as t set deaths = 0, died = null
            where t.id = p_step.task_id and t.fence = p_step.fence;
        end if;
    end if;
    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
    )
    values (
        p_step.workflow_id, p_step.step, p_step.org_id, p_step.task_id, p_step.fence, v_rev,
        p_step.input_hash, p_step.body, p_step.hash, true
    );
end
$$;

-- As before, and takes the deaths back; one row for each step, also where its task goes on.
create or replace function engine.write_steps(p_steps engine.commit_step[]) returns void
language plpgsql
as $$
declare
    v_kept bigint;
    v_copies engine.commit_step[];
    v_places engine.commit_step[];
begin
    if cardinality(p_steps) = 1 and (p_steps[1]).fence >= 0 then
        perform engine.write_step(p_steps[1]);
        return;
    end if;
    v_copies := array(select s from unnest(p_steps) as s where s.fence < 0);
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
    update engine.task as t
    set deaths = 0, died = null
    from unnest(p_steps) as s
    where
        s.fence > 0 and t.id = s.task_id and t.fence = s.fence and t.deaths > 0
        and t.id = any(array(select x.task_id from unnest(p_steps) as x where x.fence > 0));
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
        -- The last steps ride with the result that ends their attempt; its task may go on after it.
        select a.close_rev from engine.attempt as a
        where
            s.fence > 0 and a.task_id = s.task_id and a.fence = s.fence
            and not exists (
                select from engine.task as t where t.id = s.task_id and t.fence = s.fence
            )
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
set local role engine_owner;

drop index if exists engine.task_suspect;
create or replace function engine.write_step(p_step engine.commit_step) returns void
language plpgsql
as $$
declare
    v_rev int := 0;
begin
    if p_step.fence > 0 then
        select t.rev into v_rev
        from engine.task as t
        where t.id = p_step.task_id and t.fence = p_step.fence;
        if not found then
            -- The last step rides with the result that ends its attempt.
            select a.close_rev into v_rev
            from engine.attempt as a
            where a.task_id = p_step.task_id and a.fence = p_step.fence;
        end if;
        if not found then
            raise exception 'engine.commit: a recorded step has no attempt'
                using errcode = 'MSE01';
        end if;
    end if;
    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
    )
    values (
        p_step.workflow_id, p_step.step, p_step.org_id, p_step.task_id, p_step.fence, v_rev,
        p_step.input_hash, p_step.body, p_step.hash, true
    );
end
$$;

create or replace function engine.write_steps(p_steps engine.commit_step[]) returns void
language plpgsql
as $$
declare
    v_kept bigint;
    v_copies engine.commit_step[];
    v_places engine.commit_step[];
begin
    if cardinality(p_steps) = 1 and (p_steps[1]).fence >= 0 then
        perform engine.write_step(p_steps[1]);
        return;
    end if;
    v_copies := array(select s from unnest(p_steps) as s where s.fence < 0);
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
