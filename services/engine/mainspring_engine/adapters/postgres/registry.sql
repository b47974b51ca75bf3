-- name: register
-- What an attached worker can take, and where it is attached; whether an operator drains it.
-- Who registers is there: the replica has a row even before its first beat, which keeps it young.
-- repeatable
with known as (
    insert into engine.replica (id, started_at, seen_at)
    values ($3, clock_timestamp(), clock_timestamp())
    on conflict (id) do nothing
)

update engine.worker
set
    replica = $3, queues = $4, capabilities = $5, slots = $6,
    leaving = false, silent_at = null, left_at = null
where incarnation = $1 and attach_number = $2
returning drained_at is not null as drained;

-- name: try_misfits
-- Tasks that rest because no code fitted what is recorded are ready, of kinds that a newcomer does.
with delayed as materialized (
    select t.id, t.fence, t.route
    from engine.task as t
    where t.state = 3
    order by t.run_at desc
    limit $3
),

misfit as materialized (
    select d.id
    from delayed as d
    inner join engine.route as r on d.route = r.id
    inner join engine.attempt as a on d.id = a.task_id and d.fence = a.fence
    where
        r.queue = any($1::text[]) and r.capability = any($2::text[])
        and a.error_code = 'version_conflict'
),

locked as materialized (
    -- Skips what a commit or a sweep holds: that decides, and it comes due by itself.
    select t.id
    from engine.task as t
    where t.id = any(array(select m.id from misfit as m)) and t.state = 3 and not t.cancelling
    order by t.id
    limit $3
    for no key update skip locked
)

update engine.task as t
-- A suspect is only due: it waits for its turn.
set
    state = case when t.deaths >= 2 then 3 else 1 end, rev = t.rev + 1,
    run_at = case when t.deaths >= 2 then clock_timestamp() else t.run_at end
where t.id = any(array(select l.id from locked as l));

-- name: tell
-- What became of streams since; those of older attaches are passed over.
-- repeatable
update engine.worker as w
set
    leaving = p.leaving,
    silent_at = case when p.silent then coalesce(w.silent_at, clock_timestamp()) end,
    left_at = case when not p.attached then coalesce(w.left_at, clock_timestamp()) end
from
    unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::boolean[], $5::boolean[])
        as p (incarnation, attach_number, attached, silent, leaving)
where w.incarnation = p.incarnation and w.attach_number = p.attach_number;

-- name: beat
-- Stamps the replica and reads which of its workers are drained, in one statement.
-- repeatable
with stamped as (
    insert into engine.replica (id, started_at, seen_at)
    values ($1, clock_timestamp(), clock_timestamp())
    on conflict (id) do update set seen_at = excluded.seen_at
)

select w.incarnation
from engine.worker as w
where w.replica = $1 and w.drained_at is not null and w.left_at is null;

-- name: unknown
-- Of these attaches the ones that no row knows: no claim finds their workers.
-- repeatable
select a.incarnation
from unnest($1::uuid[], $2::bigint[]) as a (incarnation, attach_number)
where not exists (
    select from engine.worker as w
    where w.incarnation = a.incarnation and w.attach_number >= a.attach_number
);

-- name: drain
-- Holds tasks back from a worker, or takes that back.
-- repeatable
update engine.worker
set drained_at = case when $2 then coalesce(drained_at, clock_timestamp()) end
where incarnation = $1;

-- name: workers
-- Workers, newest first. A stream counts while its replica beats: $5 is the bound in ms.
-- repeatable
with seen as (
    select
        w.*,
        case
            when w.left_at is not null or r.id is null then 'stopped'
            when r.seen_at < clock_timestamp() - $5::bigint * interval '1 millisecond'
                then 'stopped'
            when w.silent_at is not null then 'silent'
            when w.leaving or w.drained_at is not null then 'draining'
            else 'active'
        end as status
    from engine.worker as w
    left join engine.replica as r on w.replica = r.id
    where
        ($1::uuid[] is null or w.incarnation = any($1))
        and ($2::uuid is null or w.incarnation < $2)
        and ($3::text is null or $3 = any(w.queues))
)

select
    s.incarnation as id, s.name, s.build, s.status, s.queues, s.capabilities, s.slots,
    (
        select count(*) from engine.task as t
        where t.state = 2 and t.incarnation = s.incarnation
    )::int as held,
    (extract(epoch from s.attached_at) * 1000)::bigint as attached_ms,
    (extract(epoch from s.silent_at) * 1000)::bigint as silent_ms,
    (extract(epoch from s.drained_at) * 1000)::bigint as drained_ms,
    (extract(epoch from s.left_at) * 1000)::bigint as left_ms,
    s.leaving
from seen as s
where
    case
        when $1 is not null then true
        when $4::text is null then s.status <> 'stopped'
        else s.status = $4
    end
order by s.incarnation desc
limit $6;

-- name: forget
-- Removes workers that stopped $1 ms ago and hold nothing, and replicas not heard of as long.
with bound as (
    select clock_timestamp() - $1::bigint * interval '1 millisecond' as at
),

gone as materialized (
    -- Skips rows that an attach has in hand: they are in use again.
    select w.incarnation
    from engine.worker as w
    cross join bound as b
    left join engine.replica as r on w.replica = r.id
    where
        w.attached_at < b.at
        and (w.left_at < b.at or r.id is null or r.seen_at < b.at)
        and not exists (
            select from engine.task as t
            where t.state = 2 and t.incarnation = w.incarnation
        )
    order by w.incarnation
    limit $2
    for update of w skip locked
),

forgotten as (
    delete from engine.worker as w
    using gone as g
    where w.incarnation = g.incarnation
    returning w.incarnation
),

dead as (
    delete from engine.replica as r
    using bound as b
    where r.seen_at < b.at
    returning r.id
)

select
    (select count(*) from forgotten)
    + (select count(*) from dead) as removed;

-- name: replicas_of
-- Replicas heard of within $3 ms to which an active worker of this queue and capability holds a
-- stream.
-- repeatable
select r.id
from engine.replica as r
where
    r.seen_at >= clock_timestamp() - $3::bigint * interval '1 millisecond'
    and exists (
        select from engine.worker as w
        where
            w.replica = r.id and w.left_at is null and w.silent_at is null
            and w.drained_at is null and not w.leaving
            and $1 = any(w.queues) and $2 = any(w.capabilities)
            and $5::text in ('', w.build)
    )
order by r.seen_at desc, r.id asc
limit $4;

-- name: shares
-- How many streams each replica holds that was heard of within $1 ms.
-- repeatable
select r.id, count(w.incarnation)::int as streams
from engine.replica as r
left join engine.worker as w on r.id = w.replica and w.left_at is null
where r.seen_at >= clock_timestamp() - $1::bigint * interval '1 millisecond'
group by r.id;

-- name: announce
-- What a worker says of its tools. One that started earlier does not take back what a younger one
-- said: while a deployment is under way both attach again whenever they please.
-- repeatable
insert into engine.toolset (name, incarnation, announced_at, body)
values ($1, $2, clock_timestamp(), $3)
on conflict (name) do update
    set
        incarnation = excluded.incarnation,
        announced_at = excluded.announced_at,
        body = excluded.body
    where engine.toolset.incarnation < excluded.incarnation;

-- name: toolsets
-- Announced tools by the names of their sets; without names all.
-- repeatable
select body
from engine.toolset
where cardinality($1::text[]) = 0 or name = any($1)
order by name collate "C"
limit $2;
