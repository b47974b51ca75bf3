-- migrate:up
-- What a commit has one of is written by scalars: the flight of a caller who is alone has one task
-- that ends, one that begins, one workflow. As log's append_one does with the one session.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Ends a task as commit_whole_v1 does with many; p_result is null where it has none.
-- Raises MSE02 where the task is not as it was.
create function engine.close_task(
    p_close engine.commit_close, p_result engine.commit_result, p_now timestamptz
) returns engine.close_answer
language plpgsql
as $$
#variable_conflict use_column
declare
    v_task engine.task;
begin
    delete from engine.task as t
    where t.id = p_close.task_id and t.fence = p_close.fence and t.state = p_close.expected
    returning t.* into v_task;
    if
        not found
        or p_result.task_id <> v_task.id
        or p_result.fence <> v_task.fence
        or p_result.workflow_id <> v_task.workflow_id
    then
        raise exception 'engine.close_task: the task is not as it was' using errcode = 'MSE02';
    end if;

    if v_task.state = 2 then
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        values (
            v_task.id, v_task.fence, v_task.workflow_id, v_task.org_id, v_task.step,
            v_task.incarnation, v_task.attach_number, v_task.claim_rev, v_task.rev + 1,
            v_task.claimed_at, p_now, v_task.stamped_at, v_task.lease_until, v_task.acknowledged,
            v_task.started_fence = v_task.fence, p_close.closing, p_close.result_hash,
            p_close.error_code
        );
    end if;
    if p_result.task_id is not null then
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
        )
        values (
            p_result.workflow_id, p_result.step, v_task.org_id, p_result.task_id, p_result.fence,
            v_task.rev + 1, v_task.input_hash, p_result.body, p_result.hash
        );
    end if;
    if v_task.effect >= 3 then
        update engine.effect as e
        set
            state = case
                when v_task.started_fence = 0 then 6
                when p_close.closing = 1 then 3
                when p_close.closing = 2 then 4
                else 5
            end,
            rev = v_task.rev + 1,
            closed_at = p_now
        where e.workflow_id = v_task.workflow_id and e.step = v_task.step;
    end if;
    return (1, (extract(epoch from v_task.claimed_at) * 1000)::bigint, v_task.incarnation)
        ::engine.close_answer;
end
$$;

-- Adds a task as write_tasks does with many. Its id where the worker it was for has left.
create function engine.write_task(p_task engine.commit_task, p_lease_ms bigint) returns uuid []
language plpgsql
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_hash bytea := sha256(p_task.payload);
    v_seated boolean := p_task.incarnation is not null and exists (
        select from engine.worker as w
        where
            w.incarnation = p_task.incarnation
            and w.attach_number = p_task.attach_number
    );
begin
    insert into engine.payload (task_id, org_id, step, payload, input_hash)
    values (p_task.id, p_task.org_id, p_task.step, p_task.payload, v_hash);

    if v_seated then
        insert into engine.task (
            id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
            run_at, state, fence, claim_rev, claimed_at, stamped_at, lease_until, incarnation,
            attach_number
        )
        values (
            p_task.id, p_task.workflow_id, p_task.session_id, p_task.org_id, p_task.route,
            p_task.priority, p_task.kind, p_task.effect, p_task.step, v_hash,
            v_now, 2, 1, 1, v_now, v_now, v_now + p_lease_ms * interval '1 millisecond',
            p_task.incarnation, p_task.attach_number
        );
    else
        insert into engine.task (
            id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
            run_at, state
        )
        values (
            p_task.id, p_task.workflow_id, p_task.session_id, p_task.org_id, p_task.route,
            p_task.priority, p_task.kind, p_task.effect, p_task.step, v_hash, v_now, 1
        );
    end if;
    if p_task.effect >= 3 then
        insert into engine.effect (workflow_id, step, org_id, task_id, class, rev)
        values (p_task.workflow_id, p_task.step, p_task.org_id, p_task.id, p_task.effect, 1);
    end if;
    return case when p_task.incarnation is not null and not v_seated then array[p_task.id] end;
end
$$;

-- Records a step as write_steps does with many, but no copies of a fork.
create function engine.write_step(p_step engine.commit_step) returns void
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

-- Opens a workflow of its own: its key and its empty log.
create function engine.write_start(p_start engine.commit_start) returns void
language plpgsql
as $$
begin
    insert into engine.start (workflow_id, org_id, type, key, queue, hash, started_ms)
    values (
        p_start.workflow_id, p_start.org_id, p_start.type, p_start.key, p_start.queue,
        p_start.hash, p_start.started_ms
    );
    perform log.open_one_v1(p_start.workflow_id, p_start.org_id);
end
$$;

-- Adds a workflow's row.
create function engine.add_workflow(p_workflow engine.commit_workflow) returns void
language plpgsql
as $$
begin
    insert into engine.workflow (
        id, session_id, org_id, ordinal, outcome, state, config_hash, traceparent, started_ms
    )
    values (
        p_workflow.id, p_workflow.session_id, p_workflow.org_id, p_workflow.ordinal,
        p_workflow.outcome, p_workflow.state, p_workflow.config_hash, p_workflow.traceparent,
        p_workflow.started_ms
    );
end
$$;

-- Moves a workflow's row on. Raises MSE02 where it has moved.
create function engine.move_workflow(p_workflow engine.commit_workflow) returns void
language plpgsql
as $$
begin
    update engine.workflow as w
    set
        rev = w.rev + 1,
        outcome = p_workflow.outcome,
        state = p_workflow.state,
        config_hash = p_workflow.config_hash,
        traceparent = p_workflow.traceparent
    where w.id = p_workflow.id and w.rev = p_workflow.expected_rev;
    if not found then
        raise exception 'engine.move_workflow: the workflow has moved' using errcode = 'MSE02';
    end if;
end
$$;

revoke execute on function
engine.close_task, engine.write_task, engine.write_step, engine.write_start, engine.add_workflow,
engine.move_workflow
from public;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

drop function if exists engine.close_task;
drop function if exists engine.write_task;
drop function if exists engine.write_step;
drop function if exists engine.write_start;
drop function if exists engine.add_workflow;
drop function if exists engine.move_workflow;
reset role;
