-- name: session_by_id
-- A session whose deletion has not begun.
select
    org_id, id, workspace_id, harness_id, agent_id, title, locale, tier, rev, created_ms,
    updated_ms, pinned, forked_from, forked_seq
from api.session
where id = $1 and deleting_ms is null;

-- name: lock_session_by_id
-- The same, kept from others until the transaction ends.
select
    org_id, id, workspace_id, harness_id, agent_id, title, locale, tier, rev, created_ms,
    updated_ms, pinned, forked_from, forked_seq
from api.session
where id = $1 and deleting_ms is null
for no key update;

-- name: list_sessions
-- A page of sessions that hold all words of a search, newest first.
select
    org_id, id, workspace_id, harness_id, agent_id, title, locale, tier, rev, created_ms,
    updated_ms, pinned, forked_from, forked_seq
from api.session
where
    deleting_ms is null
    and ($2::uuid is null or agent_id = $2)
    and not exists (
        select from unnest($1::text[]) as w (word)
        where position(lower(upper(w.word)) in lower(upper(coalesce(title, '')))) = 0
    )
order by created_ms desc, id desc
limit $4 offset $3;

-- name: count_sessions
-- How many sessions the same search finds.
select count(*)
from api.session
where
    deleting_ms is null
    and ($2::uuid is null or agent_id = $2)
    and not exists (
        select from unnest($1::text[]) as w (word)
        where position(lower(upper(w.word)) in lower(upper(coalesce(title, '')))) = 0
    );

-- name: put_session
-- Inserts a session or replaces what may change of it.
insert into api.session (
    org_id, id, workspace_id, harness_id, agent_id, title, locale, tier, rev, created_ms,
    updated_ms, pinned, forked_from, forked_seq
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (org_id, id) do update set
    title = excluded.title, locale = excluded.locale, tier = excluded.tier, rev = excluded.rev,
    updated_ms = excluded.updated_ms, pinned = excluded.pinned;

-- name: begin_delete
-- Hides a session from readers; an earlier beginning stands.
-- The database dates it, so that any replica knows when it is overdue.
update api.session
set deleting_ms = coalesce(deleting_ms, floor(extract(epoch from now()) * 1000)::bigint)
where id = $1;

-- name: put_off_delete
-- A deletion that cannot be finished yet goes behind the others that are unfinished.
update api.session
set deleting_ms = floor(extract(epoch from now()) * 1000)::bigint
where id = $1 and deleting_ms is not null;

-- name: forks_of
-- Forks that read files or records of a session where they lie.
select f.workspace_id as id from api.workspace_fork as f where f.parent_id = $1
union
select r.owner_id from api.record_fork as r where r.parent_id = $1
order by id
limit $2;

-- name: finish_delete
-- Removes a session with the files of its own workspace.
with gone as (
    delete from api.session where id = $1 and deleting_ms is not null
    returning id
)

select api.drop_files(gone.id) from gone;

-- name: open_log
-- Makes a session's log with its first event, by the log owner's granted function; or says when it
-- is, where the event's time is too far from that.
select log.open_v2($1, $2, $3, $4, $5, $6, $7) as now_ms;

-- name: fork_log
-- Makes a session's log behind an event of another one's, by the log owner's granted function.
-- A time that is far from the database's own is not taken: an api's clock may be wrong.
with clock as (select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms),

dated as (
    select case when abs($6::bigint - c.now_ms) > $10::bigint then c.now_ms else $6 end as at_ms
    from clock as c
)

select log.fork_v1($1, $2, $3, $4, $5, d.at_ms, $7::text[], $8::uuid[], $9::bytea[]) as last_seq
from dated as d;

-- name: held
-- Whose task this is, kept from changing hands meanwhile; no row for a lost one.
select session_id, org_id from engine.hold_v1($1::uuid, $2::int);

-- name: unfinished_deletes
-- Deletions of an age that have not ended, over all organizations.
-- repeatable
select u.org_id, u.session_id
from
    api.unfinished_deletes(
        floor(extract(epoch from now()) * 1000)::bigint + 1 - $1::bigint, $2::int
    ) as u;
