-- migrate:up
-- The session that a schedule's messages go to stands in a column: a page of sessions is told by one
-- statement how many schedules each of them has.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role scheduler_owner;

alter table scheduler.schedule add column session_id uuid;
comment on column scheduler.schedule.session_id is
'Of its spec: where its messages go; null where every slot makes a session, or starts a workflow.';

-- Some thousands of rows at most, and all are null as yet: it is built in milliseconds.
-- squawk-ignore require-concurrent-index-creation
create index schedule_session on scheduler.schedule (session_id) where session_id is not null;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role scheduler_owner;

drop index if exists scheduler.schedule_session;
alter table scheduler.schedule drop column session_id;

reset role;
