-- migrate:up
-- Which rows make a session's log: its own, and of its parents the prefix up to where it forked.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role log_owner;

-- The segments, the session's own first: events with floor < seq <= ceiling. No organization means
-- any. Plain SQL without settings of its own, so that the planner folds it into the caller's query.
create function log.lineage_v1(p_session uuid, p_org uuid)
returns table (
    session_id uuid, floor bigint, ceiling bigint, parent_hash bytea, own boolean, depth int
)
language sql stable
as $$
    with recursive lineage as (
        select
            h.session_id,
            h.parent,
            coalesce(h.parent_seq, 0) as floor,
            h.last_seq as ceiling,
            coalesce(h.parent_hash, '') as parent_hash,
            1 as depth
        from log.head as h
        where h.session_id = p_session and (p_org is null or h.org_id = p_org)
        union all
        select
            p.session_id,
            p.parent,
            coalesce(p.parent_seq, 0),
            least(l.floor, l.ceiling),
            coalesce(p.parent_hash, ''),
            l.depth + 1
        from lineage as l
        inner join log.head as p on l.parent = p.session_id
        where l.depth < 64
    )

    select l.session_id, l.floor, l.ceiling, l.parent_hash, l.depth = 1, l.depth from lineage as l
$$;

revoke execute on function log.lineage_v1(uuid, uuid) from public;
grant execute on function log.lineage_v1(uuid, uuid) to log_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

drop function if exists log.lineage_v1(uuid, uuid);
