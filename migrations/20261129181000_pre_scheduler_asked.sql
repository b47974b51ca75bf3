-- migrate:up
-- What a slot is begun with stands in its row from its first asking until it is begun: a schedule
-- that is edited meanwhile is not to have the slot ask for something else.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role scheduler_owner;

alter table scheduler.slot add column asked bytea;
comment on column scheduler.slot.asked is
'MessagePack of domain.slots.Asked while it is starting; null where a version before asked first.';

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role scheduler_owner;

alter table scheduler.slot drop column asked;

reset role;
