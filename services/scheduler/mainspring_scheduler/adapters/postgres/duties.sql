-- name: plant_duties
-- Makes the rows of this version's duties be there, with its periods, and due now.
-- repeatable
insert into scheduler.duty (name, period_ms, hold_ms)
select
    planted.name,
    planted.period_ms,
    planted.hold_ms
from unnest($1::text[], $2::int[], $3::int[]) as planted (name, period_ms, hold_ms)
-- In one order, so that replicas that start together wait for each other and never in a ring.
order by planted.name
on conflict (name) do update
    set period_ms = excluded.period_ms, hold_ms = excluded.hold_ms, due_at = now();

-- name: claim_due_duties
-- Takes what is due among the duties the caller knows, and tells when the next schedule is due.
-- A taken duty is due again on its own grid and not a hold from now: a tick that comes a moment
-- early would otherwise find nothing and double the period. The duty of schedules is due only while
-- a schedule is: two probes of one small index, and no statement of its own.
with soonest as (
    select
        (min(schedule.due_ms) - floor(extract(epoch from now()) * 1000))::bigint as due_in_ms
    from scheduler.schedule
    where schedule.due_ms is not null
),

due as (
    select duty.name
    from scheduler.duty
    where
        duty.name = any($1::text[]) and duty.due_at <= now()
        and (
            duty.name <> 'scheduler.schedules'
            or (select soonest.due_in_ms from soonest) <= 0
        )
    order by duty.name
    limit $2::int
    -- Skips what another replica takes at this moment: it is being served, and waiting for it
    -- would only make the replicas stand in line.
    for no key update skip locked
),

taken as (
    update scheduler.duty
    set
        taken_at = now(),
        due_at = duty.due_at + make_interval(
            secs => duty.hold_ms / 1000.0
            * (floor(extract(epoch from now() - duty.due_at) * 1000 / duty.hold_ms) + 1)::float8
        )
    from due
    where duty.name = due.name
    returning duty.name, duty.failures
)

select taken.name, taken.failures, soonest.due_in_ms
from soonest
left join taken on true;

-- name: settle_duty
-- Says when a duty comes next, and after how many failures in a row.
-- repeatable
update scheduler.duty
set due_at = now() + make_interval(secs => $2::int / 1000.0), failures = $3::int
where name = $1::text;
