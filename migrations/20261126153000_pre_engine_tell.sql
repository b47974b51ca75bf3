-- migrate:up
-- Signals of an item that spends or moves messages, which commit_budgeted_v1 does not write.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Writes and takes signals for whoever holds the locks of the item in this transaction; how
-- many.
create function engine.tell_v1(p_signals engine.commit_signal[], p_takes engine.commit_take[])
returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform engine.write_waits('{}', '{}', p_signals, p_takes);
    return cardinality(p_signals) + cardinality(p_takes);
end
$$;
revoke execute on function engine.tell_v1(engine.commit_signal[], engine.commit_take[]) from public;
grant execute on function engine.tell_v1(engine.commit_signal[], engine.commit_take[])
to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.tell_v1(engine.commit_signal[], engine.commit_take[]);
