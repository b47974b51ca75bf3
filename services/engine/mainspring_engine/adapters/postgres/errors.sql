-- name: keep_errors
-- What is told of attempts that failed, where they closed with that result. A repeat adds none.
insert into engine.attempt_error (task_id, fence, message)
select a.task_id, a.fence, told.message
from unnest($1::uuid[], $2::int[], $3::bytea[], $4::text[]) as told (task_id, fence, hash, message)
inner join engine.attempt as a
    on told.task_id = a.task_id and told.fence = a.fence and told.hash = a.result_hash
where a.task_id = any($1::uuid[])
on conflict do nothing;
