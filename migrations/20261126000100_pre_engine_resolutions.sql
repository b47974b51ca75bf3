-- migrate:up
-- What operators decided about dead letters, which themselves are final. The id of the turn that
-- takes a letter up is chosen with the order, so that it is taken up once.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.resolution (
    -- the dead letter
    task_id uuid primary key,
    org_id uuid not null,
    session_id uuid not null,
    -- of the turn that takes it up; null where it was discarded
    workflow_id uuid unique,
    ordered_at timestamptz not null,
    due_at timestamptz not null,
    tried_at timestamptz,
    settled_at timestamptz,
    -- why it was not taken up
    refusal text check (refusal in ('superseded', 'session_gone'))
) with (fillfactor = 70);
create index resolution_due on engine.resolution (due_at)
where workflow_id is not null and settled_at is null;

-- squawk-ignore require-concurrent-index-creation -- dead letters are few: the lock lasts a moment
create index dead_letter_org on engine.dead_letter (org_id, task_id);

grant select, insert, update on engine.resolution to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop index if exists engine.dead_letter_org;
drop table if exists engine.resolution;
