-- migrate:up
-- Schedules that were written before the column was there get what their spec says. In MessagePack
-- that is the name (0xaa and ten letters), the mark of a text of 36 bytes (0xd9 0x24) and the text;
-- no text holds these bytes, for they are no UTF-8.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role scheduler_owner;

update scheduler.schedule
set session_id = encode(
    substring(spec from position('\xaa73657373696f6e5f6964d924'::bytea in spec) + 13 for 36),
    'escape'
)::uuid
where
    target = 'message' and session_id is null and not deleted
    and position('\xaa73657373696f6e5f6964d924'::bytea in spec) > 0;

reset role;

-- migrate:down
-- What is known of them does no harm.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
