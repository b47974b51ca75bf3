-- name: workspace_by_id
-- A workspace that has a row of its own.
select org_id, id, name, description, status, created_ms, updated_ms, archived_ms
from api.workspace
where id = $1 and status <> 'deleted';

-- name: workspace_by_name
-- The active workspace that bears a name.
select org_id, id, name, description, status, created_ms, updated_ms, archived_ms
from api.workspace
where name = $1 and status = 'active';

-- name: list_workspaces
-- Workspaces that hold all words of a search, newest first.
select org_id, id, name, description, status, created_ms, updated_ms, archived_ms
from api.workspace
where
    (status = 'active' or ($2::boolean and status = 'archived'))
    and not exists (
        select from unnest($1::text[]) as w (word)
        where position(
            lower(upper(w.word)) in lower(upper(concat_ws(chr(10), name, description)))
        ) = 0
    )
order by created_ms desc, id desc
limit $3;

-- name: put_workspace
-- Inserts a workspace or replaces it by id.
insert into api.workspace (
    org_id, id, name, description, status, created_ms, updated_ms, archived_ms
) values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (org_id, id) do update set
    name = excluded.name, description = excluded.description, status = excluded.status,
    updated_ms = excluded.updated_ms, archived_ms = excluded.archived_ms;

-- name: list_files
-- All files of a workspace, without their content.
select
    org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes,
    null::bytea as content, created_ms, updated_ms
from api.file
where workspace_id = $1
union all
select
    org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
    updated_ms
from api.inherited($1, null);

-- name: file_by_path
-- One file with its content.
select
    org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
    updated_ms
from api.file
where workspace_id = $1 and path = $2
union all
select
    org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
    updated_ms
from api.inherited($1, array[$2::text]);

-- name: files_by_path
-- Several files with their content.
select
    org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
    updated_ms
from api.file
where workspace_id = $1 and path = any($2::text[])
union all
select
    org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
    updated_ms
from api.inherited($1, $2::text[]);

-- name: lock_files
-- Keeps others from writing files of a workspace until the transaction ends; readers go on.
-- Rows cannot do it: where nothing is yet there is none to lock, and those that are written are
-- locked in the order in which they are written. Whoever writes comes here before its first read,
-- so that no other one's write lies between what it read and what it writes. The order is: task,
-- request key, session, then this, and workspaces by their ids; nothing is asked of others inside.
select pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2::uuid::text, 62));

-- name: move_file
-- Gives a file another path; nothing may be there.
update api.file set path = $3, updated_ms = $4
where workspace_id = $1 and path = $2;

-- name: copy_file
-- The same content at another path, with an id of its own; nothing may be there.
insert into api.file (
    org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
    updated_ms, changed_ms
)
select
    org_id,
    workspace_id,
    $3 as path,
    $4::uuid as id,
    is_directory,
    false as is_readonly,
    size_bytes,
    content,
    $5 as created_ms,
    $5 as updated_ms,
    $5 as changed_ms
from api.file
where workspace_id = $1 and path = $2;

-- name: size_bytes
-- What all files of a workspace hold together.
select coalesce(sum(f.size_bytes), 0)::bigint
from (
    select size_bytes from api.file where workspace_id = $1
    union all
    select size_bytes from api.inherited($1, null)
) as f;

-- name: own_files
-- Makes a fork's files its own: before anything is written in a workspace.
select api.own_files($1);

-- name: fork_workspace
-- A workspace that begins as another one was at a time; without one as it is now.
insert into api.workspace_fork (org_id, workspace_id, parent_id, as_of_ms)
values ($1, $2, $3, coalesce($4, (extract(epoch from clock_timestamp()) * 1000)::bigint + 1));

-- name: forget_file_past
-- Removes files as they were long ago, of all organizations.
select api.forget_file_past($1::bigint, $2::int);

-- name: put_file
-- Inserts a file or replaces it by path.
insert into api.file (
    org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
    updated_ms, changed_ms
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
on conflict (org_id, workspace_id, path) do update set
    is_directory = excluded.is_directory, is_readonly = excluded.is_readonly,
    size_bytes = excluded.size_bytes, content = excluded.content,
    updated_ms = excluded.updated_ms;

-- name: remove_files
-- Removes files by path.
delete from api.file where workspace_id = $1 and path = any($2::text[]);

-- name: claim_key
-- Takes a request's key; waits for another transaction that has it, and then takes nothing.
-- The database dates it: clocks of replicas differ, and two must not have it at once.
insert into api.request_key (org_id, route, key, body_hash, claimed_ms, body)
values (
    $1, $2, $3, $4,
    floor(extract(epoch from clock_timestamp()) * 1000)::bigint - $5::bigint,
    $6
)
on conflict (org_id, route, key) do nothing;

-- name: kept_answer
-- What is kept under a key, and for how long.
select
    body_hash, status, body,
    floor(extract(epoch from clock_timestamp()) * 1000)::bigint - claimed_ms as age_ms
from api.request_key
where route = $1 and key = $2;

-- name: keep_answer
-- Keeps the answer of the request that holds the key.
update api.request_key set status = $3, body = $4
where route = $1 and key = $2;

-- name: drop_key
-- Gives a key back after its request failed.
delete from api.request_key where route = $1 and key = $2;

-- name: forget_keys
-- Removes keys of an age, of all organizations.
select api.forget_keys(floor(extract(epoch from now()) * 1000)::bigint - $1::bigint, $2::int);
