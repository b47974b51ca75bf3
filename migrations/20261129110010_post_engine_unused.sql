-- migrate:up
-- What nothing uses any more: the wants of claims before organizations shared them, and an index of
-- routes by model alone, which are found by all their columns.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Nothing has a column or an argument of it.
-- squawk-ignore ban-drop-type
drop type engine.claim_want;
-- A small table; the lock waits 4 s at most.
-- squawk-ignore require-concurrent-index-deletion
drop index engine.route_model;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create index route_model on engine.route (model);

-- `after_org` is the organization that was served last on this route: the round goes on behind it.
create type engine.claim_want as (
    route int, after_org uuid, incarnation uuid, attach_number bigint, slots int
);

reset role;
