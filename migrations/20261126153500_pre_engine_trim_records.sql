-- migrate:up
-- Removing records that nobody is promised any more: of older generations of a workflow, and of
-- workflows long ended. A row is never changed, and goes by this function alone. The input of a
-- generation goes before the rest of it and in an earlier commit; a fork copies a generation only
-- where its own snapshot has the input, so what it copies is whole.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- As before, but for records of workflows in the hands of that function.
create or replace function engine.refuse_change_v1() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    -- One after the other: other tables have no such column.
    if tg_op = 'DELETE' and tg_table_name like 'step\_result%' then
        if old.checkpoint and current_setting('engine.trims', true) = 'records' then
            return old;
        end if;
    end if;
    raise exception '% of %.% is refused: its rows are final', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;

create function engine.is_input_v1(p_step text) returns boolean
language sql immutable strict parallel safe
return p_step ~ '^([a-j][0-9]+~)?0$';

-- The place of the input that a fork up to this bound begins with.
create function engine.input_of_v1(p_bound text) returns text
language sql immutable strict parallel safe
return coalesce(substring(p_bound from '^[a-j][0-9]+~'), '') || '0';

-- One workflow after the other: each is a range of one partition's key.
create function engine.trim_records_v1(
    p_workflows uuid[], p_bounds text[], p_limit int, p_inputs boolean
) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_total int := 0;
    v_count int;
begin
    perform set_config('engine.trims', 'records', true);
    for i in 1 .. cardinality(p_workflows) loop
        exit when v_total >= p_limit;
        delete from engine.step_result as r
        where r.workflow_id = p_workflows[i] and r.step = any(
            array(
                select x.step
                from engine.step_result as x
                where
                    x.workflow_id = p_workflows[i] and x.checkpoint
                    -- The first is for the index, the second right whatever the collation is.
                    and x.step < p_bounds[i] and x.step collate "C" < p_bounds[i]
                    and engine.is_input_v1(x.step) = p_inputs
                order by x.step
                limit p_limit - v_total
                -- Waits for another engine that removes the same: an input is gone for all
                -- before anything else of its generation goes.
                for update
            )
        );
        get diagnostics v_count = row_count;
        v_total := v_total + v_count;
    end loop;
    perform set_config('engine.trims', '', true);
    return v_total;
end
$$;
revoke execute on function engine.is_input_v1(text) from public;
revoke execute on function engine.input_of_v1(text) from public;
revoke execute on function engine.trim_records_v1(uuid[], text[], int, boolean) from public;
grant execute on function engine.is_input_v1(text) to engine_run;
grant execute on function engine.input_of_v1(text) to engine_run;
grant execute on function engine.trim_records_v1(uuid[], text[], int, boolean) to engine_run;

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

create or replace function engine.refuse_change_v1() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '% of %.% is refused: its rows are final', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;
drop function if exists engine.trim_records_v1;
drop function if exists engine.input_of_v1;
drop function if exists engine.is_input_v1;
