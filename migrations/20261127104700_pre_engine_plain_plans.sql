-- migrate:up
-- Rows of a flight are joined by hashing, whatever the statistics say. An analyse that finds few
-- tasks leased makes the planner expect one row of a flight, and it compared each of its five
-- hundred with each: half of the tasks per second, until the next analyse.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

alter function engine.submit_tasks_v1 set enable_nestloop to off;
alter function engine.submit_tasks_v2 set enable_nestloop to off;
alter function engine.end_tasks_v1 set enable_nestloop to off;
alter function engine.time_out_tasks_v1 set enable_nestloop to off;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

alter function engine.time_out_tasks_v1 reset enable_nestloop;
alter function engine.end_tasks_v1 reset enable_nestloop;
alter function engine.submit_tasks_v2 reset enable_nestloop;
alter function engine.submit_tasks_v1 reset enable_nestloop;

reset role;
