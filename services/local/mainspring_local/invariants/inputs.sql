-- Messages, keys and tool calls. One row each: see checks.py beside this file.

-- name: messages_have_a_turn
-- An accepted message is an input of one turn, waits for one that goes on, or was withdrawn.
with examined as materialized (
    select
        i.message_id,
        case
            when i.workflow_id is null
                then
                    exists (
                        select
                        from engine.workflow as w
                        where w.session_id = i.session_id and w.outcome = 0
                    )
            else i.workflow_id = '00000000-0000-0000-0000-000000000000' or exists (
                select from engine.workflow as w
                where w.id = i.workflow_id and w.session_id = i.session_id
            )
        end as holds
    from engine.inbox as i
)

select
    count(*) as examined,
    coalesce(
        (array_agg(message_id::text order by message_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: keys_name_their_message
-- An idempotency key leads to an accepted message with the same body.
with examined as materialized (
    select
        k.session_id,
        exists(
            select from engine.inbox as i
            where
                i.session_id = k.session_id
                and i.message_id = k.message_id
                and i.body_hash = k.body_hash
        ) as holds
    from engine.idempotency as k
)

select
    count(*) as examined,
    coalesce(
        (array_agg(session_id::text order by session_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: calls_have_one_result
-- A tool call has one result, and none is open once its turn has ended. Results by which a fork
-- ends the calls that were open where it began stand in its own log, and in no turn.
with calls as (
    select
        session_id,
        turn_id,
        replace(convert_from(payload, 'UTF8'), '\u0000', '\u0001')::jsonb
        -> 'data' -> 'tool_call' ->> 'id' as call_id,
        0 as results
    from log.event
    where type = 'tool.started'
    union all
    select
        session_id,
        turn_id,
        replace(convert_from(payload, 'UTF8'), '\u0000', '\u0001')::jsonb
        -> 'data' ->> 'tool_call_id' as call_id,
        1 as results
    from log.event
    where type = 'tool.completed'
),

examined as (
    select
        coalesce(c.turn_id, c.session_id) as place,
        sum(c.results) = 1
        or (sum(c.results) = 0 and coalesce(min(w.outcome), 0) = 0) as holds
    from calls as c
    left join engine.workflow as w on c.turn_id = w.id
    group by coalesce(c.turn_id, c.session_id), c.call_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(place::text order by place) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: messages_are_taken_up_once
-- A message is taken up by model calls of its own turn only, and by one of them.
with taken as (
    select
        e.session_id,
        e.turn_id,
        replace(substr(c.message, 9), '-', '')::uuid as message_id
    from log.event as e
    cross join
        lateral jsonb_array_elements_text(
            coalesce(
                replace(convert_from(e.payload, 'UTF8'), '\u0000', '\u0001')::jsonb
                -> 'data' -> 'consumed',
                '[]'
            )
        ) as c (message)
    where e.type = 'reason.started'
),

examined as (
    select
        t.message_id,
        count(*) = 1 and bool_and(coalesce(i.workflow_id = t.turn_id, false)) as holds
    from taken as t
    left join engine.inbox as i on t.session_id = i.session_id and t.message_id = i.message_id
    group by t.message_id
)

select
    count(*) as examined,
    coalesce(
        (array_agg(message_id::text order by message_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;

-- name: calls_are_answered_before_the_next_model_call
-- Between a call's start and its result no model call of that turn begins.
with told as (
    select
        session_id,
        turn_id,
        seq,
        type,
        case
            when type <> 'reason.started'
                then replace(convert_from(payload, 'UTF8'), '\u0000', '\u0001')::jsonb -> 'data'
        end as data
    from log.event
    where type in ('tool.started', 'tool.completed', 'reason.started')
),

named as (
    select
        session_id,
        turn_id,
        seq,
        type,
        coalesce(data ->> 'tool_call_id', data -> 'tool_call' ->> 'id') as call_id
    from told
),

-- What follows comes first in these windows: its newest is the next one.
followed as (
    select
        turn_id,
        type,
        min(seq) filter (where type = 'reason.started') over (
            partition by session_id, turn_id
            order by seq desc rows between unbounded preceding and 1 preceding
        ) as next_model_call,
        min(seq) filter (where type = 'tool.completed') over (
            partition by session_id, turn_id, call_id
            order by seq desc rows between unbounded preceding and 1 preceding
        ) as answered
    from named
),

examined as (
    select
        turn_id,
        next_model_call is null or coalesce(answered < next_model_call, false) as holds
    from followed
    where type = 'tool.started'
)

select
    count(*) as examined,
    coalesce(
        (array_agg(turn_id::text order by turn_id) filter (where not holds))[1:20], '{}'
    ) as violating
from examined;
