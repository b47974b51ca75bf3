-- migrate:up
-- Budgets that renew, and budgets of users. A period is of fixed seconds from the budget's making,
-- of seconds from the first use after the last one, or of the calendar in UTC. Whoever holds the
-- budget's row lock renews it by this clock before anything else; readers see it renewed already.
set local lock_timeout = '4s';
set local statement_timeout = '30s';
set local role engine_owner;

alter table engine.budget
-- 1 fixed, 2 rolling, 3 calendar; null never renews
add column if not exists period_kind smallint,
-- of fixed and of rolling ones
add column if not exists period_seconds bigint,
-- of the calendar; of a rolling one its length as it was written
add column if not exists period_text text,
add column if not exists period_started_at timestamptz,
add column if not exists renews_at timestamptz,
add constraint budget_period_check
check (
    case
        when period_kind is null then num_nulls(renews_at, period_started_at) = 2
        else renews_at > period_started_at and num_nulls(renews_at, period_started_at) = 0
    end
) not valid,
-- squawk-ignore ban-drop-constraint
drop constraint if exists budget_subject_type_check,
add constraint budget_subject_type_check
check (subject_type in ('session', 'agent', 'organization', 'user')) not valid;

-- The period that p_now lies in, of one that began at p_started or later.
create function engine.budget_period(
    p_kind smallint, p_seconds bigint, p_text text, p_started timestamptz, p_now timestamptz,
    out started timestamptz, out renews timestamptz
)
language sql stable
begin atomic
    select
        b.started,
        case
            when p_kind = 3
                then
                    (b.started at time zone 'UTC' + ('1 ' || p_text)::interval) at time zone 'UTC'
            else b.started + make_interval(secs => p_seconds)
        end
    from (
        select
            case p_kind
                when 3 then date_trunc(p_text, p_now, 'UTC')
                when 2 then p_now
                else
                    p_started
                    + make_interval(
                        secs => floor(extract(epoch from p_now - p_started) / p_seconds)
                        * p_seconds
                    )
            end as started
    ) as b;
end;

-- Budgets as they are at this moment, whether or not anybody has renewed them yet.
create view engine.budget_present as
select
    b.id,
    b.org_id,
    b.subject_type,
    b.subject_id,
    b.currency,
    b.allowed,
    b.soft,
    case when p.renews is null then b.balance else b.allowed end as balance,
    b.reserved,
    b.status,
    b.warned and p.renews is null as warned,
    b.metadata,
    b.period_kind,
    b.period_seconds,
    b.period_text,
    coalesce(p.started, b.period_started_at) as period_started_at,
    coalesce(p.renews, b.renews_at) as renews_at,
    b.created_at,
    b.updated_at
from engine.budget as b
left join lateral
    engine.budget_period(
        b.period_kind, b.period_seconds, b.period_text, b.period_started_at, clock_timestamp()
    ) as p
    on b.renews_at <= clock_timestamp()
where not b.deleted;

-- Whoever calls it holds the locks of these. A budget that is due has its limit again, no more and
-- no less; what is held of it stays held, and is charged when it ends.
create function engine.renew_budgets(p_ids uuid[]) returns void
language sql
begin atomic
    with due as (
        select b.id, b.allowed - b.balance as amount, p.started, p.renews
        from engine.budget as b
        cross join lateral
            engine.budget_period(
                b.period_kind, b.period_seconds, b.period_text, b.period_started_at,
                clock_timestamp()
            ) as p
        where b.id = any(p_ids) and b.renews_at <= clock_timestamp()
    ),

    told as (
        insert into engine.budget_entry (id, budget_id, amount, source)
        select gen_random_uuid(), d.id, d.amount, 'renewal'
        from due as d
        where d.amount <> 0
    )

    update engine.budget as b
    set
        balance = b.balance + d.amount,
        warned = false,
        period_started_at = d.started,
        renews_at = d.renews,
        updated_at = clock_timestamp()
    from due as d
    where b.id = d.id;
