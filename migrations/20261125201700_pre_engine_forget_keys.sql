-- migrate:up
-- Keys of requests are kept a day; the upkeep removes older ones, oldest first, in short
-- transactions. The index grows at its right end only. It is built under a lock that keeps new keys
-- waiting for as long as a day's keys take to sort, bounded by the timeout: a build beside the
-- writers would need a file of its own, outside a transaction and without timeouts.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- squawk-ignore require-concurrent-index-creation
create index idempotency_age on engine.idempotency (created_at);

create function engine.forget_keys_v1(p_older_than_ms bigint, p_limit int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Once: the index is not asked by a clock that moves.
    v_before timestamptz := clock_timestamp() - p_older_than_ms * interval '1 millisecond';
    v_count int;
begin
    delete from engine.idempotency
    where ctid = any(
        array(
            select k.ctid
            from engine.idempotency as k
            where k.created_at < v_before
            order by k.created_at
            limit p_limit
            -- Skips what another replica removes at this moment: it will be gone either way.
            for update skip locked
        )
    );
    get diagnostics v_count = row_count;
    return v_count;
end
$$;
revoke execute on function engine.forget_keys_v1(bigint, int) from public;
grant execute on function engine.forget_keys_v1(bigint, int) to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists engine.forget_keys_v1;
drop index if exists engine.idempotency_age;
