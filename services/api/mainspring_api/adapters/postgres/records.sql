-- name: record_by_id
-- A record of a kind by its id.
select data from api.record where kind = $1 and id = $2;

-- name: lock_record_by_id
-- The same, kept from others until the transaction ends.
select data from api.record where kind = $1 and id = $2
for no key update;

-- name: record_by_key
-- The record of an owner that bears a key.
select data from api.record where kind = $1 and owner_id = $2 and key = $3 and key <> '';

-- name: list_records
-- A page of an owner's records of one kind, newest first.
select data
from api.record
where kind = $1 and owner_id = $2
order by created_ms desc, id desc
limit $4 offset $3;

-- name: list_records_of_kind
-- The records of one kind behind an id, by id, whoever owns them; the primary key finds them.
select data
from api.record
where kind = $1 and id > $2
order by id
limit $3;

-- name: count_records
-- How many records of one kind an owner has.
select count(*) from api.record where kind = $1 and owner_id = $2;

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
-- Removes all records of an owner.
delete from api.record where owner_id = $1;
