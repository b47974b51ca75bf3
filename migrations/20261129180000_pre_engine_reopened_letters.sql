-- migrate:up
-- An order about a dead letter that no task can carry out is taken back: the letter is open again.
-- The row goes, so a version that knows nothing of it reads nothing new.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

grant delete on engine.resolution to engine_run;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

revoke delete on engine.resolution from engine_run;

reset role;
