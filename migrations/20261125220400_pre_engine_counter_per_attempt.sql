-- migrate:up
-- The counter of an attempt's events and checkpoints begins anew with its fence. Kept over a claim,
-- it called the first ones of a second attempt duplicates, and nothing was written of them.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create function engine.begin_attempt_v1() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    new.emit_counter := 0;
    return new;
end
$$;
-- Here and not in the claims, of which there may be two versions at once.
create trigger attempt_begins before update of fence on engine.task
for each row when (new.fence > old.fence and old.emit_counter > 0)
execute function engine.begin_attempt_v1();
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop trigger if exists attempt_begins on engine.task;
drop function if exists engine.begin_attempt_v1();
