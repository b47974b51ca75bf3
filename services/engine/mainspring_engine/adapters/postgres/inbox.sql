-- name: delivery
-- A message by its id, and its place among those that wait.
-- repeatable
select
    i.message_id, i.seq, i.ts_ms, i.controls, i.workflow_id,
    (
        select count(*)
        from engine.inbox as w
        where
            w.session_id = i.session_id and w.workflow_id is null
            and coalesce(w.place, w.seq) <= coalesce(i.place, i.seq)
    ) as place
from engine.inbox as i
where i.session_id = $2 and i.message_id = $3 and i.org_id = $1;

-- name: known
-- An accepted message by its id or by its idempotency key.
-- repeatable
select i.message_id, i.body_hash, i.seq, i.ts_ms, i.turn_id
from engine.inbox as i
where i.session_id = $1 and i.message_id = $2
union all
select i.message_id, d.body_hash, i.seq, i.ts_ms, i.turn_id
from engine.idempotency as d
inner join engine.inbox as i on d.session_id = i.session_id and d.message_id = i.message_id
where d.session_id = $1 and d.key = $3
order by seq
limit 1;

-- name: waiting
-- The messages that wait in a session, in the order of their places.
-- repeatable
select
    i.message_id, i.seq, i.ts_ms, i.controls, i.workflow_id,
    row_number() over (order by coalesce(i.place, i.seq)) as place
from engine.inbox as i
where i.session_id = $2 and i.org_id = $1 and i.workflow_id is null
order by coalesce(i.place, i.seq);

-- name: commit_arranged
-- One item as commit_budgeted writes it, with the places of waiting messages, and with signals; not
-- repeatable.
with written as materialized (
    select
        now_ms, verdicts, deltas_before, closes, marks, emits, unclaimed, known, heads, workflows,
        inbox
    from engine.commit_budgeted_v1(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21
    )
),

placed as (
    select engine.place_inbox_v1($22, $23, $24) + engine.tell_v1($25, $26) as places
    from written
    where written.verdicts[1] = 1
)

select
    w.now_ms, w.verdicts, w.deltas_before, w.closes, w.marks, w.emits, w.unclaimed, w.known,
    w.heads, w.workflows, w.inbox, (select sum(p.places) from placed as p) as places
from written as w;
