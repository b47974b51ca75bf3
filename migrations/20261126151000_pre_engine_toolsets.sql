-- migrate:up
-- Tools that workers of people's own announce, by the name of their set.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create table engine.toolset (
    name text primary key,
    -- Who announced it. Its id begins with when the process started: the youngest's word stands.
    incarnation uuid not null,
    announced_at timestamptz not null,
    body bytea not null
);
grant select, insert, update on engine.toolset to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop table if exists engine.toolset;
