-- migrate:up
-- Keys that callers give their tasks. They stand in the model of their route, behind line feeds, so
-- a task is claimed by an equality as before, and an older engine sees a model of its own.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

-- Routes are few, and a new one is rare: the lock lasts a moment, an entry costs no task.
-- squawk-ignore require-concurrent-index-creation
create index route_gates on engine.route
using gin (string_to_array(model, E'\n')) with (fastupdate = off);

-- How many counted tasks run under a key. Of a queue, and of a family of keys, all that are counted
-- are looked through: their routes may be more than they.
create function engine.running_v1(p_key text) returns int
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if right(p_key, 1) = '*' then
        return (
            select count(*)
            from engine.task as t
            inner join engine.route as r on t.route = r.id
            where
                t.state = 2 and t.counted
                and exists (
                    select
                    from unnest(string_to_array(r.model, E'\n') || ('queue:' || r.queue)) as k (key)
                    where starts_with(k.key, left(p_key, -1))
                )
        );
    elsif starts_with(p_key, 'queue:') then
        return (
            select count(*)
            from engine.task as t
            inner join engine.route as r on t.route = r.id
            where t.state = 2 and t.counted and r.queue = substr(p_key, length('queue:') + 1)
        );
    end if;
    return (
        select count(*)
        from engine.task as t
        where
            t.state = 2 and t.counted
            and t.route = any(
                array(
                    select r.id from engine.route as r
                    where string_to_array(r.model, E'\n') @> array[p_key]
                )
            )
    );
end
$$;

-- How many tasks of a route may start under its limits. claim_v2 holds the locks of their keys.
create or replace function engine.headroom_v1(p_route int, p_limits engine.claim_limit[])
returns int
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select greatest(0, min(l.at_once - engine.running_v1(l.key)))
        from unnest(p_limits) as l
        where l.route = p_route
    );
end
$$;

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid::regprocedure from pg_proc
        where
            pronamespace = 'engine'::regnamespace
            and proname in ('running_v1')
    loop
        execute format('revoke execute on function %s from public', v_function);
        execute format('grant execute on function %s to engine_run', v_function);
    end loop;
end
$$;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

create or replace function engine.headroom_v1(p_route int, p_limits engine.claim_limit[])
returns int
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text;
begin
    for v_key in
        select distinct l.key from unnest(p_limits) as l where l.route = p_route order by l.key
    loop
        perform pg_advisory_xact_lock(hashtextextended(v_key, 61));
    end loop;
    return (
        select greatest(0, min(l.at_once - (
            select count(*)
            from engine.task as t
            where
                t.state = 2 and t.counted
                and t.route = any(
                    array(select r.id from engine.route as r where r.model = l.key)
                    || array(select r.id from engine.route as r where 'queue:' || r.queue = l.key)
                )
        )))::int
        from unnest(p_limits) as l
        where l.route = p_route
    );
end
$$;

drop function if exists engine.running_v1;
-- squawk-ignore require-concurrent-index-deletion -- routes are few: the lock lasts a moment
drop index if exists engine.route_gates;
reset role;
