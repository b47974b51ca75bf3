-- name: linked_children_end_with_their_parent
-- No workflow that another one waits for goes on a minute after that one has ended: the cancel, its
-- deadline of 10 s, and a sweep for a hint that was lost lie in it.
with started as (
    select
        e.turn_id as parent,
        replace(convert_from(e.payload, 'UTF8'), '\u0000', '\u0001')::jsonb -> 'data' as told
    from log.event as e
    where e.type = 'workflow.child_started'
),

examined as (
    select
        s.told ->> 'workflow_id' as child,
        p.outcome = 0
        or coalesce(c.outcome, 1) <> 0
        or h.ts_ms > extract(epoch from now()) * 1000 - 60000 as holds
    from started as s
    inner join engine.workflow as p on s.parent = p.id
    inner join log.head as h on p.session_id = h.session_id
    left join engine.workflow as c on substr(s.told ->> 'workflow_id', 10)::uuid = c.id
    where not (s.told ->> 'detached')::boolean
)

select
    count(*) as examined,
    coalesce((array_agg(child order by child) filter (where not holds))[1:20], '{}') as violating
from examined;

-- name: signals_between_sessions_are_taken
-- A start, an end or a cancel between parent and child is taken once; none lies longer than a
-- minute while engines are at work, unless it was given up after 20 tries, or its session was
-- deleted and takes nothing any more.
with examined as materialized (
    select
        s.session_id,
        s.consumed_by is not null
        or s.created_at > now() - interval '1 minute'
        or s.tries > 20
        or exists (
            select from log.head as h
            where h.session_id = s.session_id and h.closed
        ) as holds
    from engine.signal as s
    where s.kind in ('child:start', 'child:ended', 'child:cancel')
)

select
    count(*) as examined,
    coalesce(
        (array_agg(session_id::text order by session_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;
