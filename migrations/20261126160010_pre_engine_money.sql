-- migrate:up
-- Budgets of money: their currency is `usd`.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

alter table engine.budget
-- squawk-ignore ban-drop-constraint
drop constraint budget_currency_check,
add constraint budget_currency_check
check (currency in ('tokens', 'calls', 'seconds', 'usd')) not valid;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

-- Budgets of money that were made meanwhile stay: it is not compared with the rows that are there.
alter table engine.budget
drop constraint budget_currency_check,
add constraint budget_currency_check
check (currency in ('tokens', 'calls', 'seconds')) not valid;
