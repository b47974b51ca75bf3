-- name: record_by_id
-- A record of a kind by its id.
select id, owner_id, data from api.record where kind = $1 and id = $2;

-- name: records_by_id
-- The records of a kind that bear one of these ids.
select id, owner_id, data from api.record where kind = $1 and id = any($2::uuid[]);

-- name: lock_record_by_id
-- The same, kept from others until the transaction ends.
select id, owner_id, data from api.record where kind = $1 and id = $2
for no key update;

-- name: record_by_key
-- The record of an owner that bears a key.
select id, owner_id, data
from api.record
where kind = $1 and owner_id = $2 and key = $3 and key <> '';

-- name: inherited_by_key
-- The same, also where a fork has it from the owner that it was forked from.
select id, owner_id, data
from api.record
where kind = $1 and owner_id = $2 and key = $3 and key <> ''
union all
select id, owner_id, data
from api.inherited_records($1, $2)
where key = $3 and key <> '';

-- name: list_records
-- A page of an owner's records of one kind, newest first.
select id, owner_id, data
from api.record
where kind = $1 and owner_id = $2
order by created_ms desc, id desc
limit $4 offset $3;

-- name: list_records_before
-- The records of an owner that are older than one, newest first.
select id, owner_id, data
from api.record
where kind = $1 and owner_id = $2 and (created_ms, id) < ($3::bigint, $4::uuid)
order by created_ms desc, id desc
limit $5;

-- name: list_inherited
-- The same, with what a fork has from the owner that it was forked from.
select r.id, r.owner_id, r.data
from (
    select id, owner_id, data, created_ms
    from api.record
    where kind = $1 and owner_id = $2
    union all
    select id, owner_id, data, created_ms from api.inherited_records($1, $2)
) as r
order by r.created_ms desc, r.id desc
limit $4 offset $3;

-- name: list_records_of_kind
-- The records of one kind behind an id, by id, whoever owns them; the primary key finds them.
select id, owner_id, data
from api.record
where kind = $1 and id > $2
order by id
limit $3;

-- name: count_records
-- How many records of one kind an owner has.
select count(*) from api.record where kind = $1 and owner_id = $2;

-- name: count_inherited
-- The same, with what a fork has from the owner that it was forked from.
select (
    (select count(*) from api.record where kind = $1 and owner_id = $2)
    + (select count(*) from api.inherited_records($1, $2))
);

-- name: fork_records
-- An owner that begins with what another one had at a time; without one with what it has now.
insert into api.record_fork (org_id, owner_id, parent_id, as_of_ms)
values ($1, $2, $3, coalesce($4, (extract(epoch from clock_timestamp()) * 1000)::bigint + 1));

-- name: own_records
-- Makes a fork's records its own: before one of them is written.
select api.own_records($1);

-- name: forget_record_past
-- Removes records as they were long ago, of all organizations.
select api.forget_record_past($1::bigint, $2::int);

-- name: put_record
-- Inserts a record or replaces it by id.
insert into api.record (org_id, kind, id, owner_id, key, data, created_ms, updated_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (org_id, kind, id) do update set
    key = excluded.key, data = excluded.data, updated_ms = excluded.updated_ms;

-- name: drop_record
-- Removes a record.
delete from api.record where kind = $1 and id = $2;

-- name: drop_owned
-- Removes all records of an owner, once its forks have their own.
select api.drop_records($1);
