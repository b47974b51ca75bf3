-- migrate:up
-- What handlers said last of how far they are, one row per step at work; a claim of a later attempt
-- reads it. Rows go when their step is over, so the table stays as small as what is at work.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.progress (
    task_id uuid not null,
    -- the step's place; empty for a plain task
    step text not null,
    fence int not null,
    -- rises with every report of an attempt
    counter int not null,
    -- of the task, by the report
    rev bigint not null,
    details bytea not null,
    primary key (task_id, step)
) with (fillfactor = 70);

grant select, insert, update, delete on engine.progress to engine_run;

-- The newest reports of a task, at most so many. It takes a snapshot of its own, so that a claim
-- which calls it sees what was reported before its task was released.
create function engine.progress_of_v1(p_task_id uuid, p_limit int) returns engine.progress []
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return array(
        select p
        from engine.progress as p
        where p.task_id = p_task_id
        order by p.rev desc, p.step
        limit p_limit
    );
end
$$;
revoke execute on function engine.progress_of_v1(uuid, int) from public;
grant execute on function engine.progress_of_v1(uuid, int) to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.progress_of_v1;
drop table if exists engine.progress;
