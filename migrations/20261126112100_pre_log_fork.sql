-- migrate:up
-- A session that goes on from an event of another one: its head points there, its own events follow.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- Opens a fork behind the event p_seq of p_from, with its first events, which are chained here as
-- mainspring_schema.chain says. The head that is forked from is locked for share, so that it neither
-- moves nor closes meanwhile. Returns the last position; null where there is no such session or
-- event, and where the line of forks is as long as may be.
create function log.fork_v1(
    p_session uuid, p_org uuid, p_from uuid, p_seq bigint, p_turn_first bigint, p_now_ms bigint,
    p_types text[], p_turns uuid[], p_payloads bytea[]
) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from log.head;
    v_owner uuid;
    v_parent bytea;
    v_hash bytea;
    v_ts bigint;
    v_seq bigint := p_seq;
    v_type text;
    v_hashes bytea[] := '{}';
begin
    select h.* into v_from from log.head as h where h.session_id = p_from for share;
    if not found or v_from.org_id <> p_org or v_from.closed or v_from.last_seq < p_seq then
        return null;
    end if;
    -- The session that wrote the event itself: so a fork of a fork is no longer a line than it must be.
    select l.session_id, e.h into v_owner, v_parent
    from log.lineage_v1(p_from, p_org) as l
    inner join log.event as e on l.session_id = e.session_id and e.seq = p_seq
    where
        l.floor < p_seq and p_seq <= l.ceiling
        -- With the fork it is one longer, and lineage_v1 reads 64.
        and (select max(m.depth) from log.lineage_v1(p_from, p_org) as m) - l.depth < 63;
    if not found then
        return null;
    end if;
    v_hash := v_parent;
    v_ts := greatest(v_from.ts_ms, p_now_ms);
    for i in 1 .. cardinality(p_types) loop
        v_seq := v_seq + 1;
        v_type := p_types[i];
        v_hash := sha256(
            v_hash || uuid_send(p_session) || int8send(v_seq)
            || int8send(octet_length(v_type)) || convert_to(v_type, 'UTF8')
            || int8send(v_ts) || sha256(p_payloads[i])
        );
        v_hashes := v_hashes || v_hash;
    end loop;
    insert into log.head (
        session_id, org_id, last_seq, hash, ts_ms, status, turn_first_seq, parent, parent_seq,
        parent_hash, epoch
    )
    select p_session, p_org, v_seq, v_hash, v_ts, 3, p_turn_first, v_owner, p_seq, v_parent, s.epoch
    from log.store as s;
    insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, h)
    select p_session, p_seq + e.item, e.type, v_ts, e.turn_id, e.payload, e.h
    from unnest(p_types, p_turns, p_payloads, v_hashes) with ordinality
        as e (type, turn_id, payload, h, item);
    return v_seq;
end
$$;
revoke execute on function log.fork_v1 from public;
grant execute on function log.fork_v1 to api_owner, api_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.fork_v1;