end;

-- As before; a budget whose period is over is renewed under the lock that is taken anyway.
create or replace function engine.commit_budgeted_v1(
    p_lease_ms bigint,
    p_drift_ms bigint,
    p_items engine.commit_item[],
    p_events engine.commit_event[],
    p_anchors engine.commit_anchor[],
    p_workflows engine.commit_workflow[],
    p_closes engine.commit_close[],
    p_marks engine.commit_mark[],
    p_emits engine.commit_emit[],
    p_results engine.commit_result[],
    p_tasks engine.commit_task[],
    p_accepts engine.commit_accept[],
    p_consumes engine.commit_consume[],
    p_timers engine.commit_timer[],
    p_dropped engine.commit_drop[],
    p_dead_letters engine.commit_dead_letter[],
    p_configs engine.commit_config[],
    p_asks engine.budget_ask[],
    p_ended uuid[],
    p_charges engine.budget_charge[],
    p_paused boolean,
    out now_ms bigint,
    out verdicts smallint[],
    out deltas_before int[],
    out closes engine.close_answer[],
    out marks smallint[],
    out emits smallint[],
    out unclaimed uuid[],
    out known engine.known_message[],
    out heads engine.head_view[],
    out workflows engine.workflow_view[],
    out inbox engine.inbox_view[]
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_session uuid := p_items[1].session_id;
    v_due uuid[];
begin
    select
        c.now_ms, c.verdicts, c.deltas_before, c.closes, c.marks, c.emits, c.unclaimed, c.known,
        c.heads, c.workflows, c.inbox
    into
        now_ms, verdicts, deltas_before, closes, marks, emits, unclaimed, known,
        heads, workflows, inbox
    from engine.commit_v1(
        p_lease_ms, p_drift_ms, p_items, p_events, p_anchors, p_workflows, p_closes, p_marks,
        p_emits, p_results, p_tasks, p_accepts, p_consumes, p_timers, p_dropped, p_dead_letters,
        p_configs
    ) as c;
    if verdicts[1] <> 1 then
        return;
    end if;
    perform log.pause_v1(array[v_session], p_paused);
    with locked as materialized (
        select b.id, b.renews_at
        from engine.budget as b
        where b.id in (
            select h.budget_id from engine.budget_hold as h where h.task_id = any(p_ended)
            union all
            select a.budget_id from unnest(p_asks) as a
        )
        order by b.id
        for no key update
    )

    select array_agg(l.id) into v_due from locked as l where l.renews_at <= clock_timestamp();
    if v_due is not null then
        perform engine.renew_budgets(v_due);
    end if;
    perform engine.settle_budgets(p_ended, p_charges);
    if cardinality(p_asks) > 0 then
        perform engine.hold_budgets(v_session, p_asks);
    end if;
end
$$;

-- As create_budget_v1 makes one, with a period; null where it never renews.
create function engine.create_budget_v2(
    p_org uuid, p_id uuid, p_entry uuid, p_subject_type text, p_subject_id uuid, p_currency text,
    p_allowed bigint, p_soft bigint, p_metadata bytea, p_period_kind smallint,
    p_period_seconds bigint, p_period_text text
) returns uuid
language sql security definer
set search_path = pg_catalog, pg_temp
begin atomic
    insert into engine.budget (
        id, org_id, subject_type, subject_id, currency, allowed, soft, balance, metadata,
        period_kind, period_seconds, period_text, period_started_at, renews_at
    )
    select
        p_id, p_org, p_subject_type, p_subject_id, p_currency, p_allowed, p_soft, p_allowed,
        p_metadata, p_period_kind, p_period_seconds, p_period_text, p.started, p.renews
    from (select clock_timestamp() as at) as n
    left join lateral
        engine.budget_period(p_period_kind, p_period_seconds, p_period_text, n.at, n.at) as p
        on p_period_kind is not null;
    insert into engine.budget_entry (id, budget_id, amount, source)
    values (p_entry, p_id, p_allowed, 'limit')
    returning budget_id;
end;

grant select on engine.budget_present to engine_run;
revoke execute on function engine.renew_budgets(uuid[]) from public;
revoke execute on function engine.budget_period(smallint, bigint, text, timestamptz, timestamptz)
from public;
revoke execute on function engine.create_budget_v2(
    uuid, uuid, uuid, text, uuid, text, bigint, bigint, bytea, smallint, bigint, text
) from public;
-- A view asks whoever reads it for the right to its functions.
grant execute on function engine.budget_period(smallint, bigint, text, timestamptz, timestamptz)
to engine_run;
grant execute on function engine.create_budget_v2(
    uuid, uuid, uuid, text, uuid, text, bigint, bigint, bytea, smallint, bigint, text
) to engine_run;
reset role;

-- migrate:down
set local lock_timeout = '4s';
set local statement_timeout = '30s';

create or replace function engine.commit_budgeted_v1(
    p_lease_ms bigint,
    p_drift_ms bigint,
    p_items engine.commit_item[],
    p_events engine.commit_event[],
    p_anchors engine.commit_anchor[],
    p_workflows engine.commit_workflow[],
    p_closes engine.commit_close[],
    p_marks engine.commit_mark[],
    p_emits engine.commit_emit[],
    p_results engine.commit_result[],
    p_tasks engine.commit_task[],
    p_accepts engine.commit_accept[],
    p_consumes engine.commit_consume[],
    p_timers engine.commit_timer[],
    p_dropped engine.commit_drop[],
    p_dead_letters engine.commit_dead_letter[],
    p_configs engine.commit_config[],
    p_asks engine.budget_ask[],
    p_ended uuid[],
    p_charges engine.budget_charge[],
    p_paused boolean,
    out now_ms bigint,
    out verdicts smallint[],
    out deltas_before int[],
    out closes engine.close_answer[],
    out marks smallint[],
    out emits smallint[],
    out unclaimed uuid[],
    out known engine.known_message[],
    out heads engine.head_view[],
    out workflows engine.workflow_view[],
    out inbox engine.inbox_view[]
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_session uuid := p_items[1].session_id;
begin
    select
        c.now_ms, c.verdicts, c.deltas_before, c.closes, c.marks, c.emits, c.unclaimed, c.known,
        c.heads, c.workflows, c.inbox
    into
        now_ms, verdicts, deltas_before, closes, marks, emits, unclaimed, known,
        heads, workflows, inbox
    from engine.commit_v1(
        p_lease_ms, p_drift_ms, p_items, p_events, p_anchors, p_workflows, p_closes, p_marks,
        p_emits, p_results, p_tasks, p_accepts, p_consumes, p_timers, p_dropped, p_dead_letters,
        p_configs
    ) as c;
    if verdicts[1] <> 1 then
        return;
    end if;
    perform log.pause_v1(array[v_session], p_paused);
    perform from engine.budget as b
    where b.id in (
        select h.budget_id from engine.budget_hold as h where h.task_id = any(p_ended)
        union all
        select a.budget_id from unnest(p_asks) as a
    )
    order by b.id
    for no key update;
    perform engine.settle_budgets(p_ended, p_charges);
    if cardinality(p_asks) > 0 then
        perform engine.hold_budgets(v_session, p_asks);
    end if;
end
$$;

drop view if exists engine.budget_present;
drop function if exists engine.create_budget_v2;
drop function if exists engine.renew_budgets;
drop function if exists engine.budget_period;
-- The columns stay: once it is applied anew, budgets renew as before. Budgets of users that were
-- made meanwhile stay, too: the constraint is not compared with the rows that are there.
alter table engine.budget
drop constraint budget_period_check,
drop constraint budget_subject_type_check,
add constraint budget_subject_type_check
check (subject_type in ('session', 'agent', 'organization')) not valid;
