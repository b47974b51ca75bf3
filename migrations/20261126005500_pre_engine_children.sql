-- migrate:up
-- Signals between the sessions of parents and children lie until their lane takes them, mostly for
-- milliseconds; the sweep looks for those whose hint was lost. People's signals, which may lie long,
-- are not in it.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- squawk-ignore require-concurrent-index-creation
create index signal_untaken on engine.signal (created_at)
where consumed_by is null and kind in ('child:start', 'child:ended', 'child:cancel');
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop index if exists engine.signal_untaken;
