-- name: session_steps
-- Closed attempts and step results of the session named by the setting mainspring.session.
select
    'attempt' as kind,
    attempt.step,
    attempt.fence,
    encode(attempt.result_hash, 'hex') as hash
from engine.attempt
inner join engine.workflow on attempt.workflow_id = workflow.id
where workflow.session_id = current_setting('mainspring.session')::uuid
union all
select
    'result' as kind,
    step_result.step,
    step_result.fence,
    encode(step_result.hash, 'hex') as hash
from engine.step_result
inner join engine.workflow on step_result.workflow_id = workflow.id
where workflow.session_id = current_setting('mainspring.session')::uuid
order by 1, 2, 3;
