-- migrate:up
-- A pass over deltas says whether there are more behind it, so that passes keep pace with turns.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- Deletes deltas of turns that ended p_keep_ms ago, of p_turns turns and p_rows rows at most, behind
-- where the pass before stood; `more`: it reached a bound.
create function log.drop_deltas_v2(p_keep_ms bigint, p_turns int, p_rows int)
returns table (dropped bigint, more boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_after uuid;
    v_until bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint - p_keep_ms;
    v_turns uuid[];
    v_over uuid[];
    v_dropped bigint;
    v_full boolean;
begin
    -- Skips the row while another sweep holds it: that one does the work.
    select s.swept_turn into v_after from log.store as s
    order by s.only_row limit 1 for update skip locked;
    if not found then
        return query select 0::bigint, false;
        return;
    end if;
    with recursive turns as (
        (
            select d.turn_id, d.session_id, d.seq, 1 as i
            from log.delta as d
            where d.turn_id > v_after and d.turn_id < log.uuid_at_ms(v_until)
            order by d.turn_id, d.session_id, d.seq
            limit 1
        )
        union all
        select x.turn_id, x.session_id, x.seq, t.i + 1
        from turns as t
        cross join lateral (
            select d.turn_id, d.session_id, d.seq
            from log.delta as d
            where d.turn_id > t.turn_id and d.turn_id < log.uuid_at_ms(v_until)
            order by d.turn_id, d.session_id, d.seq
            limit 1
        ) as x
        where t.i < p_turns
    )

    select
        array_agg(t.turn_id order by t.turn_id),
        array_agg(t.turn_id) filter (where exists (
            select from log.event as e
            where e.session_id = t.session_id and e.seq > t.seq and e.turn_id = t.turn_id
                and e.type in ('turn.completed', 'turn.failed', 'turn.cancelled', 'turn.sealed')
                and e.ts_ms <= v_until
        ))
    into v_turns, v_over
    from turns as t;

    delete from log.delta as d
    where (d.turn_id, d.session_id, d.seq, d.n) in (
        select x.turn_id, x.session_id, x.seq, x.n
        from log.delta as x
        where x.turn_id = any(v_over)
        limit p_rows
    );
    get diagnostics v_dropped = row_count;
    v_full := coalesce(cardinality(v_turns) = p_turns, false);
    if v_dropped < p_rows then
        update log.store
        set swept_turn = case
            when v_full then v_turns[p_turns]
            else '00000000-0000-0000-0000-000000000000'
        end;
    end if;
    return query select v_dropped, v_full or v_dropped >= p_rows;
end
$$;
revoke execute on function log.drop_deltas_v2 from public;
grant execute on function log.drop_deltas_v2 to log_run;

reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

drop function if exists log.drop_deltas_v2;

reset role;
