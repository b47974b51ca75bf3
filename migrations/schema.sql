--
-- PostgreSQL database dump
--


-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: api; Type: SCHEMA; Schema: -; Owner: api_owner
--

CREATE SCHEMA api;


ALTER SCHEMA api OWNER TO api_owner;

--
-- Name: engine; Type: SCHEMA; Schema: -; Owner: engine_owner
--

CREATE SCHEMA engine;


ALTER SCHEMA engine OWNER TO engine_owner;

--
-- Name: log; Type: SCHEMA; Schema: -; Owner: log_owner
--

CREATE SCHEMA log;


ALTER SCHEMA log OWNER TO log_owner;

--
-- Name: scheduler; Type: SCHEMA; Schema: -; Owner: scheduler_owner
--

CREATE SCHEMA scheduler;


ALTER SCHEMA scheduler OWNER TO scheduler_owner;

--
-- Name: pg_stat_statements; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;


--
-- Name: budget_ask; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.budget_ask AS (
	task_id uuid,
	budget_id uuid,
	amount bigint,
	warns boolean
);


ALTER TYPE engine.budget_ask OWNER TO engine_owner;

--
-- Name: budget_charge; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.budget_charge AS (
	task_id uuid,
	currency text,
	amount bigint
);


ALTER TYPE engine.budget_charge OWNER TO engine_owner;

--
-- Name: circuit_move; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.circuit_move AS (
	key text,
	expected_rev bigint,
	state smallint,
	forced boolean,
	failures integer,
	successes integer,
	trips integer,
	reason text,
	wait_ms bigint,
	prober uuid
);


ALTER TYPE engine.circuit_move OWNER TO engine_owner;

--
-- Name: claim_group; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.claim_group AS (
	route integer,
	org_id uuid,
	priority smallint,
	from_id uuid,
	depth integer
);


ALTER TYPE engine.claim_group OWNER TO engine_owner;

--
-- Name: claim_limit; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.claim_limit AS (
	route integer,
	key text,
	at_once integer
);


ALTER TYPE engine.claim_limit OWNER TO engine_owner;

--
-- Name: claim_share; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.claim_share AS (
	org_id uuid,
	lead double precision,
	weight double precision
);


ALTER TYPE engine.claim_share OWNER TO engine_owner;

--
-- Name: claim_slots; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.claim_slots AS (
	route integer,
	incarnation uuid,
	attach_number bigint,
	slots integer
);


ALTER TYPE engine.claim_slots OWNER TO engine_owner;

--
-- Name: close_answer; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.close_answer AS (
	verdict smallint,
	claimed_ms bigint,
	incarnation uuid
);


ALTER TYPE engine.close_answer OWNER TO engine_owner;

--
-- Name: commit_accept; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_accept AS (
	item integer,
	session_id uuid,
	org_id uuid,
	message_id uuid,
	seq bigint,
	ts_ms bigint,
	config_hash bytea,
	turn_id uuid,
	controls bytea,
	consumed_by uuid,
	idempotency_key text,
	body_hash bytea
);


ALTER TYPE engine.commit_accept OWNER TO engine_owner;

--
-- Name: commit_anchor; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_anchor AS (
	item integer,
	session_id uuid,
	anchor text,
	attempt integer
);


ALTER TYPE engine.commit_anchor OWNER TO engine_owner;

--
-- Name: commit_close; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_close AS (
	item integer,
	task_id uuid,
	fence integer,
	expected smallint,
	closing smallint,
	result_hash bytea,
	error_code text,
	delay_ms bigint,
	counts_failure boolean,
	counts_death boolean
);


ALTER TYPE engine.commit_close OWNER TO engine_owner;

--
-- Name: commit_config; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_config AS (
	item integer,
	hash bytea,
	org_id uuid,
	body bytea
);


ALTER TYPE engine.commit_config OWNER TO engine_owner;

--
-- Name: commit_consume; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_consume AS (
	item integer,
	session_id uuid,
	message_id uuid,
	workflow_id uuid
);


ALTER TYPE engine.commit_consume OWNER TO engine_owner;

--
-- Name: commit_dead_letter; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_dead_letter AS (
	item integer,
	task_id uuid,
	workflow_id uuid,
	session_id uuid,
	org_id uuid,
	reason text,
	detail text
);


ALTER TYPE engine.commit_dead_letter OWNER TO engine_owner;

--
-- Name: commit_drop; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_drop AS (
	item integer,
	timer_id uuid
);


ALTER TYPE engine.commit_drop OWNER TO engine_owner;

--
-- Name: commit_emit; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_emit AS (
	item integer,
	task_id uuid,
	fence integer,
	counter integer
);


ALTER TYPE engine.commit_emit OWNER TO engine_owner;

--
-- Name: commit_end_wait; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_end_wait AS (
	item integer,
	workflow_id uuid,
	step text
);


ALTER TYPE engine.commit_end_wait OWNER TO engine_owner;

--
-- Name: commit_event; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_event AS (
	item integer,
	session_id uuid,
	seq bigint,
	type text,
	ts_ms bigint,
	turn_id uuid,
	payload bytea,
	hash bytea
);


ALTER TYPE engine.commit_event OWNER TO engine_owner;

--
-- Name: commit_item; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_item AS (
	item integer,
	session_id uuid,
	org_id uuid,
	last_seq bigint,
	hash bytea,
	status smallint,
	paused boolean,
	active_turn uuid,
	turn_first_seq bigint,
	closed boolean,
	to_last_seq bigint,
	to_hash bytea,
	to_ts_ms bigint,
	to_status smallint,
	to_active_turn uuid,
	to_turn_first_seq bigint,
	to_closed boolean,
	events integer,
	close_anchors boolean,
	moves_head boolean
);


ALTER TYPE engine.commit_item OWNER TO engine_owner;

--
-- Name: commit_mark; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_mark AS (
	item integer,
	task_id uuid,
	fence integer
);


ALTER TYPE engine.commit_mark OWNER TO engine_owner;

--
-- Name: commit_result; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_result AS (
	item integer,
	workflow_id uuid,
	step text,
	task_id uuid,
	fence integer,
	body bytea,
	hash bytea
);


ALTER TYPE engine.commit_result OWNER TO engine_owner;

--
-- Name: commit_signal; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_signal AS (
	item integer,
	session_id uuid,
	source uuid,
	kind text,
	org_id uuid,
	body bytea,
	taken boolean
);


ALTER TYPE engine.commit_signal OWNER TO engine_owner;

--
-- Name: commit_start; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_start AS (
	item integer,
	workflow_id uuid,
	org_id uuid,
	type text,
	key text,
	queue text,
	hash bytea,
	started_ms bigint
);


ALTER TYPE engine.commit_start OWNER TO engine_owner;

--
-- Name: commit_step; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_step AS (
	item integer,
	workflow_id uuid,
	step text,
	org_id uuid,
	task_id uuid,
	fence integer,
	input_hash bytea,
	body bytea,
	hash bytea
);


ALTER TYPE engine.commit_step OWNER TO engine_owner;

--
-- Name: commit_take; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_take AS (
	item integer,
	session_id uuid,
	source uuid,
	kind text
);


ALTER TYPE engine.commit_take OWNER TO engine_owner;

--
-- Name: commit_task; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_task AS (
	item integer,
	id uuid,
	workflow_id uuid,
	session_id uuid,
	org_id uuid,
	kind smallint,
	route integer,
	priority smallint,
	effect smallint,
	step text,
	payload bytea,
	incarnation uuid,
	attach_number bigint
);


ALTER TYPE engine.commit_task OWNER TO engine_owner;

--
-- Name: commit_timer; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_timer AS (
	item integer,
	id uuid,
	workflow_id uuid,
	session_id uuid,
	org_id uuid,
	kind text,
	delay_ms bigint
);


ALTER TYPE engine.commit_timer OWNER TO engine_owner;

--
-- Name: commit_wait; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_wait AS (
	item integer,
	workflow_id uuid,
	step text,
	org_id uuid,
	timer_id uuid,
	body bytea
);


ALTER TYPE engine.commit_wait OWNER TO engine_owner;

--
-- Name: commit_workflow; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.commit_workflow AS (
	item integer,
	id uuid,
	session_id uuid,
	org_id uuid,
	expected_rev integer,
	ordinal integer,
	outcome smallint,
	state bytea,
	config_hash bytea,
	traceparent text,
	started_ms bigint
);


ALTER TYPE engine.commit_workflow OWNER TO engine_owner;

--
-- Name: effect_end; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.effect_end AS (
	workflow_id uuid,
	step text,
	state smallint,
	rev integer
);


ALTER TYPE engine.effect_end OWNER TO engine_owner;

--
-- Name: head_view; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.head_view AS (
	session_id uuid,
	org_id uuid,
	last_seq bigint,
	hash bytea,
	ts_ms bigint,
	status smallint,
	paused boolean,
	active_turn uuid,
	turn_first_seq bigint,
	closed boolean
);


ALTER TYPE engine.head_view OWNER TO engine_owner;

--
-- Name: inbox_view; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.inbox_view AS (
	session_id uuid,
	message_id uuid,
	seq bigint,
	config_hash bytea,
	controls bytea
);


ALTER TYPE engine.inbox_view OWNER TO engine_owner;

--
-- Name: known_message; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.known_message AS (
	item integer,
	asked_id uuid,
	message_id uuid,
	body_hash bytea,
	seq bigint,
	ts_ms bigint,
	turn_id uuid
);


ALTER TYPE engine.known_message OWNER TO engine_owner;

--
-- Name: known_start; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.known_start AS (
	item integer,
	workflow_id uuid,
	hash bytea
);


ALTER TYPE engine.known_start OWNER TO engine_owner;

--
-- Name: plain_end; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.plain_end AS (
	task_id uuid,
	fence integer,
	closing smallint,
	result_hash bytea,
	error_code text,
	body bytea,
	delay_ms bigint,
	counts_failure boolean,
	counts_death boolean,
	expired_only boolean,
	reason text,
	detail text
);


ALTER TYPE engine.plain_end OWNER TO engine_owner;

--
-- Name: plain_task; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.plain_task AS (
	id uuid,
	org_id uuid,
	route integer,
	priority smallint,
	step text,
	payload bytea,
	incarnation uuid,
	attach_number bigint
);


ALTER TYPE engine.plain_task OWNER TO engine_owner;

--
-- Name: token_draw; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.token_draw AS (
	key text,
	wanted integer,
	returned integer
);


ALTER TYPE engine.token_draw OWNER TO engine_owner;

--
-- Name: workflow_view; Type: TYPE; Schema: engine; Owner: engine_owner
--

CREATE TYPE engine.workflow_view AS (
	id uuid,
	session_id uuid,
	org_id uuid,
	ordinal integer,
	rev integer,
	outcome smallint,
	state bytea,
	config_hash bytea,
	traceparent text,
	started_ms bigint
);


ALTER TYPE engine.workflow_view OWNER TO engine_owner;

--
-- Name: head_change; Type: TYPE; Schema: log; Owner: log_owner
--

CREATE TYPE log.head_change AS (
	item integer,
	session_id uuid,
	org_id uuid,
	last_seq bigint,
	hash bytea,
	status smallint,
	paused boolean,
	active_turn uuid,
	turn_first_seq bigint,
	to_last_seq bigint,
	to_hash bytea,
	to_ts_ms bigint,
	to_status smallint,
	to_active_turn uuid,
	to_turn_first_seq bigint,
	close_anchors boolean,
	gone text[],
	opened jsonb
);


ALTER TYPE log.head_change OWNER TO log_owner;

--
-- Name: new_event; Type: TYPE; Schema: log; Owner: log_owner
--

CREATE TYPE log.new_event AS (
	session_id uuid,
	seq bigint,
	type text,
	ts_ms bigint,
	turn_id uuid,
	payload bytea,
	hash bytea
);


ALTER TYPE log.new_event OWNER TO log_owner;

--
-- Name: basis_many(uuid, uuid[]); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.basis_many(p_org uuid, p_sessions uuid[]) RETURNS TABLE(session_id uuid, tier bytea, org_rev integer, harness_id uuid, harness_rev integer, agent_id uuid, agent_rev integer)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
begin
    perform set_config('mainspring.org_id', p_org::text, true);
    return query
    select s.id, s.tier, o.rev, s.harness_id, coalesce(h.rev, 0), s.agent_id, coalesce(a.rev, 0)
    from unnest(p_sessions) as w (id)
    cross join lateral (
        select x.id, x.tier, x.harness_id, x.agent_id
        from api.session as x
        where x.org_id = p_org and x.id = w.id and x.deleting_ms is null
        limit 1
    ) as s
    cross join lateral (select x.rev from api.organization as x where x.id = p_org limit 1) as o
    left join lateral (
        select x.rev from api.harness as x where x.org_id = p_org and x.id = s.harness_id limit 1
    ) as h on true
    left join lateral (
        select x.rev from api.agent as x where x.org_id = p_org and x.id = s.agent_id limit 1
    ) as a on true;
end
$$;


ALTER FUNCTION api.basis_many(p_org uuid, p_sessions uuid[]) OWNER TO api_owner;

--
-- Name: count_organizations(); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.count_organizations() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select count(*) from api.organization
$$;


ALTER FUNCTION api.count_organizations() OWNER TO api_owner;

--
-- Name: drop_files(uuid); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.drop_files(p_workspace uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform api.own_files(f.workspace_id)
    from api.workspace_fork as f
    where f.parent_id = p_workspace;
    delete from api.file as f where f.workspace_id = p_workspace;
    delete from api.file_past as f where f.workspace_id = p_workspace;
    delete from api.workspace_fork as f where f.workspace_id = p_workspace;
end
$$;


ALTER FUNCTION api.drop_files(p_workspace uuid) OWNER TO api_owner;

--
-- Name: drop_records(uuid); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.drop_records(p_owner uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform api.own_records(f.owner_id)
    from api.record_fork as f
    where f.parent_id = p_owner;
    delete from api.record as r where r.owner_id = p_owner;
    delete from api.record_past as r where r.owner_id = p_owner;
    delete from api.record_fork as f where f.owner_id = p_owner;
end
$$;


ALTER FUNCTION api.drop_records(p_owner uuid) OWNER TO api_owner;

--
-- Name: forget_file_past(bigint, integer); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.forget_file_past(p_before_ms bigint, p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_count int;
begin
    delete from api.file_past
    where ctid in (
        select p.ctid
        from api.file_past as p
        where
            p.until_ms < p_before_ms
            and not exists (
                select from api.workspace_fork as f
                where
                    f.org_id = p.org_id and f.parent_id = p.workspace_id
                    and p.changed_ms < f.as_of_ms and f.as_of_ms <= p.until_ms
            )
        order by p.until_ms
        limit p_limit
        -- Skips what another replica removes at this moment: it will be gone either way.
        for update skip locked
    );
    get diagnostics v_count = row_count;
    return v_count;
end
$$;


ALTER FUNCTION api.forget_file_past(p_before_ms bigint, p_limit integer) OWNER TO api_owner;

--
-- Name: forget_keys(bigint, integer); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.forget_keys(p_before_ms bigint, p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_count int;
begin
    delete from api.request_key
    where ctid in (
        select k.ctid
        from api.request_key as k
        where k.claimed_ms < p_before_ms
        order by k.claimed_ms
        limit p_limit
        -- Skips what another replica removes at this moment: it will be gone either way.
        for update skip locked
    );
    get diagnostics v_count = row_count;
    return v_count;
end
$$;


ALTER FUNCTION api.forget_keys(p_before_ms bigint, p_limit integer) OWNER TO api_owner;

--
-- Name: forget_record_past(bigint, integer); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.forget_record_past(p_before_ms bigint, p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_count int;
begin
    delete from api.record_past
    where ctid in (
        select p.ctid
        from api.record_past as p
        where
            p.until_ms < p_before_ms
            and not exists (
                select from api.record_fork as f
                where
                    f.org_id = p.org_id and f.parent_id = p.owner_id
                    and p.changed_ms < f.as_of_ms and f.as_of_ms <= p.until_ms
            )
        order by p.until_ms
        limit p_limit
        -- Skips what another replica removes at this moment: it will be gone either way.
        for update skip locked
    );
    get diagnostics v_count = row_count;
    return v_count;
end
$$;


ALTER FUNCTION api.forget_record_past(p_before_ms bigint, p_limit integer) OWNER TO api_owner;

--
-- Name: inherited(uuid, text[]); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.inherited(p_workspace uuid, p_paths text[]) RETURNS TABLE(org_id uuid, workspace_id uuid, path text, id uuid, is_directory boolean, is_readonly boolean, size_bytes bigint, content bytea, created_ms bigint, updated_ms bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
    v_source uuid := p_workspace;
    v_as_of bigint;
    v_fork record;
begin
    loop
        select f.parent_id, f.as_of_ms into v_fork
        from api.workspace_fork as f
        where f.workspace_id = v_source;
        exit when not found;
        v_source := v_fork.parent_id;
        v_as_of := v_fork.as_of_ms;
    end loop;
    if v_as_of is null then
        return;
    end if;
    return query
    select
        f.org_id, p_workspace, f.path, f.id, f.is_directory, f.is_readonly, f.size_bytes,
        case when p_paths is null then null else f.content end, f.created_ms, f.updated_ms
    from api.file as f
    where
        f.workspace_id = v_source and f.changed_ms < v_as_of
        and (p_paths is null or f.path = any(p_paths))
    union all
    select
        f.org_id, p_workspace, f.path, f.id, f.is_directory, f.is_readonly, f.size_bytes,
        case when p_paths is null then null else f.content end, f.created_ms, f.updated_ms
    from api.file_past as f
    where
        f.workspace_id = v_source and f.changed_ms < v_as_of and v_as_of <= f.until_ms
        and (p_paths is null or f.path = any(p_paths));
end
$$;


ALTER FUNCTION api.inherited(p_workspace uuid, p_paths text[]) OWNER TO api_owner;

--
-- Name: inherited_records(text, uuid); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.inherited_records(p_kind text, p_owner uuid) RETURNS TABLE(org_id uuid, id uuid, owner_id uuid, key text, data bytea, created_ms bigint, updated_ms bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
    v_source uuid := p_owner;
    v_as_of bigint;
    v_fork record;
begin
    loop
        select f.parent_id, f.as_of_ms into v_fork
        from api.record_fork as f
        where f.owner_id = v_source;
        exit when not found;
        v_source := v_fork.parent_id;
        v_as_of := v_fork.as_of_ms;
    end loop;
    if v_as_of is null then
        return;
    end if;
    return query
    select
        r.org_id,
        encode(substr(sha256(uuid_send(p_owner) || uuid_send(r.id)), 1, 16), 'hex')::uuid,
        p_owner, r.key, r.data, r.created_ms, r.updated_ms
    from (
        select f.org_id, f.id, f.key, f.data, f.created_ms, f.updated_ms
        from api.record as f
        where
            f.kind = p_kind and f.owner_id = v_source and coalesce(f.changed_ms, 0) < v_as_of
        union all
        select f.org_id, f.id, f.key, f.data, f.created_ms, f.updated_ms
        from api.record_past as f
        where
            f.kind = p_kind and f.owner_id = v_source
            and f.changed_ms < v_as_of and v_as_of <= f.until_ms
    ) as r
    where not exists (
        select from api.record as o
        where o.kind = p_kind and o.owner_id = p_owner and o.key = r.key and r.key <> ''
    );
end
$$;


ALTER FUNCTION api.inherited_records(p_kind text, p_owner uuid) OWNER TO api_owner;

--
-- Name: keep_past(); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.keep_past() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
    if tg_op = 'INSERT' then
        if new.changed_ms is distinct from 0 then
            new.changed_ms := v_now;
        end if;
        return new;
    end if;
    insert into api.file_past (
        org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
        updated_ms, changed_ms, until_ms
    )
    values (
        old.org_id, old.workspace_id, old.path, old.id, old.is_directory, old.is_readonly,
        old.size_bytes, old.content, old.created_ms, old.updated_ms, old.changed_ms, v_now
    )
    on conflict (org_id, workspace_id, path, until_ms) do nothing;
    if tg_op = 'DELETE' then
        return old;
    end if;
    new.changed_ms := v_now;
    return new;
end
$$;


ALTER FUNCTION api.keep_past() OWNER TO api_owner;

--
-- Name: keep_record(); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.keep_record() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
    if tg_op = 'INSERT' then
        new.changed_ms := coalesce(new.changed_ms, v_now);
        return new;
    end if;
    insert into api.record_past (
        org_id, kind, id, owner_id, key, data, created_ms, updated_ms, changed_ms, until_ms
    )
    values (
        old.org_id, old.kind, old.id, old.owner_id, old.key, old.data, old.created_ms,
        old.updated_ms, coalesce(old.changed_ms, 0), v_now
    )
    on conflict (org_id, kind, id, until_ms) do nothing;
    if tg_op = 'DELETE' then
        return old;
    end if;
    new.changed_ms := v_now;
    return new;
end
$$;


ALTER FUNCTION api.keep_record() OWNER TO api_owner;

--
-- Name: organizations(integer, integer); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.organizations(p_offset integer, p_limit integer) RETURNS TABLE(id uuid, name text, default_model_id text, default_harness_id uuid, rev integer, created_ms bigint, updated_ms bigint)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select
        o.id, o.name, o.default_model_id, o.default_harness_id, o.rev, o.created_ms, o.updated_ms
    from api.organization as o
    order by o.id
    offset p_offset
    limit p_limit
$$;


ALTER FUNCTION api.organizations(p_offset integer, p_limit integer) OWNER TO api_owner;

--
-- Name: own_files(uuid); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.own_files(p_workspace uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform from api.workspace_fork as f where f.workspace_id = p_workspace for update;
    if not found then
        return;
    end if;
    insert into api.file (
        org_id, workspace_id, path, id, is_directory, is_readonly, size_bytes, content, created_ms,
        updated_ms, changed_ms
    )
    select
        i.org_id, i.workspace_id, i.path, i.id, i.is_directory, i.is_readonly, i.size_bytes,
        i.content, i.created_ms, i.updated_ms, 0
    from api.inherited(
        p_workspace, array(select n.path from api.inherited(p_workspace, null) as n)
    ) as i;
    delete from api.workspace_fork as f where f.workspace_id = p_workspace;
end
$$;


ALTER FUNCTION api.own_files(p_workspace uuid) OWNER TO api_owner;

--
-- Name: own_records(uuid); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.own_records(p_owner uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform from api.record_fork as f where f.owner_id = p_owner for update;
    if not found then
        return;
    end if;
    insert into api.record (
        org_id, kind, id, owner_id, key, data, created_ms, updated_ms, changed_ms
    )
    select i.org_id, k.kind, i.id, i.owner_id, i.key, i.data, i.created_ms, i.updated_ms, 0
    from unnest(array['session_value', 'mcp_pin']) as k (kind)
    cross join lateral api.inherited_records(k.kind, p_owner) as i
    on conflict do nothing;
    delete from api.record_fork as f where f.owner_id = p_owner;
end
$$;


ALTER FUNCTION api.own_records(p_owner uuid) OWNER TO api_owner;

--
-- Name: unfinished_deletes(bigint, integer); Type: FUNCTION; Schema: api; Owner: api_owner
--

CREATE FUNCTION api.unfinished_deletes(p_before_ms bigint, p_limit integer) RETURNS TABLE(org_id uuid, session_id uuid)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select s.org_id, s.id
    from api.session as s
    where s.deleting_ms < p_before_ms
    order by s.deleting_ms
    limit p_limit
$$;


ALTER FUNCTION api.unfinished_deletes(p_before_ms bigint, p_limit integer) OWNER TO api_owner;

--
-- Name: add_workflow(engine.commit_workflow); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.add_workflow(p_workflow engine.commit_workflow) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    insert into engine.workflow (
        id, session_id, org_id, ordinal, outcome, state, config_hash, traceparent, started_ms
    )
    values (
        p_workflow.id, p_workflow.session_id, p_workflow.org_id, p_workflow.ordinal,
        p_workflow.outcome, p_workflow.state, p_workflow.config_hash, p_workflow.traceparent,
        p_workflow.started_ms
    );
end
$$;


ALTER FUNCTION engine.add_workflow(p_workflow engine.commit_workflow) OWNER TO engine_owner;

--
-- Name: attach_v1(bigint, smallint, uuid[], bigint[], text[], text[], uuid[], uuid[], integer[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.attach_v1(p_lease_ms bigint, p_undelivered smallint, p_incarnation uuid[], p_attach_number bigint[], p_name text[], p_build text[], h_incarnation uuid[], h_task uuid[], h_fence integer[]) RETURNS TABLE(incarnation uuid, kind integer, task_id uuid, fence integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_accepted uuid[];
begin
    with written as (
        insert into engine.worker as w (incarnation, attach_number, name, build, attached_at)
        select p.incarnation, p.attach_number, p.name, p.build, clock_timestamp()
        from unnest(p_incarnation, p_attach_number, p_name, p_build)
            as p (incarnation, attach_number, name, build)
        order by p.incarnation
        on conflict (incarnation) do update
        set
            attach_number = excluded.attach_number, name = excluded.name, build = excluded.build,
            attached_at = excluded.attached_at
        -- The same number again is a repeat whose answer was lost.
        where w.attach_number <= excluded.attach_number
        returning w.incarnation
    )

    select coalesce(array_agg(w.incarnation), '{}') into v_accepted from written as w;

    perform
    from engine.task as t
    where
        t.id = any(
            array(
                select x.id from engine.task as x
                where x.state = 2 and x.incarnation = any(v_accepted)
            ) || h_task
        )
    order by t.id
    for no key update;
    v_now := clock_timestamp();

    return query select a.incarnation, 1, null::uuid, null::int
    from unnest(v_accepted) as a (incarnation);

    return query
    with held as (
        update engine.task as t
        set
            attach_number = p.attach_number,
            acknowledged = true,
            stamped_at = v_now,
            lease_until = v_now + p_lease_ms * interval '1 millisecond',
            rev = t.rev + 1
        from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
        inner join unnest(p_incarnation, p_attach_number) as p (incarnation, attach_number)
            on h.incarnation = p.incarnation
        where
            t.id = h.task_id and t.id = any(h_task)
            and t.fence = h.fence and t.state = 2
            and t.incarnation = h.incarnation and h.incarnation = any(v_accepted)
        returning t.incarnation, t.id, t.fence, t.cancelling
    )

    select h.incarnation, case when d.id is null then 2 else 3 end, h.task_id, h.fence
    from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
    left join held as d
        on h.task_id = d.id and h.fence = d.fence and h.incarnation = d.incarnation
    where h.incarnation = any(v_accepted) and (d.id is null or d.cancelling);

    -- Who lists a task did not die of it, though he lost it. But what has workers stand still until
    -- their leases are over, and lets them come back, is not given out for ever.
    update engine.task as t
    set
        deaths = t.deaths - 1, died = array_remove(t.died, h.fence), rev = t.rev + 1,
        uncounted = t.uncounted + 1
    from unnest(h_incarnation, h_task, h_fence) as h (incarnation, task_id, fence)
    where
        t.id = h.task_id and t.id = any(h_task) and t.uncounted < 3
        and h.fence = any(t.died) and h.incarnation = any(v_accepted)
        and exists (
            select from engine.attempt as a
            where a.task_id = h.task_id and a.fence = h.fence and a.incarnation = h.incarnation
        );

    return query
    with released as (
        update engine.task as t
        set
            state = 1,
            run_at = v_now,
            rev = t.rev + 1,
            lease_until = null,
            incarnation = null,
            attach_number = null,
            acknowledged = false,
            uncounted = t.uncounted + 1
        where
            t.state = 2 and t.incarnation = any(v_accepted)
            and t.id = any(
                array(
                    select x.id from engine.task as x
                    where x.state = 2 and x.incarnation = any(v_accepted)
                )
            )
            and not exists (
                select from unnest(h_task, h_fence) as h (task_id, fence)
                where h.task_id = t.id and h.fence = t.fence
            )
            -- These write events when they end: the lease and the commit lane see to them.
            and not t.cancelling and not (t.effect >= 3 and t.started_fence > 0)
        returning
            t.id, t.fence, t.workflow_id, t.org_id, t.step, old.incarnation, old.attach_number,
            t.claim_rev, t.rev, t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
            t.started_fence
    ),

    kept as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing
        )
        select
            r.id, r.fence, r.workflow_id, r.org_id, r.step, r.incarnation, r.attach_number,
            r.claim_rev, r.rev, r.claimed_at, v_now, r.stamped_at, r.lease_until,
            r.acknowledged, r.started_fence = r.fence, p_undelivered
        from released as r
    )

    select r.incarnation, 4, r.id, r.fence from released as r;
end
$$;


ALTER FUNCTION engine.attach_v1(p_lease_ms bigint, p_undelivered smallint, p_incarnation uuid[], p_attach_number bigint[], p_name text[], p_build text[], h_incarnation uuid[], h_task uuid[], h_fence integer[]) OWNER TO engine_owner;

--
-- Name: begin_attempt_v1(); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.begin_attempt_v1() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    new.emit_counter := 0;
    return new;
end
$$;


ALTER FUNCTION engine.begin_attempt_v1() OWNER TO engine_owner;

--
-- Name: budget_period(smallint, bigint, text, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.budget_period(p_kind smallint, p_seconds bigint, p_text text, p_started timestamp with time zone, p_now timestamp with time zone, OUT started timestamp with time zone, OUT renews timestamp with time zone) RETURNS record
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT b.started,
         CASE
             WHEN (budget_period.p_kind = 3) THEN (((b.started AT TIME ZONE 'UTC'::text) + (('1 '::text || budget_period.p_text))::interval) AT TIME ZONE 'UTC'::text)
             ELSE (b.started + make_interval(secs => (budget_period.p_seconds)::double precision))
         END AS "case"
    FROM ( SELECT
                 CASE budget_period.p_kind
                     WHEN 3 THEN date_trunc(budget_period.p_text, budget_period.p_now, 'UTC'::text)
                     WHEN 2 THEN budget_period.p_now
                     ELSE (budget_period.p_started + make_interval(secs => ((floor((EXTRACT(epoch FROM (budget_period.p_now - budget_period.p_started)) / (budget_period.p_seconds)::numeric)) * (budget_period.p_seconds)::numeric))::double precision))
                 END AS started) b;
END;


ALTER FUNCTION engine.budget_period(p_kind smallint, p_seconds bigint, p_text text, p_started timestamp with time zone, p_now timestamp with time zone, OUT started timestamp with time zone, OUT renews timestamp with time zone) OWNER TO engine_owner;

--
-- Name: cancel_tasks_v1(uuid[], uuid[], text[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.cancel_tasks_v1(p_orgs uuid[], p_tasks uuid[], p_reasons text[]) RETURNS TABLE(ended uuid, held_fence integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_now timestamptz := clock_timestamp();
begin
    return query
    with asked as materialized (
        select a.org_id, a.task_id, a.reason
        from unnest(p_orgs, p_tasks, p_reasons) as a (org_id, task_id, reason)
    ),

    locked as materialized (
        select t.id, a.reason
        from engine.task as t
        inner join asked as a on t.id = a.task_id and t.org_id = a.org_id
        where t.kind = 4 and t.id = any(p_tasks)
        order by t.id
        for update of t
    ),

    gone as (
        delete from engine.task as t
        using locked as l
        where t.id = l.id and t.id = any(array(select x.id from locked as x))
        returning t.*, l.reason as why
    ),

    attempts as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        select
            g.id, g.fence, g.id, g.org_id, g.step, g.incarnation, g.attach_number, g.claim_rev,
            g.rev + 1, g.claimed_at, v_now, g.stamped_at, g.lease_until, g.acknowledged, false,
            7, '', 'cancelled'
        from gone as g
        where g.state = 2
    ),

    told as (
        insert into engine.plain_cancel (task_id, org_id, fence, reason, cancelled_at)
        select g.id, g.org_id, g.fence, g.why, v_now from gone as g
    )

    select g.id, case when g.state = 2 then g.fence end from gone as g;
end
$$;


ALTER FUNCTION engine.cancel_tasks_v1(p_orgs uuid[], p_tasks uuid[], p_reasons text[]) OWNER TO engine_owner;

--
-- Name: change_budget_v1(uuid, uuid, uuid, bigint, bigint, smallint, bytea); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.change_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_allowed bigint, p_soft bigint, p_status smallint, p_metadata bytea) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_moved bigint;
begin
    select coalesce(p_allowed, b.allowed) - b.allowed into v_moved
    from engine.budget as b
    where b.id = p_id and b.org_id = p_org and not b.deleted
    for no key update;
    if not found then
        return null;
    end if;
    perform engine.renew_budgets(array[p_id]);
    update engine.budget as b
    set
        allowed = b.allowed + v_moved,
        balance = b.balance + v_moved,
        soft = case when p_soft = -1 then null else coalesce(p_soft, b.soft) end,
        status = coalesce(p_status, b.status),
        metadata = coalesce(p_metadata, b.metadata),
        warned = b.warned and v_moved = 0 and p_soft is null,
        updated_at = clock_timestamp()
    where b.id = p_id;
    if v_moved <> 0 then
        insert into engine.budget_entry (id, budget_id, amount, source)
        values (p_entry, p_id, v_moved, 'limit');
    end if;
    return p_id;
end
$$;


ALTER FUNCTION engine.change_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_allowed bigint, p_soft bigint, p_status smallint, p_metadata bytea) OWNER TO engine_owner;

--
-- Name: claim_v2(bigint, bigint, integer, engine.claim_slots[], engine.claim_group[], engine.claim_share[], engine.claim_limit[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.claim_v2(p_lease_ms bigint, p_aging_ms bigint, p_priority_max integer, p_slots engine.claim_slots[], p_groups engine.claim_group[], p_shares engine.claim_share[], p_limits engine.claim_limit[]) RETURNS TABLE(task_id uuid, fence integer, route integer, session_id uuid, workflow_id uuid, org_id uuid, priority integer, payload bytea, config_hash bytea, traceparent text, failures integer, incarnation uuid, started boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
declare
    v_want record;
    v_now timestamptz;
    v_slots int;
    v_counted boolean;
begin
    -- Every key in their order, before any is counted: two claims under the same keys never wait
    -- for each other in a ring.
    if cardinality(p_limits) > 0 then
        perform pg_advisory_xact_lock(hashtextextended(k.key, 61))
        from (select distinct l.key from unnest(p_limits) as l order by l.key) as k;
    end if;
    for v_want in
        select
            w.route, count(*)::int as slots,
            array_agg(w.incarnation order by g.n, w.ordinality) as seats,
            array_agg(w.attach_number order by g.n, w.ordinality) as numbers
        from unnest(p_slots) with ordinality as w
        inner join engine.worker as k
            on w.incarnation = k.incarnation and w.attach_number = k.attach_number
        cross join lateral generate_series(1, w.slots) as g (n)
        group by w.route
        order by w.route
    loop
        v_slots := v_want.slots;
        v_counted := false;
        if cardinality(p_limits) > 0
            and exists (select from unnest(p_limits) as l where l.route = v_want.route) then
            v_counted := true;
            v_slots := least(v_slots, engine.headroom_v1(v_want.route, p_limits));
            continue when v_slots = 0;
        end if;

        v_now := clock_timestamp();
        return query
        with ready as (
            select
                x.id, g.org_id, g.priority, g.n,
                -- A priority rises as a whole, by its oldest task: a backlog of one organization
                -- lifts nobody over the others' fresh tasks of the same priority. An id may be
                -- made by a clock that is ahead.
                least(
                    greatest(p_priority_max, g.priority),
                    g.priority + greatest(
                        0,
                        floor(
                            extract(
                                epoch from v_now - min(uuid_extract_timestamp(x.id))
                                over (partition by g.priority)
                            ) * 1000 / p_aging_ms
                        )
                    )
                ) as step,
                row_number() over (partition by g.org_id, g.priority order by x.id) as nth
            from (
                select u.org_id, u.priority, u.from_id, u.depth, u.ordinality as n
                from unnest(p_groups) with ordinality as u
                where u.route = v_want.route
            ) as g
            cross join lateral (
                select t.id
                from engine.task as t
                where
                    t.state = 1 and t.route = v_want.route and t.org_id = g.org_id
                    and t.priority = g.priority and t.id >= g.from_id
                order by t.id
                limit g.depth
            ) as x
        ),

        placed as (
            -- Priorities of one organization that have come to the same step take turns.
            select
                r.id, r.step, r.n,
                coalesce(s.lead, 0) + (
                    row_number() over (
                        partition by r.org_id, r.step order by r.nth, r.priority desc
                    ) - 1
                ) / coalesce(s.weight, 1) as place
            from ready as r
            left join unnest(p_shares) as s on r.org_id = s.org_id
        ),

        ranked as materialized (
            select p.id, row_number() over (order by p.step desc, p.place, p.n, p.id) as rank
            from placed as p
            order by rank
            limit 2 * v_slots + 16
        ),

        taken as materialized (
            -- Skips what another claim takes at this moment: the next in rank will do.
            select t.id, r.rank
            from ranked as r
            cross join lateral (
                select x.id from engine.task as x
                where x.id = r.id and x.state + 0 = 1 and not x.cancelling
                order by x.id
                limit 1
                for no key update skip locked
            ) as t
            order by r.rank
            limit v_slots
        ),

        seated as materialized (
            select k.id, row_number() over (order by k.rank) as seat
            from taken as k
        ),

        claimed as (
            update engine.task as t
            set
                state = 2,
                fence = t.fence + 1,
                rev = t.rev + 1,
                claim_rev = t.rev + 1,
                claimed_at = v_now,
                stamped_at = v_now,
                lease_until = v_now + p_lease_ms * interval '1 millisecond',
                incarnation = v_want.seats[s.seat],
                attach_number = v_want.numbers[s.seat],
                acknowledged = false,
                counted = v_counted
            from seated as s
            where t.id = s.id and t.id = any(array(select k.id from taken as k))
            returning
                t.id, t.fence, t.route, t.session_id, t.workflow_id, t.org_id, t.priority,
                t.failures, t.incarnation, t.started_fence, s.seat
        )

        select
            c.id, c.fence, c.route, c.session_id, c.workflow_id, c.org_id, c.priority::int,
            p.payload, coalesce(w.config_hash, ''), coalesce(w.traceparent, ''), c.failures::int,
            c.incarnation,
            c.started_fence > 0
        from claimed as c
        inner join lateral (
            select x.payload from engine.payload as x where x.task_id = c.id limit 1
        ) as p on true
        left join lateral (
            select x.config_hash, x.traceparent from engine.workflow as x
            where x.id = c.workflow_id limit 1
        ) as w on true
        order by c.seat;
    end loop;
end
$$;


ALTER FUNCTION engine.claim_v2(p_lease_ms bigint, p_aging_ms bigint, p_priority_max integer, p_slots engine.claim_slots[], p_groups engine.claim_group[], p_shares engine.claim_share[], p_limits engine.claim_limit[]) OWNER TO engine_owner;

--
-- Name: close_task(engine.commit_close, engine.commit_result, timestamp with time zone); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.close_task(p_close engine.commit_close, p_result engine.commit_result, p_now timestamp with time zone) RETURNS engine.close_answer
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
declare
    v_task engine.task;
begin
    delete from engine.task as t
    where t.id = p_close.task_id and t.fence = p_close.fence and t.state = p_close.expected
    returning t.* into v_task;
    if
        not found
        or p_result.task_id <> v_task.id
        or p_result.fence <> v_task.fence
        or p_result.workflow_id <> v_task.workflow_id
    then
        raise exception 'engine.close_task: the task is not as it was' using errcode = 'MSE02';
    end if;

    if v_task.state = 2 then
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        values (
            v_task.id, v_task.fence, v_task.workflow_id, v_task.org_id, v_task.step,
            v_task.incarnation, v_task.attach_number, v_task.claim_rev, v_task.rev + 1,
            v_task.claimed_at, p_now, v_task.stamped_at, v_task.lease_until, v_task.acknowledged,
            v_task.started_fence = v_task.fence, p_close.closing, p_close.result_hash,
            p_close.error_code
        );
    end if;
    if p_result.task_id is not null then
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
        )
        values (
            p_result.workflow_id, p_result.step, v_task.org_id, p_result.task_id, p_result.fence,
            v_task.rev + 1, v_task.input_hash, p_result.body, p_result.hash
        );
    end if;
    if v_task.effect >= 3 then
        update engine.effect as e
        set
            state = case
                when v_task.started_fence = 0 then 6
                when p_close.closing = 1 then 3
                when p_close.closing = 2 then 4
                else 5
            end,
            rev = v_task.rev + 1,
            closed_at = p_now
        where e.workflow_id = v_task.workflow_id and e.step = v_task.step;
    end if;
    return (1, (extract(epoch from v_task.claimed_at) * 1000)::bigint, v_task.incarnation)
        ::engine.close_answer;
end
$$;


ALTER FUNCTION engine.close_task(p_close engine.commit_close, p_result engine.commit_result, p_now timestamp with time zone) OWNER TO engine_owner;

--
-- Name: commit_budgeted_v1(bigint, bigint, engine.commit_item[], engine.commit_event[], engine.commit_anchor[], engine.commit_workflow[], engine.commit_close[], engine.commit_mark[], engine.commit_emit[], engine.commit_result[], engine.commit_task[], engine.commit_accept[], engine.commit_consume[], engine.commit_timer[], engine.commit_drop[], engine.commit_dead_letter[], engine.commit_config[], engine.budget_ask[], uuid[], engine.budget_charge[], boolean); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.commit_budgeted_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_asks engine.budget_ask[], p_ended uuid[], p_charges engine.budget_charge[], p_paused boolean, OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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


ALTER FUNCTION engine.commit_budgeted_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_asks engine.budget_ask[], p_ended uuid[], p_charges engine.budget_charge[], p_paused boolean, OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) OWNER TO engine_owner;

--
-- Name: commit_v1(bigint, bigint, engine.commit_item[], engine.commit_event[], engine.commit_anchor[], engine.commit_workflow[], engine.commit_close[], engine.commit_mark[], engine.commit_emit[], engine.commit_result[], engine.commit_task[], engine.commit_accept[], engine.commit_consume[], engine.commit_timer[], engine.commit_drop[], engine.commit_dead_letter[], engine.commit_config[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.commit_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
declare
    v_fits boolean[];
    v_fit boolean;
    v_moves boolean;
    v_closing boolean;
    v_ending boolean;
    v_moved int[];
    v_duplicate int[];
    v_stale int[];
    v_delayed boolean := false;
    v_ended boolean := false;
    v_effects boolean := false;
begin
    -- Heads. Their times bound the proposed ones from below, the database's clock from both sides.
    select
        array_agg(j.fits order by j.item), bool_and(j.fits), array_agg(j.n order by j.item),
        bool_or(j.moves_head), bool_or(j.closed), bool_or(j.to_closed and not j.closed)
    into v_fits, v_fit, deltas_before, v_moves, v_closing, v_ending
    from (
        select
            i.item, i.moves_head, i.closed, i.to_closed,
            h.session_id is not null
            and h.org_id = i.org_id and h.last_seq = i.last_seq and h.hash = i.hash
            and h.status = i.status and h.paused = i.paused and h.closed = i.closed
            and h.active_turn is not distinct from i.active_turn
            and h.turn_first_seq = i.turn_first_seq
            and (
                i.events = 0 or i.to_ts_ms between
                greatest(h.ts_ms, (extract(epoch from clock_timestamp()) * 1000)::bigint - p_drift_ms)
                and greatest(h.ts_ms, (extract(epoch from clock_timestamp()) * 1000)::bigint + p_drift_ms)
            ) as fits,
            case when i.events > 0 then coalesce(h.n, 0) else 0 end as n
        from unnest(p_items) as i
        left join log.lock_v1(array(select s.session_id from unnest(p_items) as s)) as h
            on i.session_id = h.session_id
    ) as j;
    now_ms := (extract(epoch from clock_timestamp()) * 1000)::bigint;

    -- Workflows of items whose head fits; a missing row counts as rev 0.
    if cardinality(p_workflows) > 0 then
        with locked as materialized (
            select w.id, w.rev
            from engine.workflow as w
            where w.id = any(array(select c.id from unnest(p_workflows) as c where v_fits[c.item]))
            order by w.id
            for no key update
        )

        select array_agg(c.item) into v_moved
        from unnest(p_workflows) as c
        left join locked as l on c.id = l.id
        where v_fits[c.item] and coalesce(l.rev, 0) <> c.expected_rev;
    end if;

    -- Tasks. Of items that do not fit anyway they are only looked at.
    if cardinality(p_closes) > 0 or cardinality(p_marks) > 0 or cardinality(p_emits) > 0 then
        with asked as materialized (
            select
                1 as part, c.ordinality as n, c.item, c.task_id, c.fence, c.expected, c.result_hash,
                null::int as counter, c.delay_ms is not null as delayed
            from unnest(p_closes) with ordinality as c
            union all
            select 2, m.ordinality, m.item, m.task_id, m.fence, 2, null, null, false
            from unnest(p_marks) with ordinality as m
            union all
            select 3, e.ordinality, e.item, e.task_id, e.fence, 2, null, e.counter, false
            from unnest(p_emits) with ordinality as e
        ),

        locked as materialized (
            select t.id, t.fence, t.state, t.emit_counter, t.effect, t.claimed_at, t.incarnation
            from engine.task as t
            where t.id = any(array(select a.task_id from asked as a where v_fits[a.item]))
            order by t.id
            for no key update
        ),

        seen as (
            select l.* from locked as l
            union all
            select t.id, t.fence, t.state, t.emit_counter, t.effect, t.claimed_at, t.incarnation
            from engine.task as t
            where
                not v_fit
                and t.id = any(array(select a.task_id from asked as a where not v_fits[a.item]))
                and t.id <> all(array(select l.id from locked as l))
        ),

        judged as (
            select
                a.part, a.n, a.item, a.delayed, t.effect,
                case
                    when t.fence = a.fence and t.state = a.expected
                        then case when a.counter <= t.emit_counter then 2 else 1 end
                    when
                        a.result_hash <> '' and exists (
                            select from engine.attempt as b
                            where
                                b.task_id = a.task_id
                                and b.fence = a.fence
                                and b.result_hash = a.result_hash
                        ) then 2
                    else 3
                end::smallint as verdict,
                (extract(epoch from t.claimed_at) * 1000)::bigint as claimed_ms,
                t.incarnation
            from asked as a
            left join seen as t on a.task_id = t.id
        )

        select
            array_agg((j.verdict, j.claimed_ms, j.incarnation)::engine.close_answer order by j.n)
            filter (where j.part = 1),
            array_agg(j.verdict order by j.n) filter (where j.part = 2),
            array_agg(j.verdict order by j.n) filter (where j.part = 3),
            array_agg(j.item) filter (where j.verdict = 2),
            array_agg(j.item) filter (where j.verdict = 3),
            bool_or(j.delayed),
            bool_or(j.part = 1 and not j.delayed),
            bool_or(j.part = 1 and j.effect >= 3)
        into closes, marks, emits, v_duplicate, v_stale, v_delayed, v_ended, v_effects
        from judged as j;
    end if;

    -- Messages that came before, by their id or by their key.
    if cardinality(p_accepts) > 0 then
        select array_agg(
            (a.item, a.message_id, k.message_id, k.body_hash, k.seq, k.ts_ms, k.turn_id)
            ::engine.known_message
        )
        into known
        from unnest(p_accepts) as a
        cross join lateral (
            select i.message_id, i.body_hash, i.seq, i.ts_ms, i.turn_id
            from engine.inbox as i
            where i.session_id = a.session_id and i.message_id = a.message_id
            union all
            select i.message_id, d.body_hash, i.seq, i.ts_ms, i.turn_id
            from engine.idempotency as d
            inner join engine.inbox as i
                on d.session_id = i.session_id and d.message_id = i.message_id
            where d.session_id = a.session_id and d.key = a.idempotency_key
            limit 1
        ) as k;
        if known is not null then
            v_duplicate := coalesce(v_duplicate, '{}')
            || array(select (k.item) from unnest(known) as k);
        end if;
    end if;

    verdicts := array_fill(1::smallint, array[cardinality(p_items)]);
    if not v_fit or v_moved is not null or v_duplicate is not null or v_stale is not null then
        verdicts := array(
            select
                case
                    when i.item = any(v_duplicate) then 2
                    when i.item = any(v_stale) then 3
                    when not v_fits[i.item] or i.item = any(v_moved) then 5
                    else 1
                end
            from unnest(p_items) as i
            order by i.item
        );
        -- What was fit by itself in an item that is not written: decide again.
        closes := array(
            select (
                case when v_closes.verdict = 1 and verdicts[c.item] <> 1 then 5::smallint else v_closes.verdict end,
                v_closes.claimed_ms, v_closes.incarnation
            )::engine.close_answer
            from unnest(p_closes) with ordinality as c
            inner join unnest(closes) with ordinality as v_closes on c.ordinality = v_closes.ordinality
            order by c.ordinality
        );
        marks := array(
            select case when marks[m.ordinality] = 1 and verdicts[m.item] <> 1 then 5 else marks[m.ordinality] end
            from unnest(p_marks) with ordinality as m
            order by m.ordinality
        );
        emits := array(
            select case when emits[e.ordinality] = 1 and verdicts[e.item] <> 1 then 5 else emits[e.ordinality] end
            from unnest(p_emits) with ordinality as e
            order by e.ordinality
        );
        select l.heads, l.workflows, l.inbox into heads, workflows, inbox
        from engine.load_v1(
            array(select i.session_id from unnest(p_items) as i where verdicts[i.item] = 5)
        ) as l;
        if 1 <> all(verdicts) then
            return;
        end if;
        p_events := array(select c from unnest(p_events) as c where verdicts[c.item] = 1);
        p_anchors := array(select c from unnest(p_anchors) as c where verdicts[c.item] = 1);
        p_workflows := array(select c from unnest(p_workflows) as c where verdicts[c.item] = 1);
        p_closes := array(select c from unnest(p_closes) as c where verdicts[c.item] = 1);
        p_marks := array(select c from unnest(p_marks) as c where verdicts[c.item] = 1);
        p_emits := array(select c from unnest(p_emits) as c where verdicts[c.item] = 1);
        p_results := array(select c from unnest(p_results) as c where verdicts[c.item] = 1);
        p_tasks := array(select c from unnest(p_tasks) as c where verdicts[c.item] = 1);
        p_accepts := array(select c from unnest(p_accepts) as c where verdicts[c.item] = 1);
        p_consumes := array(select c from unnest(p_consumes) as c where verdicts[c.item] = 1);
        p_timers := array(select c from unnest(p_timers) as c where verdicts[c.item] = 1);
        p_dropped := array(select c from unnest(p_dropped) as c where verdicts[c.item] = 1);
        p_dead_letters := array(select c from unnest(p_dead_letters) as c where verdicts[c.item] = 1);
        p_configs := array(select c from unnest(p_configs) as c where verdicts[c.item] = 1);
        p_items := array(select c from unnest(p_items) as c where verdicts[c.item] = 1);
    end if;

    if v_moves then
        perform engine.write_log(p_items, p_events, p_anchors, false);
        if v_closing then
            perform engine.write_log(p_items, p_events, p_anchors, true);
        end if;
    end if;
    if v_ending then
        perform log.close_v1(array_agg(i.session_id), array_agg(i.org_id))
        from unnest(p_items) as i
        where i.to_closed and not i.closed;
    end if;
    if cardinality(p_workflows) > 0 then
        perform engine.write_workflows(p_workflows);
    end if;
    if cardinality(p_marks) > 0 or cardinality(p_emits) > 0 then
        perform engine.write_marks(p_marks, p_emits);
    end if;
    if v_effects then
        perform engine.write_effects(p_closes);
    end if;
    if v_ended or cardinality(p_results) > 0 then
        perform engine.write_closes(p_closes, p_results);
    end if;
    if v_delayed then
        perform engine.write_delays(p_closes);
    end if;
    if cardinality(p_tasks) > 0 then
        unclaimed := engine.write_tasks(p_tasks, p_lease_ms);
    end if;
    if cardinality(p_accepts) > 0 or cardinality(p_consumes) > 0 then
        perform engine.write_inputs(p_accepts, p_consumes);
    end if;
    if cardinality(p_timers) > 0 or cardinality(p_dropped) > 0 then
        perform engine.write_timers(p_timers, p_dropped);
    end if;
    if cardinality(p_dead_letters) > 0 then
        insert into engine.dead_letter (task_id, workflow_id, session_id, org_id, reason, detail)
        select c.task_id, c.workflow_id, c.session_id, c.org_id, c.reason, c.detail
        from unnest(p_dead_letters) as c;
    end if;
    if cardinality(p_configs) > 0 then
        insert into engine.config (hash, org_id, body)
        select c.hash, c.org_id, c.body
        from unnest(p_configs) as c
        order by c.hash
        on conflict (hash) do nothing;
    end if;
end
$$;


ALTER FUNCTION engine.commit_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) OWNER TO engine_owner;

--
-- Name: commit_whole_v1(bigint, bigint, log.head_change[], log.new_event[], engine.commit_workflow[], engine.commit_workflow[], engine.commit_close[], engine.commit_result[], engine.commit_task[], engine.commit_accept[], boolean, engine.commit_consume[], engine.commit_timer[], engine.commit_drop[], engine.commit_config[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.commit_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
declare
    v_rows bigint;
    v_closed bigint;
    v_kept bigint;
    v_effects engine.effect_end[];
    v_now timestamptz;
begin
    begin
        deltas_before := log.append_whole_v1(p_drift_ms, p_heads, p_events);
        v_now := clock_timestamp();
        now_ms := (extract(epoch from v_now) * 1000)::bigint;

        if cardinality(p_moved) = 1 then
            perform engine.move_workflow(p_moved[1]);
        elsif cardinality(p_moved) > 0 then
            update engine.workflow as w
            set
                rev = w.rev + 1,
                outcome = c.outcome,
                state = c.state,
                config_hash = c.config_hash,
                traceparent = c.traceparent
            from unnest(p_moved) as c
            where w.id = c.id and w.rev = c.expected_rev;
            get diagnostics v_rows = row_count;
            if v_rows <> cardinality(p_moved) then
                raise exception 'engine.commit_whole: a workflow has moved' using errcode = 'MSE02';
            end if;
        end if;
        if cardinality(p_started) = 1 then
            perform engine.add_workflow(p_started[1]);
        elsif cardinality(p_started) > 0 then
            insert into engine.workflow (
                id, session_id, org_id, ordinal, outcome, state, config_hash, traceparent, started_ms
            )
            select
                c.id, c.session_id, c.org_id, c.ordinal, c.outcome, c.state, c.config_hash,
                c.traceparent, c.started_ms
            from unnest(p_started) as c;
        end if;

        if cardinality(p_closes) = 1 and cardinality(p_results) <= 1 then
            closes := array[engine.close_task(p_closes[1], p_results[1], v_now)];
        elsif cardinality(p_closes) > 0 or cardinality(p_results) > 0 then
            with gone as (
                delete from engine.task as t
                using unnest(p_closes) with ordinality as c
                where
                    t.id = c.task_id and t.fence = c.fence and t.state = c.expected
                    and t.id = any(array(select x.task_id from unnest(p_closes) as x))
                returning
                    t.id, t.fence, t.workflow_id, t.org_id, t.step, t.incarnation, t.attach_number,
                    t.claim_rev, t.rev, t.claimed_at, t.stamped_at, t.lease_until, t.acknowledged,
                    t.started_fence, t.state, t.input_hash, t.effect, c.closing, c.result_hash,
                    c.error_code, c.ordinality
            ),

            attempts as (
                insert into engine.attempt (
                    task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
                    close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
                    closing, result_hash, error_code
                )
                select
                    g.id, g.fence, g.workflow_id, g.org_id, g.step, g.incarnation, g.attach_number,
                    g.claim_rev, g.rev + 1, g.claimed_at, v_now, g.stamped_at, g.lease_until,
                    g.acknowledged, g.started_fence = g.fence, g.closing, g.result_hash, g.error_code
                from gone as g
                where g.state = 2
            ),

            kept as (
                insert into engine.step_result (
                    workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
                )
                select
                    r.workflow_id, r.step, g.org_id, r.task_id, r.fence, g.rev + 1, g.input_hash, r.body,
                    r.hash
                from unnest(p_results) as r
                inner join gone as g
                    on r.task_id = g.id and r.fence = g.fence and r.workflow_id = g.workflow_id
                returning 1
            )

            select
                count(*), (select count(*) from kept),
                array_agg(
                    (1, (extract(epoch from g.claimed_at) * 1000)::bigint, g.incarnation)
                    ::engine.close_answer
                    order by g.ordinality
                ),
                array_agg(
                    (
                        g.workflow_id, g.step,
                        case
                            when g.started_fence = 0 then 6
                            when g.closing = 1 then 3
                            when g.closing = 2 then 4
                            else 5
                        end,
                        g.rev + 1
                    )::engine.effect_end
                ) filter (where g.effect >= 3)
            into v_closed, v_kept, closes, v_effects
            from gone as g;
            if v_closed <> cardinality(p_closes) or v_kept <> cardinality(p_results) then
                raise exception 'engine.commit_whole: a task is not as it was' using errcode = 'MSE02';
            end if;
            if v_effects is not null then
                update engine.effect as e
                set state = c.state, rev = c.rev, closed_at = v_now
                from unnest(v_effects) as c
                where e.workflow_id = c.workflow_id and e.step = c.step;
            end if;
        end if;

        if cardinality(p_tasks) > 0 then
            unclaimed := engine.write_tasks(p_tasks, p_lease_ms);
        end if;

        -- A message or a key that came before is refused by its row: commit_v1 says whose it is.
        if cardinality(p_accepts) > 0 then
            insert into engine.inbox (
                session_id, message_id, org_id, seq, ts_ms, config_hash, turn_id, controls,
                workflow_id, body_hash
            )
            select
                c.session_id, c.message_id, c.org_id, c.seq, c.ts_ms, c.config_hash, c.turn_id,
                c.controls, c.consumed_by, c.body_hash
            from unnest(p_accepts) as c;
            if p_keyed then
                insert into engine.idempotency (session_id, key, message_id, org_id, body_hash)
                select c.session_id, c.idempotency_key, c.message_id, c.org_id, c.body_hash
                from unnest(p_accepts) as c
                where c.idempotency_key is not null;
            end if;
        end if;
        if cardinality(p_consumes) > 0 then
            perform engine.write_inputs('{}', p_consumes);
        end if;
        if cardinality(p_timers) > 0 or cardinality(p_dropped) > 0 then
            perform engine.write_timers(p_timers, p_dropped);
        end if;
        if cardinality(p_configs) > 0 then
            insert into engine.config (hash, org_id, body)
            select c.hash, c.org_id, c.body
            from unnest(p_configs) as c
            order by c.hash
            on conflict (hash) do nothing;
        end if;
    exception
        -- Undone to the last row; told without an error, for a conflict is nothing unusual.
        when sqlstate 'MSL02' or sqlstate 'MSE01' or sqlstate 'MSE02' or unique_violation then
            now_ms := null;
    end;
end
$$;


ALTER FUNCTION engine.commit_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]) OWNER TO engine_owner;

--
-- Name: commit_workflows_v1(bigint, bigint, engine.commit_item[], engine.commit_event[], engine.commit_anchor[], engine.commit_workflow[], engine.commit_close[], engine.commit_mark[], engine.commit_emit[], engine.commit_result[], engine.commit_task[], engine.commit_accept[], engine.commit_consume[], engine.commit_timer[], engine.commit_drop[], engine.commit_dead_letter[], engine.commit_config[], engine.commit_start[], engine.commit_step[], engine.commit_wait[], engine.commit_end_wait[], engine.commit_signal[], engine.commit_take[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.commit_workflows_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[], OUT starts engine.known_start[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
declare
    v_repeated int[] := '{}';
    v_all_committed boolean;
begin
    if cardinality(p_starts) > 0 then
        starts := engine.write_starts(p_drift_ms, p_items, p_starts);
    end if;
    if cardinality(p_signals) > 0 then
        v_repeated := array(
            select s.item
            from unnest(p_signals) as s
            inner join engine.signal as k
                on s.session_id = k.session_id and s.source = k.source_turn and s.kind = k.kind
            where k.session_id = any(array(select x.session_id from unnest(p_signals) as x))
        );
        if v_repeated <> '{}' then
            p_items := array(
                select
                    case
                        when i.item = any(v_repeated) then (
                            i.item, i.session_id, '00000000-0000-0000-0000-000000000000'::uuid,
                            i.last_seq, i.hash, i.status, i.paused, i.active_turn, i.turn_first_seq,
                            i.closed, i.to_last_seq, i.to_hash, i.to_ts_ms, i.to_status,
                            i.to_active_turn, i.to_turn_first_seq, i.to_closed, i.events,
                            i.close_anchors, i.moves_head
                        )::engine.commit_item
                        else i
                    end
                from unnest(p_items) as i
                order by i.item
            );
        end if;
    end if;
    v_repeated := v_repeated || array(select (k.item) from unnest(starts) as k);

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

    v_all_committed := 1 = all(verdicts);
    if not v_all_committed then
        if exists (
            select from unnest(p_starts) as s
            inner join engine.start as k on s.workflow_id = k.workflow_id
            where verdicts[s.item] <> 1 and s.item <> all(v_repeated)
        ) then
            raise exception 'engine.commit: a start was opened and not committed'
                using errcode = 'MSE01';
        end if;
        verdicts := array(
            select case when v.n = any(v_repeated) then 2 else v.verdict end
            from unnest(verdicts) with ordinality as v (verdict, n)
            order by v.n
        );
        p_steps := array(select c from unnest(p_steps) as c where verdicts[c.item] = 1);
        p_waits := array(select c from unnest(p_waits) as c where verdicts[c.item] = 1);
        p_ended_waits := array(select c from unnest(p_ended_waits) as c where verdicts[c.item] = 1);
        p_signals := array(select c from unnest(p_signals) as c where verdicts[c.item] = 1);
        p_takes := array(select c from unnest(p_takes) as c where verdicts[c.item] = 1);
    end if;

    if cardinality(p_steps) > 0 then
        perform engine.write_steps(p_steps);
    end if;
    if
        cardinality(p_waits) > 0 or cardinality(p_ended_waits) > 0
        or cardinality(p_signals) > 0 or cardinality(p_takes) > 0
    then
        perform engine.write_waits(p_waits, p_ended_waits, p_signals, p_takes);
    end if;
end
$$;


ALTER FUNCTION engine.commit_workflows_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[], OUT starts engine.known_start[]) OWNER TO engine_owner;

--
-- Name: commit_workflows_whole_v1(bigint, bigint, log.head_change[], log.new_event[], engine.commit_workflow[], engine.commit_workflow[], engine.commit_close[], engine.commit_result[], engine.commit_task[], engine.commit_accept[], boolean, engine.commit_consume[], engine.commit_timer[], engine.commit_drop[], engine.commit_config[], engine.commit_start[], engine.commit_emit[], engine.commit_step[], engine.commit_wait[], engine.commit_end_wait[], engine.commit_signal[], engine.commit_take[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.commit_workflows_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_emits engine.commit_emit[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
declare
    v_rows bigint;
begin
    begin
        if cardinality(p_starts) = 1 then
            perform engine.write_start(p_starts[1]);
        elsif cardinality(p_starts) > 0 then
            insert into engine.start (workflow_id, org_id, type, key, queue, hash, started_ms)
            select s.workflow_id, s.org_id, s.type, s.key, s.queue, s.hash, s.started_ms
            from unnest(p_starts) as s
            order by s.org_id, s.key;
            perform log.open_empty_v1(array_agg(s.workflow_id), array_agg(s.org_id))
            from unnest(p_starts) as s;
        end if;

        select c.now_ms, c.deltas_before, c.closes, c.unclaimed
        into now_ms, deltas_before, closes, unclaimed
        from engine.commit_whole_v1(
            p_lease_ms, p_drift_ms, p_heads, p_events, p_started, p_moved, p_closes, p_results,
            p_tasks, p_accepts, p_keyed, p_consumes, p_timers, p_dropped, p_configs
        ) as c;
        if now_ms is null then
            raise exception 'engine.commit_workflows_whole: it does not fit' using errcode = 'MSE02';
        end if;

        if cardinality(p_emits) > 0 then
            update engine.task as t
            set emit_counter = e.counter, rev = t.rev + 1
            from (
                select x.task_id, x.fence, min(x.counter) as first, max(x.counter) as counter
                from unnest(p_emits) as x
                group by x.task_id, x.fence
            ) as e
            where
                t.id = e.task_id and t.fence = e.fence and t.state + 0 = 2
                and t.emit_counter < e.first
                and t.id = any(array(select x.task_id from unnest(p_emits) as x));
            get diagnostics v_rows = row_count;
            if v_rows <> (select count(distinct x.task_id) from unnest(p_emits) as x) then
                raise exception 'engine.commit_workflows_whole: an attempt has moved'
                    using errcode = 'MSE02';
            end if;
        end if;
        if cardinality(p_steps) > 0 then
            perform engine.write_steps(p_steps);
        end if;
        if
            cardinality(p_waits) > 0 or cardinality(p_ended_waits) > 0
            or cardinality(p_signals) > 0 or cardinality(p_takes) > 0
        then
            perform engine.write_waits(p_waits, p_ended_waits, p_signals, p_takes);
        end if;
    exception
        -- Undone to the last row; told without an error, for a conflict is nothing unusual.
        when sqlstate 'MSL02' or sqlstate 'MSE01' or sqlstate 'MSE02' or unique_violation then
            now_ms := null;
    end;
end
$$;


ALTER FUNCTION engine.commit_workflows_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_emits engine.commit_emit[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]) OWNER TO engine_owner;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: budget; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.budget (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    subject_type text NOT NULL,
    subject_id uuid NOT NULL,
    currency text NOT NULL,
    allowed bigint NOT NULL,
    soft bigint,
    balance bigint NOT NULL,
    reserved bigint DEFAULT 0 NOT NULL,
    status smallint DEFAULT 1 NOT NULL,
    warned boolean DEFAULT false NOT NULL,
    deleted boolean DEFAULT false NOT NULL,
    metadata bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    period_kind smallint,
    period_seconds bigint,
    period_text text,
    period_started_at timestamp with time zone,
    renews_at timestamp with time zone,
    CONSTRAINT budget_allowed_check CHECK ((allowed >= 0)),
    CONSTRAINT budget_reserved_check CHECK ((reserved >= 0)),
    CONSTRAINT budget_soft_check CHECK ((soft >= 0)),
    CONSTRAINT budget_status_check CHECK (((status >= 1) AND (status <= 3)))
)
WITH (fillfactor='70');


ALTER TABLE engine.budget OWNER TO engine_owner;

--
-- Name: budget_entry; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.budget_entry (
    id uuid NOT NULL,
    budget_id uuid NOT NULL,
    amount bigint NOT NULL,
    source text NOT NULL,
    description text,
    task_id uuid,
    session_id uuid,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


ALTER TABLE engine.budget_entry OWNER TO engine_owner;

--
-- Name: create_budget_v2(uuid, uuid, uuid, text, uuid, text, bigint, bigint, bytea, smallint, bigint, text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.create_budget_v2(p_org uuid, p_id uuid, p_entry uuid, p_subject_type text, p_subject_id uuid, p_currency text, p_allowed bigint, p_soft bigint, p_metadata bytea, p_period_kind smallint, p_period_seconds bigint, p_period_text text) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 INSERT INTO engine.budget (id, org_id, subject_type, subject_id, currency, allowed, soft, balance, metadata, period_kind, period_seconds, period_text, period_started_at, renews_at)  SELECT create_budget_v2.p_id AS p_id,
             create_budget_v2.p_org AS p_org,
             create_budget_v2.p_subject_type AS p_subject_type,
             create_budget_v2.p_subject_id AS p_subject_id,
             create_budget_v2.p_currency AS p_currency,
             create_budget_v2.p_allowed AS p_allowed,
             create_budget_v2.p_soft AS p_soft,
             create_budget_v2.p_allowed AS p_allowed,
             create_budget_v2.p_metadata AS p_metadata,
             create_budget_v2.p_period_kind AS p_period_kind,
             create_budget_v2.p_period_seconds AS p_period_seconds,
             create_budget_v2.p_period_text AS p_period_text,
             p.started,
             p.renews
            FROM (( SELECT clock_timestamp() AS at) n
              LEFT JOIN LATERAL engine.budget_period(create_budget_v2.p_period_kind, create_budget_v2.p_period_seconds, create_budget_v2.p_period_text, n.at, n.at) p(started, renews) ON ((create_budget_v2.p_period_kind IS NOT NULL)));
 INSERT INTO engine.budget_entry (id, budget_id, amount, source)
   VALUES (create_budget_v2.p_entry, create_budget_v2.p_id, create_budget_v2.p_allowed, 'limit'::text)
   RETURNING budget_entry.budget_id;
END;


ALTER FUNCTION engine.create_budget_v2(p_org uuid, p_id uuid, p_entry uuid, p_subject_type text, p_subject_id uuid, p_currency text, p_allowed bigint, p_soft bigint, p_metadata bytea, p_period_kind smallint, p_period_seconds bigint, p_period_text text) OWNER TO engine_owner;

--
-- Name: credit_budget_v1(uuid, uuid, uuid, bigint, text, text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.credit_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_amount bigint, p_source text, p_description text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform from engine.budget as b
    where b.id = p_id and b.org_id = p_org and not b.deleted
    for no key update;
    if not found then
        return null;
    end if;
    perform engine.renew_budgets(array[p_id]);
    update engine.budget as b
    set
        balance = b.balance + p_amount,
        warned = false,
        updated_at = clock_timestamp()
    where b.id = p_id;
    insert into engine.budget_entry (id, budget_id, amount, source, description)
    values (p_entry, p_id, p_amount, p_source, p_description);
    return p_id;
end
$$;


ALTER FUNCTION engine.credit_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_amount bigint, p_source text, p_description text) OWNER TO engine_owner;

--
-- Name: draw_tokens_v3(engine.token_draw[], text[], bigint[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.draw_tokens_v3(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]) RETURNS TABLE(key text, granted integer, wait_ms bigint, drawn_us bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_now_us bigint;
begin
    insert into engine.bucket (key, tokens, filled_at)
    select d.key, l.burst, clock_timestamp()
    from unnest(p_draws) with ordinality as d
    inner join engine.key_limit as l on l.key = p_rows[d.ordinality]
    where l.rate is not null and l.key <> d.key
    order by d.key
    on conflict do nothing;

    perform
    from engine.bucket as b
    where b.key = any(array(select d.key from unnest(p_draws) as d))
    order by b.key
    for no key update;
    v_now := clock_timestamp();
    v_now_us := extract(epoch from v_now) * 1000000;

    return query
    with filled as (
        select
            b.key, d.wanted, l.every_ms,
            least(
                l.burst,
                b.tokens
                + greatest(
                    0,
                    d.returned - (v_now_us - p_drawn_us[d.ordinality]) / 1000.0 / l.every_ms
                )
                + extract(epoch from v_now - b.filled_at) * 1000 / l.every_ms
            ) as tokens
        from unnest(p_draws) with ordinality as d
        inner join engine.bucket as b on d.key = b.key
        inner join engine.key_limit as l on l.key = p_rows[d.ordinality]
        where l.rate is not null
    ),

    given as (
        select
            f.key, f.every_ms, f.tokens,
            -- What came back at once is whole again, whatever sums of floats say.
            least(f.wanted, floor(f.tokens + 1e-6))::int as granted
        from filled as f
    ),

    drawn as (
        update engine.bucket as b
        set tokens = g.tokens - g.granted, filled_at = v_now
        from given as g
        where b.key = g.key
    )

    select
        g.key, g.granted,
        ceil(greatest(0, 1 - (g.tokens - g.granted)) * g.every_ms)::bigint,
        v_now_us
    from given as g
    order by g.key;
end
$$;


ALTER FUNCTION engine.draw_tokens_v3(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]) OWNER TO engine_owner;

--
-- Name: draw_tokens_v4(engine.token_draw[], text[], bigint[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.draw_tokens_v4(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]) RETURNS TABLE(key text, granted integer, wait_ms bigint, drawn_us bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_now_us bigint;
begin
    insert into engine.bucket (key, tokens, filled_at)
    select d.key, l.burst, clock_timestamp()
    from unnest(p_draws) with ordinality as d
    inner join engine.key_limit as l on l.key = p_rows[d.ordinality]
    where l.rate is not null and l.key <> d.key
    order by d.key
    on conflict do nothing;

    perform
    from engine.bucket as b
    where b.key = any(array(select d.key from unnest(p_draws) as d))
    order by b.key
    for no key update;
    v_now := clock_timestamp();
    v_now_us := extract(epoch from v_now) * 1000000;

    return query
    with filled as (
        select
            b.key, d.wanted, l.every_ms,
            least(
                l.burst,
                b.tokens
                + greatest(
                    0,
                    d.returned - (v_now_us - p_drawn_us[d.ordinality]) / 1000.0 / l.every_ms
                )
                + greatest(0, extract(epoch from v_now - b.filled_at)) * 1000 / l.every_ms
            ) as tokens
        from unnest(p_draws) with ordinality as d
        inner join engine.bucket as b on d.key = b.key
        inner join engine.key_limit as l on l.key = p_rows[d.ordinality]
        where l.rate is not null
    ),

    given as (
        select
            f.key, f.every_ms, f.tokens,
            -- What came back at once is whole again, whatever sums of floats say.
            greatest(0, least(f.wanted, floor(f.tokens + 1e-6)))::int as granted
        from filled as f
    ),

    drawn as (
        update engine.bucket as b
        set tokens = g.tokens - g.granted, filled_at = v_now
        from given as g
        where b.key = g.key
    )

    select
        g.key, g.granted,
        ceil(greatest(0, 1 - (g.tokens - g.granted)) * g.every_ms)::bigint,
        v_now_us
    from given as g
    order by g.key;
end
$$;


ALTER FUNCTION engine.draw_tokens_v4(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]) OWNER TO engine_owner;

--
-- Name: drop_budget_v1(uuid, uuid); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.drop_budget_v1(p_org uuid, p_id uuid) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    update engine.budget as b
    set deleted = true, reserved = 0, updated_at = clock_timestamp()
    where b.id = p_id and b.org_id = p_org and not b.deleted;
    if not found then
        return null;
    end if;
    delete from engine.budget_hold as h where h.budget_id = p_id;
    return p_id;
end
$$;


ALTER FUNCTION engine.drop_budget_v1(p_org uuid, p_id uuid) OWNER TO engine_owner;

--
-- Name: drop_limit_v1(text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.drop_limit_v1(p_key text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    update engine.board set version = version + 1;
    delete from engine.bucket where key = p_key;
    delete from engine.key_limit where key = p_key;
    return found;
end
$$;


ALTER FUNCTION engine.drop_limit_v1(p_key text) OWNER TO engine_owner;

--
-- Name: end_tasks_v1(engine.plain_end[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.end_tasks_v1(p_ends engine.plain_end[]) RETURNS smallint[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_nestloop TO 'off'
    AS $$
declare
    v_now timestamptz := clock_timestamp();
    v_verdicts smallint[];
begin
    with asked as materialized (
        select e.*, e.ordinality as n from unnest(p_ends) with ordinality as e
    ),

    locked as materialized (
        select t.id, t.fence, t.state, t.lease_until
        from engine.task as t
        where t.id = any(array(select a.task_id from asked as a)) and t.kind = 4
        order by t.id
        for update
    ),

    fit as materialized (
        select distinct on (a.task_id) a.*
        from asked as a
        inner join locked as l on a.task_id = l.id
        where
            l.state = 2 and l.fence = a.fence
            and (not a.expired_only or l.lease_until < v_now)
        order by a.task_id, a.n
    ),

    gone as (
        delete from engine.task as t
        using fit as f
        where
            f.delay_ms is null and t.id = f.task_id
            and t.id = any(array(select x.task_id from fit as x))
        returning
            t.id, t.fence, t.org_id, t.step, t.incarnation, t.attach_number, t.claim_rev, t.rev + 1 as rev,
            t.claimed_at, t.stamped_at, t.lease_until, t.acknowledged, t.input_hash,
            f.closing, f.result_hash, f.error_code, f.body, f.reason, f.detail
    ),

    delayed as (
        update engine.task as t
        set
            state = 3, rev = t.rev + 1,
            run_at = v_now + f.delay_ms * interval '1 millisecond',
            lease_until = null, incarnation = null, attach_number = null,
            acknowledged = false,
            failures = t.failures + f.counts_failure::int,
            deaths = t.deaths + f.counts_death::int,
            uncounted = t.uncounted + (not (f.counts_failure or f.counts_death))::int
        from fit as f
        where
            f.delay_ms is not null and t.id = f.task_id
            and t.id = any(array(select x.task_id from fit as x))
        returning
            t.id, t.fence, t.org_id, t.step, old.incarnation, old.attach_number, t.claim_rev, t.rev,
            t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
            f.closing, f.result_hash, f.error_code
    ),

    attempts as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        select
            x.id, x.fence, x.id, x.org_id, x.step, x.incarnation, x.attach_number, x.claim_rev,
            x.rev, x.claimed_at, v_now, x.stamped_at, x.lease_until, x.acknowledged, false,
            x.closing, x.result_hash, x.error_code
        from (
            select
                g.id, g.fence, g.org_id, g.step, g.incarnation, g.attach_number, g.claim_rev, g.rev,
                g.claimed_at, g.stamped_at, g.lease_until, g.acknowledged, g.closing,
                g.result_hash, g.error_code
            from gone as g
            union all
            select * from delayed as d
        ) as x
    ),

    kept as (
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
        )
        select
            g.id, 'task', g.org_id, g.id, g.fence, g.rev, g.input_hash, g.body, sha256(g.body)
        from gone as g
        where g.body is not null
    ),

    letters as (
        insert into engine.dead_letter (task_id, workflow_id, session_id, org_id, reason, detail)
        select g.id, g.id, g.id, g.org_id, g.reason, g.detail
        from gone as g
        where g.reason is not null
    )

    select array_agg(
        case
            when f.n is not null then 1
            when exists (
                select from engine.attempt as x
                where
                    x.task_id = a.task_id and x.fence = a.fence
                    and x.result_hash = a.result_hash and a.result_hash <> ''
            ) then 2
            else 3
        end::smallint
        order by a.n
    )
    into v_verdicts
    from asked as a
    left join fit as f on a.n = f.n;
    return v_verdicts;
end
$$;


ALTER FUNCTION engine.end_tasks_v1(p_ends engine.plain_end[]) OWNER TO engine_owner;

--
-- Name: forget_buckets_v1(integer); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.forget_buckets_v1(p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_forgotten int;
begin
    delete from engine.bucket as b
    where b.key in (
        select x.key
        from engine.bucket as x
        left join lateral (
            select l.burst, l.every_ms
            from engine.key_limit as l
            where right(l.key, 1) = '*' and starts_with(x.key, left(l.key, -1))
            order by length(l.key) desc
            limit 1
        ) as f on true
        where
            not exists (select from engine.key_limit as l where l.key = x.key)
            and (
                f.every_ms is null
                or f.burst <= x.tokens
                + extract(epoch from clock_timestamp() - x.filled_at) * 1000 / f.every_ms
            )
        order by x.key
        limit p_limit
        -- Skips those of a draw that is under way: they are in use.
        for update of x skip locked
    );
    get diagnostics v_forgotten = row_count;
    return v_forgotten;
end
$$;


ALTER FUNCTION engine.forget_buckets_v1(p_limit integer) OWNER TO engine_owner;

--
-- Name: forget_keys_v1(bigint, integer); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.forget_keys_v1(p_older_than_ms bigint, p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    -- Once: the index is not asked by a clock that moves.
    v_before timestamptz := clock_timestamp() - p_older_than_ms * interval '1 millisecond';
    v_count int;
begin
    delete from engine.idempotency
    where ctid = any(
        array(
            select k.ctid
            from engine.idempotency as k
            where k.created_at < v_before
            order by k.created_at
            limit p_limit
            -- Skips what another replica removes at this moment: it will be gone either way.
            for update skip locked
        )
    );
    get diagnostics v_count = row_count;
    return v_count;
end
$$;


ALTER FUNCTION engine.forget_keys_v1(p_older_than_ms bigint, p_limit integer) OWNER TO engine_owner;

--
-- Name: headroom_v1(integer, engine.claim_limit[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.headroom_v1(p_route integer, p_limits engine.claim_limit[]) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return (
        select greatest(0, min(l.at_once - engine.running_v1(l.key)))
        from unnest(p_limits) as l
        where l.route = p_route
    );
end
$$;


ALTER FUNCTION engine.headroom_v1(p_route integer, p_limits engine.claim_limit[]) OWNER TO engine_owner;

--
-- Name: hold_budgets(uuid, engine.budget_ask[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.hold_budgets(p_session uuid, p_asks engine.budget_ask[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_held bigint;
begin
    -- What is held for a task that is gone was missed by who closed it.
    with gone as (
        delete from engine.budget_hold as h
        where
            h.budget_id = any(array(select a.budget_id from unnest(p_asks) as a))
            -- Not made a join of, which would read every task.
            and not exists (select from engine.task as t where t.id = h.task_id offset 0)
        returning h.budget_id, h.amount
    )

    update engine.budget as b
    set reserved = b.reserved - s.held
    from (select g.budget_id, sum(g.amount) as held from gone as g group by g.budget_id) as s
    where b.id = s.budget_id;

    with asked as (
        select
            a.task_id, a.budget_id, a.amount, a.warns, b.balance,
            b.reserved + coalesce(sum(a.amount) over before, 0) as reserved
        from unnest(p_asks) with ordinality as a (task_id, budget_id, amount, warns, place)
        inner join engine.budget as b
            on a.budget_id = b.id and not b.deleted and b.status <> 2
        window before as (
            partition by a.budget_id order by a.place
            rows between unbounded preceding and 1 preceding
        )
    ),

    held as (
        insert into engine.budget_hold (task_id, budget_id, session_id, amount, source)
        select
            a.task_id, a.budget_id, p_session, least(a.amount, a.balance - a.reserved),
            case t.kind when 2 then 'tool_call' else 'model_call' end
        from asked as a
        left join lateral (
            select x.kind from engine.task as x where x.id = a.task_id limit 1
        ) as t on true
        where
            a.balance - a.reserved >= a.amount
            or (a.reserved = 0 and a.balance > 0)
        returning task_id, budget_id, amount
    ),

    told as (
        update engine.budget as b
        set reserved = b.reserved + s.amount, warned = b.warned or s.warns
        from (
            select h.budget_id, sum(h.amount) as amount, bool_or(a.warns) as warns
            from held as h
            inner join asked as a on h.task_id = a.task_id and h.budget_id = a.budget_id
            group by h.budget_id
        ) as s
        where b.id = s.budget_id
    )

    select count(*) into v_held from held;
    if v_held < cardinality(p_asks) then
        raise exception 'engine.commit: a budget is short' using errcode = 'MSB01';
    end if;
end
$$;


ALTER FUNCTION engine.hold_budgets(p_session uuid, p_asks engine.budget_ask[]) OWNER TO engine_owner;

--
-- Name: hold_v1(uuid, integer); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.hold_v1(p_task uuid, p_fence integer) RETURNS TABLE(session_id uuid, org_id uuid)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
    return query
    select t.session_id, t.org_id
    from engine.task as t
    where t.id = p_task and t.fence = p_fence and t.state = 2
    for share;
end
$$;


ALTER FUNCTION engine.hold_v1(p_task uuid, p_fence integer) OWNER TO engine_owner;

--
-- Name: input_of_v1(text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.input_of_v1(p_bound text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (COALESCE("substring"(p_bound, '^[a-j][0-9]+~'::text), ''::text) || '0'::text);


ALTER FUNCTION engine.input_of_v1(p_bound text) OWNER TO engine_owner;

--
-- Name: is_input_v1(text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.is_input_v1(p_step text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (p_step ~ '^([a-j][0-9]+~)?0$'::text);


ALTER FUNCTION engine.is_input_v1(p_step text) OWNER TO engine_owner;

--
-- Name: load_v1(uuid[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.load_v1(p_sessions uuid[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
begin
    heads := array(
        select (
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.paused,
            h.active_turn, h.turn_first_seq, h.closed
        )::engine.head_view
        from log.heads_v1(p_sessions) as h
    );
    workflows := array(
        select (
            w.id, w.session_id, w.org_id, w.ordinal, w.rev, w.outcome, w.state, w.config_hash,
            w.traceparent, w.started_ms
        )::engine.workflow_view
        from unnest(p_sessions) as s (session_id)
        cross join lateral (
            select n.* from engine.workflow as n
            where n.session_id = s.session_id
            order by n.ordinal desc
            limit 1
        ) as w
    );
    inbox := array(
        select (i.session_id, i.message_id, i.seq, i.config_hash, i.controls)::engine.inbox_view
        from engine.inbox as i
        where i.session_id = any(p_sessions) and i.workflow_id is null
        order by i.session_id, coalesce(i.place, i.seq)
    );
end
$$;


ALTER FUNCTION engine.load_v1(p_sessions uuid[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) OWNER TO engine_owner;

--
-- Name: make_partitions_v1(bigint, bigint); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.make_partitions_v1(p_from_ms bigint, p_until_ms bigint) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
    v_week bigint := p_from_ms - mod(p_from_ms - 345600000, 604800000);
    v_parent text;
    v_name text;
    v_made int := 0;
begin
    if p_until_ms - p_from_ms > 60 * 604800000::bigint then
        raise exception 'engine.make_partitions_v1: at most 60 weeks at once';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('engine.make_partitions_v1', 0));
    while v_week <= p_until_ms loop
        foreach v_parent in array
            array['payload', 'attempt', 'attempt_error', 'step_result', 'effect']
        loop
            v_name := v_parent || '_'
                || to_char(to_timestamp(v_week / 1000) at time zone 'UTC', 'IYYY"w"IW');
            continue when to_regclass('engine.' || v_name) is not null;
            -- Attaching takes a weaker lock on the parent than `create table … partition of`:
            -- writers go on.
            execute format('create table engine.%I (like engine.%I including all)', v_name, v_parent);
            execute format(
                'create trigger %I before truncate on engine.%I '
                'for each statement execute function engine.refuse_change_v1()',
                v_parent || '_is_not_truncated', v_name
            );
            execute format(
                'alter table engine.%I attach partition engine.%I for values from (%L) to (%L)',
                v_parent, v_name,
                engine.uuid_at_ms(v_week), engine.uuid_at_ms(v_week + 604800000)
            );
            v_made := v_made + 1;
        end loop;
        v_week := v_week + 604800000;
    end loop;
    return v_made;
end
$$;


ALTER FUNCTION engine.make_partitions_v1(p_from_ms bigint, p_until_ms bigint) OWNER TO engine_owner;

--
-- Name: move_circuits_v1(engine.circuit_move[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.move_circuits_v1(p_moves engine.circuit_move[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_version bigint;
    v_now timestamptz;
begin
    update engine.board set version = version + 1 returning version into v_version;
    v_now := clock_timestamp();

    update engine.circuit as c
    set
        rev = v_version,
        state = m.state,
        forced = m.forced,
        failures = m.failures,
        successes = m.successes,
        trips = m.trips,
        reason = m.reason,
        until_at = v_now + m.wait_ms * interval '1 millisecond',
        prober = m.prober,
        last_failure_at = case
            when m.state = 2 and not m.forced then v_now else c.last_failure_at
        end,
        opened_at = case when m.state = 2 then v_now else c.opened_at end,
        half_open_at = case when m.state = 3 then v_now else c.half_open_at end
    from unnest(p_moves) as m
    where c.key = m.key and c.rev = m.expected_rev;

    insert into engine.circuit (
        key, rev, state, forced, failures, successes, trips, reason, until_at, prober,
        last_failure_at, opened_at, half_open_at
    )
    select
        m.key, v_version, m.state, m.forced, m.failures, m.successes, m.trips, m.reason,
        v_now + m.wait_ms * interval '1 millisecond', m.prober,
        case when m.state = 2 and not m.forced then v_now end,
        case when m.state = 2 then v_now end,
        case when m.state = 3 then v_now end
    from unnest(p_moves) as m
    where m.expected_rev = 0
    on conflict (key) do nothing;
    return v_version;
end
$$;


ALTER FUNCTION engine.move_circuits_v1(p_moves engine.circuit_move[]) OWNER TO engine_owner;

--
-- Name: move_workflow(engine.commit_workflow); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.move_workflow(p_workflow engine.commit_workflow) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    update engine.workflow as w
    set
        rev = w.rev + 1,
        outcome = p_workflow.outcome,
        state = p_workflow.state,
        config_hash = p_workflow.config_hash,
        traceparent = p_workflow.traceparent
    where w.id = p_workflow.id and w.rev = p_workflow.expected_rev;
    if not found then
        raise exception 'engine.move_workflow: the workflow has moved' using errcode = 'MSE02';
    end if;
end
$$;


ALTER FUNCTION engine.move_workflow(p_workflow engine.commit_workflow) OWNER TO engine_owner;

--
-- Name: place_order(text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.place_order(p_step text) RETURNS integer[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE WHEN (p_step ~ '^[1-9][0-9]*(/[1-9][0-9]*)*$'::text) THEN (string_to_array(p_step, '/'::text))::integer[] ELSE NULL::integer[] END;


ALTER FUNCTION engine.place_order(p_step text) OWNER TO engine_owner;

--
-- Name: place_before(text, text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.place_before(p_step text, p_bound text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (starts_with(p_step, COALESCE("substring"(p_bound, '^[a-j][0-9]+~'::text), ''::text)) AND COALESCE(((p_bound = ''::text) OR (p_bound ~ '~$'::text) OR (engine.place_order("substring"(p_step, '[^~]*$'::text)) < engine.place_order("substring"(p_bound, '[^~]*$'::text)))), false) AND (engine.place_order(substr(p_step, (length(COALESCE("substring"(p_bound, '^[a-j][0-9]+~'::text), ''::text)) + 1))) IS NOT NULL));


ALTER FUNCTION engine.place_before(p_step text, p_bound text) OWNER TO engine_owner;

--
-- Name: place_inbox_v1(uuid, uuid[], bigint[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.place_inbox_v1(p_session uuid, p_messages uuid[], p_places bigint[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_moved int;
begin
    update engine.inbox as i
    set place = m.place
    from unnest(p_messages, p_places) as m (message_id, place)
    where i.session_id = p_session and i.message_id = m.message_id and i.workflow_id is null;
    get diagnostics v_moved = row_count;
    if v_moved <> cardinality(p_messages) then
        raise exception 'engine.place_inbox: % of % moved messages were waiting',
            v_moved, cardinality(p_messages) using errcode = 'MSE01';
    end if;
    return v_moved;
end
$$;


ALTER FUNCTION engine.place_inbox_v1(p_session uuid, p_messages uuid[], p_places bigint[]) OWNER TO engine_owner;

--
-- Name: progress; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.progress (
    task_id uuid NOT NULL,
    step text NOT NULL,
    fence integer NOT NULL,
    counter integer NOT NULL,
    rev bigint NOT NULL,
    details bytea NOT NULL
)
WITH (fillfactor='70');


ALTER TABLE engine.progress OWNER TO engine_owner;

--
-- Name: progress_of_v1(uuid, integer); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.progress_of_v1(p_task_id uuid, p_limit integer) RETURNS engine.progress[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return array(
        select p
        from engine.progress as p
        where p.task_id = p_task_id
        order by p.rev desc, p.step
        limit p_limit
    );
end
$$;


ALTER FUNCTION engine.progress_of_v1(p_task_id uuid, p_limit integer) OWNER TO engine_owner;

--
-- Name: ready_groups_v1(integer, uuid, integer, integer); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.ready_groups_v1(p_route integer, p_org uuid, p_priority integer, p_groups_max integer) RETURNS TABLE(route integer, org_id uuid, priority integer, from_id uuid)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
begin
    return query
    with recursive found as (
        select p_route as route, p_org as org_id, p_priority as priority, p_org as id, 0 as place
        union all
        select n.route, n.org_id, n.priority::int, n.id, f.place + 1
        from found as f
        cross join lateral (
            (
                select t.route, t.org_id, t.priority, t.id
                from engine.task as t
                where
                    t.state = 1 and t.route = f.route and t.org_id = f.org_id
                    and t.priority < f.priority
                order by t.priority desc, t.id
                limit 1
            )
            union all
            (
                select t.route, t.org_id, t.priority, t.id
                from engine.task as t
                where t.state = 1 and t.route = f.route and t.org_id > f.org_id
                order by t.org_id, t.priority desc, t.id
                limit 1
            )
            union all
            (
                select t.route, t.org_id, t.priority, t.id
                from engine.task as t
                where t.state = 1 and t.route > f.route
                order by t.route, t.org_id, t.priority desc, t.id
                limit 1
            )
            limit 1
        ) as n
        where f.place < p_groups_max
    )

    select f.route, f.org_id, f.priority, f.id from found as f where f.place > 0 order by f.place;
end
$$;


ALTER FUNCTION engine.ready_groups_v1(p_route integer, p_org uuid, p_priority integer, p_groups_max integer) OWNER TO engine_owner;

--
-- Name: refuse_change_v1(); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.refuse_change_v1() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    -- One after the other: other tables have no such column.
    if tg_op = 'DELETE' and tg_table_name like 'step\_result%' then
        if old.checkpoint and current_setting('engine.trims', true) = 'records' then
            return old;
        end if;
    end if;
    raise exception '% of %.% is refused: its rows are final', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;


ALTER FUNCTION engine.refuse_change_v1() OWNER TO engine_owner;

--
-- Name: refuse_entry_change(); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.refuse_entry_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception 'entries of a budget never change' using errcode = 'MSE02';
end
$$;


ALTER FUNCTION engine.refuse_entry_change() OWNER TO engine_owner;

--
-- Name: refuse_way_back_v1(); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.refuse_way_back_v1() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    raise exception 'effect %: % does not follow %', old.step, new.state, old.state
        using errcode = 'object_not_in_prerequisite_state';
end
$$;


ALTER FUNCTION engine.refuse_way_back_v1() OWNER TO engine_owner;

--
-- Name: renew_budgets(uuid[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.renew_budgets(p_ids uuid[]) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
 WITH due AS (
          SELECT b_1.id,
             (b_1.allowed - b_1.balance) AS amount,
             p.started,
             p.renews
            FROM (engine.budget b_1
              CROSS JOIN LATERAL engine.budget_period(b_1.period_kind, b_1.period_seconds, b_1.period_text, b_1.period_started_at, clock_timestamp()) p(started, renews))
           WHERE ((b_1.id = ANY (renew_budgets.p_ids)) AND (b_1.renews_at <= clock_timestamp()))
         ), told AS (
          INSERT INTO engine.budget_entry (id, budget_id, amount, source)  SELECT gen_random_uuid() AS gen_random_uuid,
                     d_1.id,
                     d_1.amount,
                     'renewal'
                    FROM due d_1
                   WHERE (d_1.amount <> 0)
         )
  UPDATE engine.budget b SET balance = (b.balance + d.amount), warned = false, period_started_at = d.started, renews_at = d.renews, updated_at = clock_timestamp()
    FROM due d
   WHERE (b.id = d.id);
END;


ALTER FUNCTION engine.renew_budgets(p_ids uuid[]) OWNER TO engine_owner;

--
-- Name: reset_circuit_v1(text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.reset_circuit_v1(p_key text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    update engine.board set version = version + 1;
    delete from engine.circuit where key = p_key;
    return found;
end
$$;


ALTER FUNCTION engine.reset_circuit_v1(p_key text) OWNER TO engine_owner;

--
-- Name: routes_v1(text[], text[], text[], text[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.routes_v1(p_queue text[], p_capability text[], p_build text[], p_model text[]) RETURNS integer[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into engine.route (queue, capability, build, model)
    select distinct p.queue, p.capability, p.build, p.model
    from unnest(p_queue, p_capability, p_build, p_model) as p (queue, capability, build, model)
    where not exists (
        select from engine.route as r
        where
            r.queue = p.queue and r.capability = p.capability
            and r.build = p.build and r.model = p.model
    )
    order by p.queue, p.capability, p.build, p.model
    on conflict do nothing;
    return array(
        select r.id
        from unnest(p_queue, p_capability, p_build, p_model) with ordinality
            as p (queue, capability, build, model, n)
        inner join engine.route as r
            on
                p.queue = r.queue and p.capability = r.capability
                and p.build = r.build and p.model = r.model
        order by p.n
    );
end
$$;


ALTER FUNCTION engine.routes_v1(p_queue text[], p_capability text[], p_build text[], p_model text[]) OWNER TO engine_owner;

--
-- Name: running_v1(text); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.running_v1(p_key text) RETURNS integer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if right(p_key, 1) = '*' then
        return (
            select count(*)
            from engine.task as t
            inner join engine.route as r on t.route = r.id
            where
                t.state = 2 and t.counted
                and exists (
                    select
                    from unnest(string_to_array(r.model, E'\n') || ('queue:' || r.queue)) as k (key)
                    where starts_with(k.key, left(p_key, -1))
                )
        );
    elsif starts_with(p_key, 'queue:') then
        return (
            select count(*)
            from engine.task as t
            inner join engine.route as r on t.route = r.id
            where t.state = 2 and t.counted and r.queue = substr(p_key, length('queue:') + 1)
        );
    end if;
    return (
        select count(*)
        from engine.task as t
        where
            t.state = 2 and t.counted
            and t.route = any(
                array(
                    select r.id from engine.route as r
                    where string_to_array(r.model, E'\n') @> array[p_key]
                )
            )
    );
end
$$;


ALTER FUNCTION engine.running_v1(p_key text) OWNER TO engine_owner;

--
-- Name: set_limit_v1(text, integer, integer, integer, integer, double precision); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.set_limit_v1(p_key text, p_at_once integer, p_rate integer, p_per_ms integer, p_burst integer, p_every_ms double precision) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_version bigint;
begin
    update engine.board set version = version + 1 returning version into v_version;
    insert into engine.key_limit (key, rev, at_once, rate, per_ms, burst, every_ms)
    values (p_key, v_version, p_at_once, p_rate, p_per_ms, p_burst, p_every_ms)
    on conflict (key) do update
    set
        rev = excluded.rev, at_once = excluded.at_once, rate = excluded.rate,
        per_ms = excluded.per_ms, burst = excluded.burst, every_ms = excluded.every_ms;
    if p_rate is not null then
        insert into engine.bucket as b (key, tokens, filled_at)
        values (p_key, p_burst, clock_timestamp())
        on conflict (key) do update set tokens = least(b.tokens, excluded.tokens);
    end if;
    return v_version;
end
$$;


ALTER FUNCTION engine.set_limit_v1(p_key text, p_at_once integer, p_rate integer, p_per_ms integer, p_burst integer, p_every_ms double precision) OWNER TO engine_owner;

--
-- Name: set_share_v1(uuid, double precision); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.set_share_v1(p_org uuid, p_weight double precision) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_version bigint;
begin
    update engine.board set version = version + 1 returning version into v_version;
    if p_weight = 1 then
        delete from engine.share where org_id = p_org;
    else
        insert into engine.share (org_id, weight) values (p_org, p_weight)
        on conflict (org_id) do update set weight = excluded.weight;
    end if;
    return v_version;
end
$$;


ALTER FUNCTION engine.set_share_v1(p_org uuid, p_weight double precision) OWNER TO engine_owner;

--
-- Name: settle_budgets(uuid[], engine.budget_charge[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.settle_budgets(p_ended uuid[], p_charges engine.budget_charge[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    with gone as (
        delete from engine.budget_hold as h
        where h.task_id = any(p_ended)
        returning h.task_id, h.budget_id, h.session_id, h.amount, h.source
    ),

    used as (
        select
            g.task_id, g.budget_id, g.session_id, g.source, g.amount as held,
            coalesce(c.amount, 0) as amount
        from gone as g
        inner join engine.budget as b on g.budget_id = b.id
        left join unnest(p_charges) as c on g.task_id = c.task_id and b.currency = c.currency
    ),

    told as (
        insert into engine.budget_entry (id, budget_id, amount, source, task_id, session_id)
        select gen_random_uuid(), u.budget_id, -u.amount, u.source, u.task_id, u.session_id
        from used as u
        where u.amount > 0
    )

    update engine.budget as b
    set
        balance = b.balance - s.amount,
        reserved = b.reserved - s.held,
        updated_at = clock_timestamp()
    from (
        select u.budget_id, sum(u.amount) as amount, sum(u.held) as held
        from used as u group by u.budget_id
    ) as s
    where b.id = s.budget_id;
end
$$;


ALTER FUNCTION engine.settle_budgets(p_ended uuid[], p_charges engine.budget_charge[]) OWNER TO engine_owner;

--
-- Name: submit_task_v1(bigint, uuid, uuid, integer, smallint, text, bytea, uuid, bigint); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.submit_task_v1(p_lease_ms bigint, p_id uuid, p_org_id uuid, p_route integer, p_priority smallint, p_step text, p_payload bytea, p_incarnation uuid, p_attach_number bigint, OUT state smallint) RETURNS smallint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
begin
    -- Whoever submits the same id at this moment is waited for by the payload's row.
    with made as (
        insert into engine.payload (task_id, org_id, step, payload, input_hash)
        values (p_id, p_org_id, p_step, p_payload, sha256(p_payload))
        on conflict (task_id) do nothing
        returning input_hash
    )

    insert into engine.task as t (
        id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
        run_at, state, fence, claim_rev, claimed_at, stamped_at, lease_until, incarnation,
        attach_number
    )
    select
        p_id, p_id, p_id, p_org_id, p_route, p_priority, 4, 2, p_step, m.input_hash, v_now,
        case when w.incarnation is null then 1 else 2 end,
        case when w.incarnation is null then 0 else 1 end,
        case when w.incarnation is null then 0 else 1 end,
        case when w.incarnation is not null then v_now end,
        case when w.incarnation is not null then v_now end,
        case when w.incarnation is not null
            then v_now + p_lease_ms * interval '1 millisecond' end,
        w.incarnation,
        w.attach_number
    from made as m
    left join engine.worker as w
        on w.incarnation = p_incarnation and w.attach_number = p_attach_number
    returning t.state into submit_task_v1.state;
end
$$;


ALTER FUNCTION engine.submit_task_v1(p_lease_ms bigint, p_id uuid, p_org_id uuid, p_route integer, p_priority smallint, p_step text, p_payload bytea, p_incarnation uuid, p_attach_number bigint, OUT state smallint) OWNER TO engine_owner;

--
-- Name: submit_tasks_v1(bigint, engine.plain_task[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.submit_tasks_v1(p_lease_ms bigint, p_tasks engine.plain_task[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_nestloop TO 'off'
    AS $$
declare
    v_now timestamptz := clock_timestamp();
    v_added uuid[];
begin
    -- Whoever submits the same id at this moment is waited for by the payload's row.
    with made as (
        insert into engine.payload (task_id, org_id, step, payload, input_hash)
        select c.id, c.org_id, c.step, c.payload, sha256(c.payload)
        from unnest(p_tasks) as c
        on conflict (task_id) do nothing
        returning task_id, input_hash
    ),

    added as (
        insert into engine.task (
            id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
            run_at, state, fence, claim_rev, claimed_at, stamped_at, lease_until, incarnation,
            attach_number
        )
        select
            c.id, c.id, c.id, c.org_id, c.route, c.priority, 4, 2, c.step, m.input_hash, v_now,
            case when w.incarnation is null then 1 else 2 end,
            case when w.incarnation is null then 0 else 1 end,
            case when w.incarnation is null then 0 else 1 end,
            case when w.incarnation is not null then v_now end,
            case when w.incarnation is not null then v_now end,
            case when w.incarnation is not null
                then v_now + p_lease_ms * interval '1 millisecond' end,
            w.incarnation,
            w.attach_number
        from unnest(p_tasks) as c
        inner join made as m on c.id = m.task_id
        left join engine.worker as w
            on
                c.incarnation = w.incarnation
                and c.attach_number = w.attach_number
                and w.incarnation = any(array(select x.incarnation from unnest(p_tasks) as x))
        returning id, state
    )

    select
        coalesce(array_agg(a.id), '{}'),
        coalesce(array_agg(a.id) filter (
            where a.state = 1 and a.id = any(
                array(select x.id from unnest(p_tasks) as x where x.incarnation is not null)
            )
        ), '{}')
    into v_added, unclaimed
    from added as a;

    known := '{}';
    differing := '{}';
    if cardinality(v_added) < cardinality(p_tasks) then
        select
            coalesce(array_agg(c.id) filter (where c.is_same), '{}'),
            coalesce(array_agg(c.id) filter (where not c.is_same), '{}')
        into known, differing
        from (
            select
                t.id,
                p.org_id = t.org_id and p.step = t.step and p.input_hash = sha256(t.payload)
                as is_same
            from unnest(p_tasks) as t
            inner join engine.payload as p on t.id = p.task_id
            where t.id <> all(v_added)
        ) as c;
    end if;
end
$$;


ALTER FUNCTION engine.submit_tasks_v1(p_lease_ms bigint, p_tasks engine.plain_task[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]) OWNER TO engine_owner;

--
-- Name: submit_tasks_v2(bigint, engine.plain_task[], uuid[], bigint[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.submit_tasks_v2(p_lease_ms bigint, p_tasks engine.plain_task[], p_bounded uuid[], p_within_ms bigint[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_nestloop TO 'off'
    AS $$
begin
    select s.known, s.differing, s.unclaimed into known, differing, unclaimed
    from engine.submit_tasks_v1(p_lease_ms, p_tasks) as s;

    insert into engine.start_bound (task_id, org_id, due_at)
    select t.id, t.org_id, clock_timestamp() + b.within_ms * interval '1 millisecond'
    from unnest(p_bounded, p_within_ms) as b (id, within_ms)
    inner join engine.task as t on b.id = t.id
    where
        t.id = any(p_bounded) and t.state = 1 and t.fence = 0
        and b.id <> all(known || differing)
    order by t.id
    on conflict do nothing;
end
$$;


ALTER FUNCTION engine.submit_tasks_v2(p_lease_ms bigint, p_tasks engine.plain_task[], p_bounded uuid[], p_within_ms bigint[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]) OWNER TO engine_owner;

--
-- Name: tell_v1(engine.commit_signal[], engine.commit_take[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.tell_v1(p_signals engine.commit_signal[], p_takes engine.commit_take[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform engine.write_waits('{}', '{}', p_signals, p_takes);
    return cardinality(p_signals) + cardinality(p_takes);
end
$$;


ALTER FUNCTION engine.tell_v1(p_signals engine.commit_signal[], p_takes engine.commit_take[]) OWNER TO engine_owner;

--
-- Name: time_out_tasks_v1(bigint, uuid[], text, bytea); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.time_out_tasks_v1(p_lease_ms bigint, p_tasks uuid[], p_code text, p_body bytea) RETURNS uuid[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_nestloop TO 'off'
    AS $$
declare
    v_now timestamptz := clock_timestamp();
    v_ended uuid[];
begin
    with locked as materialized (
        select t.id
        from engine.task as t
        where t.id = any(p_tasks) and t.kind = 4 and t.state = 1 and t.fence = 0
        order by t.id
        for update
    ),

    gone as (
        delete from engine.task as t
        using locked as l
        where t.id = l.id and t.id = any(p_tasks)
        returning t.id, t.org_id, t.step, t.rev, t.input_hash
    ),

    attempts as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        select
            g.id, 1, g.id, g.org_id, g.step, '00000000-0000-0000-0000-000000000000', 0, g.rev + 1,
            g.rev + 2, v_now, v_now, v_now, v_now + p_lease_ms * interval '1 millisecond', false,
            false, 2, '', p_code
        from gone as g
    ),

    kept as (
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
        )
        select g.id, 'task', g.org_id, g.id, 1, g.rev + 2, g.input_hash, p_body, sha256(p_body)
        from gone as g
    ),

    dropped as (
        delete from engine.start_bound as b where b.task_id = any(p_tasks)
    )

    select coalesce(array_agg(g.id order by g.id), '{}') into v_ended from gone as g;
    return v_ended;
end
$$;


ALTER FUNCTION engine.time_out_tasks_v1(p_lease_ms bigint, p_tasks uuid[], p_code text, p_body bytea) OWNER TO engine_owner;

--
-- Name: trim_records_v1(uuid[], text[], integer, boolean); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.trim_records_v1(p_workflows uuid[], p_bounds text[], p_limit integer, p_inputs boolean) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_total int := 0;
    v_count int;
begin
    perform set_config('engine.trims', 'records', true);
    for i in 1 .. cardinality(p_workflows) loop
        exit when v_total >= p_limit;
        delete from engine.step_result as r
        where r.workflow_id = p_workflows[i] and r.step = any(
            array(
                select x.step
                from engine.step_result as x
                where
                    x.workflow_id = p_workflows[i] and x.checkpoint
                    -- The first is for the index, the second right whatever the collation is.
                    and x.step < p_bounds[i] and x.step collate "C" < p_bounds[i]
                    and engine.is_input_v1(x.step) = p_inputs
                order by x.step
                limit p_limit - v_total
                -- Waits for another engine that removes the same: an input is gone for all
                -- before anything else of its generation goes.
                for update
            )
        );
        get diagnostics v_count = row_count;
        v_total := v_total + v_count;
    end loop;
    perform set_config('engine.trims', '', true);
    return v_total;
end
$$;


ALTER FUNCTION engine.trim_records_v1(p_workflows uuid[], p_bounds text[], p_limit integer, p_inputs boolean) OWNER TO engine_owner;

--
-- Name: uuid_at_ms(bigint); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.uuid_at_ms(p_ms bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select (lpad(to_hex(p_ms), 12, '0') || repeat('0', 20))::uuid
$$;


ALTER FUNCTION engine.uuid_at_ms(p_ms bigint) OWNER TO engine_owner;

--
-- Name: write_closes(engine.commit_close[], engine.commit_result[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_closes(p_closes engine.commit_close[], p_results engine.commit_result[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_now timestamptz := clock_timestamp();
    v_kept bigint;
begin
    with gone as (
        delete from engine.task as t
        using unnest(p_closes) as c
        where
            c.delay_ms is null
            and t.id = c.task_id
            and t.id = any(array(select x.task_id from unnest(p_closes) as x where x.delay_ms is null))
        returning
            t.id, t.fence, t.workflow_id, t.org_id, t.step, t.incarnation, t.attach_number,
            t.claim_rev, t.rev, t.claimed_at, t.stamped_at, t.lease_until, t.acknowledged,
            t.started_fence, t.state, t.input_hash, c.closing, c.result_hash, c.error_code
    ),

    attempts as (
        insert into engine.attempt (
            task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
            close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
            closing, result_hash, error_code
        )
        select
            g.id, g.fence, g.workflow_id, g.org_id, g.step, g.incarnation, g.attach_number,
            g.claim_rev, g.rev + 1, g.claimed_at, v_now, g.stamped_at, g.lease_until,
            g.acknowledged, g.started_fence = g.fence, g.closing, g.result_hash, g.error_code
        from gone as g
        where g.state = 2
    )

    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash
    )
    select r.workflow_id, r.step, g.org_id, r.task_id, r.fence, g.rev + 1, g.input_hash, r.body, r.hash
    from unnest(p_results) as r
    inner join gone as g
        on r.task_id = g.id and r.fence = g.fence and r.workflow_id = g.workflow_id;

    get diagnostics v_kept = row_count;
    if v_kept <> cardinality(p_results) then
        raise exception 'engine.commit: % of % step results belong to a task that closes',
            v_kept, cardinality(p_results) using errcode = 'MSE01';
    end if;
end
$$;


ALTER FUNCTION engine.write_closes(p_closes engine.commit_close[], p_results engine.commit_result[]) OWNER TO engine_owner;

--
-- Name: write_delays(engine.commit_close[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_delays(p_closes engine.commit_close[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_now timestamptz := clock_timestamp();
begin
    with delayed as (
        update engine.task as t
        set
            state = 3, rev = t.rev + 1,
            run_at = v_now + c.delay_ms * interval '1 millisecond',
            lease_until = null, incarnation = null, attach_number = null,
            acknowledged = false,
            failures = t.failures + c.counts_failure::int,
            deaths = t.deaths + c.counts_death::int,
            died = case when c.counts_death then array_append(t.died, t.fence) else t.died end,
            uncounted = case when c.counts_death then t.uncounted else 0 end
        from unnest(p_closes) as c
        where
            c.delay_ms is not null
            and t.id = c.task_id
            and t.id = any(
                array(select x.task_id from unnest(p_closes) as x where x.delay_ms is not null)
            )
        returning
            t.id, t.fence, t.workflow_id, t.org_id, t.step, old.incarnation, old.attach_number,
            t.claim_rev, t.rev, t.claimed_at, t.stamped_at, old.lease_until, old.acknowledged,
            t.started_fence, old.state, c.closing, c.result_hash, c.error_code
    )

    insert into engine.attempt (
        task_id, fence, workflow_id, org_id, step, incarnation, attach_number, claim_rev,
        close_rev, claimed_at, closed_at, stamped_at, lease_until, acknowledged, started,
        closing, result_hash, error_code
    )
    select
        d.id, d.fence, d.workflow_id, d.org_id, d.step, d.incarnation, d.attach_number,
        d.claim_rev, d.rev, d.claimed_at, v_now, d.stamped_at, d.lease_until, d.acknowledged,
        d.started_fence = d.fence, d.closing, d.result_hash, d.error_code
    from delayed as d
    where d.state = 2;
end
$$;


ALTER FUNCTION engine.write_delays(p_closes engine.commit_close[]) OWNER TO engine_owner;

--
-- Name: write_effects(engine.commit_close[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_effects(p_closes engine.commit_close[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    update engine.effect as e
    set
        state = case
            when t.started_fence = 0 then 6
            when c.closing = 1 then 3
            when c.closing = 2 then 4
            else 5
        end,
        rev = t.rev + 1,
        closed_at = clock_timestamp()
    from unnest(p_closes) as c
    cross join lateral (
        select x.workflow_id, x.step, x.effect, x.started_fence, x.rev
        from engine.task as x
        where x.id = c.task_id
        limit 1
    ) as t
    where
        c.delay_ms is null
        and t.effect >= 3
        and e.workflow_id = t.workflow_id
        and e.step = t.step;
end
$$;


ALTER FUNCTION engine.write_effects(p_closes engine.commit_close[]) OWNER TO engine_owner;

--
-- Name: write_inputs(engine.commit_accept[], engine.commit_consume[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_inputs(p_accepts engine.commit_accept[], p_consumes engine.commit_consume[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_consumed bigint;
begin
    if cardinality(p_accepts) > 0 then
        insert into engine.inbox (
            session_id, message_id, org_id, seq, ts_ms, config_hash, turn_id, controls,
            workflow_id, body_hash
        )
        select
            c.session_id, c.message_id, c.org_id, c.seq, c.ts_ms, c.config_hash, c.turn_id,
            c.controls, c.consumed_by, c.body_hash
        from unnest(p_accepts) as c;

        insert into engine.idempotency (session_id, key, message_id, org_id, body_hash)
        select c.session_id, c.idempotency_key, c.message_id, c.org_id, c.body_hash
        from unnest(p_accepts) as c
        where c.idempotency_key is not null;
    end if;

    if cardinality(p_consumes) > 0 then
        update engine.inbox as i
        set workflow_id = c.workflow_id
        from unnest(p_consumes) as c
        where
            i.session_id = c.session_id
            and i.message_id = c.message_id
            and i.workflow_id is null
            and i.session_id = any(array(select x.session_id from unnest(p_consumes) as x))
            and i.message_id = any(array(select x.message_id from unnest(p_consumes) as x));
        get diagnostics v_consumed = row_count;
        if v_consumed <> cardinality(p_consumes) then
            raise exception 'engine.commit: % of % consumed messages were waiting',
                v_consumed, cardinality(p_consumes) using errcode = 'MSE01';
        end if;
    end if;
end
$$;


ALTER FUNCTION engine.write_inputs(p_accepts engine.commit_accept[], p_consumes engine.commit_consume[]) OWNER TO engine_owner;

--
-- Name: write_log(engine.commit_item[], engine.commit_event[], engine.commit_anchor[], boolean); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_log(p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_closing boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_sessions uuid[] := array(
        select i.session_id from unnest(p_items) as i where i.moves_head and i.closed = p_closing
    );
    e record;
    h record;
    a record;
begin
    if cardinality(v_sessions) = 0 then
        return;
    end if;
    select
        coalesce(array_agg(v.session_id), '{}') as session_id, coalesce(array_agg(v.seq), '{}') as seq,
        coalesce(array_agg(v.type), '{}') as type, coalesce(array_agg(v.ts_ms), '{}') as ts_ms,
        coalesce(array_agg(v.turn_id), '{}') as turn_id,
        coalesce(array_agg(v.payload), '{}') as payload, coalesce(array_agg(v.hash), '{}') as hash
    into e
    from unnest(p_events) as v
    where v.session_id = any(v_sessions);
    select
        array_agg(i.session_id) as session_id, array_agg(i.org_id) as org_id,
        array_agg(i.to_last_seq) as last_seq, array_agg(i.to_hash) as hash,
        array_agg(i.to_ts_ms) as ts_ms, array_agg(i.to_status) as status,
        array_agg(i.to_active_turn) as active_turn,
        array_agg(i.to_turn_first_seq) as turn_first_seq, array_agg(i.close_anchors) as close_anchors
    into h
    from unnest(p_items) as i
    where i.moves_head and i.closed = p_closing;
    select
        coalesce(array_agg(v.session_id), '{}') as session_id,
        coalesce(array_agg(v.anchor), '{}') as anchor, coalesce(array_agg(v.attempt), '{}') as attempt
    into a
    from unnest(p_anchors) as v
    where v.session_id = any(v_sessions);
    if p_closing then
        perform log.append_closing_v1(
            e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload, e.hash,
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.active_turn,
            h.turn_first_seq, h.close_anchors, a.session_id, a.anchor, a.attempt
        );
    else
        perform log.append_v1(
            e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload, e.hash,
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.active_turn,
            h.turn_first_seq, h.close_anchors, a.session_id, a.anchor, a.attempt
        );
    end if;
end
$$;


ALTER FUNCTION engine.write_log(p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_closing boolean) OWNER TO engine_owner;

--
-- Name: write_marks(engine.commit_mark[], engine.commit_emit[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_marks(p_marks engine.commit_mark[], p_emits engine.commit_emit[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    update engine.task as t
    set
        cancelling = t.cancelling or c.cancelling,
        emit_counter = greatest(t.emit_counter, c.counter),
        rev = t.rev + 1
    from (
        select x.task_id, bool_or(x.cancelling) as cancelling, max(x.counter) as counter
        from (
            select m.task_id, true as cancelling, 0 as counter from unnest(p_marks) as m
            union all
            select e.task_id, false, e.counter from unnest(p_emits) as e
        ) as x
        group by x.task_id
    ) as c
    where
        t.id = c.task_id
        and t.id = any(
            array(select m.task_id from unnest(p_marks) as m)
            || array(select e.task_id from unnest(p_emits) as e)
        );
end
$$;


ALTER FUNCTION engine.write_marks(p_marks engine.commit_mark[], p_emits engine.commit_emit[]) OWNER TO engine_owner;

--
-- Name: write_start(engine.commit_start); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_start(p_start engine.commit_start) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    insert into engine.start (workflow_id, org_id, type, key, queue, hash, started_ms)
    values (
        p_start.workflow_id, p_start.org_id, p_start.type, p_start.key, p_start.queue,
        p_start.hash, p_start.started_ms
    );
    perform log.open_one_v1(p_start.workflow_id, p_start.org_id);
end
$$;


ALTER FUNCTION engine.write_start(p_start engine.commit_start) OWNER TO engine_owner;

--
-- Name: write_starts(bigint, engine.commit_item[], engine.commit_start[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_starts(p_drift_ms bigint, p_items engine.commit_item[], p_starts engine.commit_start[]) RETURNS engine.known_start[]
    LANGUAGE plpgsql
    AS $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    v_new uuid[];
begin
    with added as (
        insert into engine.start (workflow_id, org_id, type, key, queue, hash, started_ms)
        select s.workflow_id, s.org_id, s.type, s.key, s.queue, s.hash, s.started_ms
        from unnest(p_starts) as s
        inner join unnest(p_items) as i on s.item = i.item
        -- A time that commit_v1 would not take: it is decided again, with the clock of the reply.
        where i.to_ts_ms between v_now - p_drift_ms and v_now + p_drift_ms
        order by s.org_id, s.key
        on conflict (org_id, key) do nothing
        returning workflow_id
    )

    select coalesce(array_agg(a.workflow_id), '{}') into v_new from added as a;

    perform log.open_empty_v1(array_agg(s.workflow_id), array_agg(s.org_id))
    from unnest(p_starts) as s
    where s.workflow_id = any(v_new)
    having count(*) > 0;

    return array(
        select (s.item, k.workflow_id, k.hash)::engine.known_start
        from unnest(p_starts) as s
        inner join engine.start as k on s.org_id = k.org_id and s.key = k.key
        where s.workflow_id <> all(v_new)
        order by s.item
    );
end
$$;


ALTER FUNCTION engine.write_starts(p_drift_ms bigint, p_items engine.commit_item[], p_starts engine.commit_start[]) OWNER TO engine_owner;

--
-- Name: write_step(engine.commit_step); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_step(p_step engine.commit_step) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_rev int := 0;
    v_deaths int := 0;
begin
    if p_step.fence > 0 then
        select t.rev, t.deaths into v_rev, v_deaths
        from engine.task as t
        where t.id = p_step.task_id and t.fence = p_step.fence;
        if not found then
            -- The last step rides with the result that ends its attempt.
            select a.close_rev into v_rev
            from engine.attempt as a
            where a.task_id = p_step.task_id and a.fence = p_step.fence;
        end if;
        if not found then
            raise exception 'engine.commit: a recorded step has no attempt'
                using errcode = 'MSE01';
        end if;
        if v_deaths > 0 then
            update engine.task as t set deaths = 0, died = null
            where t.id = p_step.task_id and t.fence = p_step.fence;
        end if;
    end if;
    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
    )
    values (
        p_step.workflow_id, p_step.step, p_step.org_id, p_step.task_id, p_step.fence, v_rev,
        p_step.input_hash, p_step.body, p_step.hash, true
    );
end
$$;


ALTER FUNCTION engine.write_step(p_step engine.commit_step) OWNER TO engine_owner;

--
-- Name: write_steps(engine.commit_step[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_steps(p_steps engine.commit_step[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_kept bigint;
    v_copies engine.commit_step[];
    v_places engine.commit_step[];
begin
    if cardinality(p_steps) = 1 and (p_steps[1]).fence >= 0 then
        perform engine.write_step(p_steps[1]);
        return;
    end if;
    v_copies := array(select s from unnest(p_steps) as s where s.fence < 0);
    if v_copies <> '{}' then
        p_steps := array(select s from unnest(p_steps) as s where s.fence >= 0);
        v_places := array(select c from unnest(v_copies) as c where c.fence = -2);
        v_copies := array(select c from unnest(v_copies) as c where c.fence = -1);
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
        )
        select c.workflow_id, r.step, r.org_id, c.workflow_id, 0, 0, r.input_hash, r.body, r.hash, true
        from unnest(v_places) as c
        inner join engine.step_result as r
            on c.task_id = r.workflow_id and c.step = r.step and c.org_id = r.org_id;
        get diagnostics v_kept = row_count;
        if v_kept <> cardinality(v_places) then
            raise exception 'engine.commit: what a fork begins with was removed'
                using errcode = 'MSE01';
        end if;
        insert into engine.step_result (
            workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
        )
        select c.workflow_id, r.step, r.org_id, c.workflow_id, 0, 0, r.input_hash, r.body, r.hash, true
        from unnest(v_copies) as c
        inner join engine.step_result as r on c.task_id = r.workflow_id and c.org_id = r.org_id
        where
            r.checkpoint and engine.place_before(r.step, c.step)
            and exists (
                select from engine.step_result as i
                where i.workflow_id = c.task_id and i.step = engine.input_of_v1(c.step)
            );
        if exists (
            select from unnest(v_copies) as c
            where not exists (
                select from engine.step_result as i
                where i.workflow_id = c.task_id and i.step = engine.input_of_v1(c.step)
            )
        ) then
            raise exception 'engine.commit: what a fork begins with was removed'
                using errcode = 'MSE01';
        end if;
    end if;
    update engine.task as t
    set deaths = 0, died = null
    from unnest(p_steps) as s
    where
        s.fence > 0 and t.id = s.task_id and t.fence = s.fence and t.deaths > 0
        and t.id = any(array(select x.task_id from unnest(p_steps) as x where x.fence > 0));
    insert into engine.step_result (
        workflow_id, step, org_id, task_id, fence, rev, input_hash, body, hash, checkpoint
    )
    select
        s.workflow_id, s.step, s.org_id, s.task_id, s.fence, r.rev, s.input_hash, s.body, s.hash,
        true
    from unnest(p_steps) as s
    cross join lateral (
        select 0 as rev where s.fence = 0
        union all
        select t.rev from engine.task as t
        where s.fence > 0 and t.id = s.task_id and t.fence = s.fence
        union all
        -- The last steps ride with the result that ends their attempt; its task may go on after it.
        select a.close_rev from engine.attempt as a
        where
            s.fence > 0 and a.task_id = s.task_id and a.fence = s.fence
            and not exists (
                select from engine.task as t where t.id = s.task_id and t.fence = s.fence
            )
    ) as r;
    get diagnostics v_kept = row_count;
    if v_kept <> cardinality(p_steps) then
        raise exception 'engine.commit: % of % recorded steps have their attempt',
            v_kept, cardinality(p_steps) using errcode = 'MSE01';
    end if;
end
$$;


ALTER FUNCTION engine.write_steps(p_steps engine.commit_step[]) OWNER TO engine_owner;

--
-- Name: write_task(engine.commit_task, bigint); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_task(p_task engine.commit_task, p_lease_ms bigint) RETURNS uuid[]
    LANGUAGE plpgsql
    AS $$
declare
    v_now timestamptz := clock_timestamp();
    v_hash bytea := sha256(p_task.payload);
    v_seated boolean := p_task.incarnation is not null and exists (
        select from engine.worker as w
        where
            w.incarnation = p_task.incarnation
            and w.attach_number = p_task.attach_number
    );
begin
    insert into engine.payload (task_id, org_id, step, payload, input_hash)
    values (p_task.id, p_task.org_id, p_task.step, p_task.payload, v_hash);

    if v_seated then
        insert into engine.task (
            id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
            run_at, state, fence, claim_rev, claimed_at, stamped_at, lease_until, incarnation,
            attach_number
        )
        values (
            p_task.id, p_task.workflow_id, p_task.session_id, p_task.org_id, p_task.route,
            p_task.priority, p_task.kind, p_task.effect, p_task.step, v_hash,
            v_now, 2, 1, 1, v_now, v_now, v_now + p_lease_ms * interval '1 millisecond',
            p_task.incarnation, p_task.attach_number
        );
    else
        insert into engine.task (
            id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
            run_at, state
        )
        values (
            p_task.id, p_task.workflow_id, p_task.session_id, p_task.org_id, p_task.route,
            p_task.priority, p_task.kind, p_task.effect, p_task.step, v_hash, v_now, 1
        );
    end if;
    if p_task.effect >= 3 then
        insert into engine.effect (workflow_id, step, org_id, task_id, class, rev)
        values (p_task.workflow_id, p_task.step, p_task.org_id, p_task.id, p_task.effect, 1);
    end if;
    return case when p_task.incarnation is not null and not v_seated then array[p_task.id] end;
end
$$;


ALTER FUNCTION engine.write_task(p_task engine.commit_task, p_lease_ms bigint) OWNER TO engine_owner;

--
-- Name: write_tasks(engine.commit_task[], bigint); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_tasks(p_tasks engine.commit_task[], p_lease_ms bigint) RETURNS uuid[]
    LANGUAGE plpgsql
    AS $$
declare
    v_now timestamptz := clock_timestamp();
    v_unclaimed uuid[];
    v_effects boolean;
begin
    if cardinality(p_tasks) = 1 then
        return engine.write_task(p_tasks[1], p_lease_ms);
    end if;
    with payloads as (
        insert into engine.payload (task_id, org_id, step, payload, input_hash)
        select c.id, c.org_id, c.step, c.payload, sha256(c.payload)
        from unnest(p_tasks) as c
    ),

    added as (
        insert into engine.task (
            id, workflow_id, session_id, org_id, route, priority, kind, effect, step, input_hash,
            run_at, state, fence, claim_rev, claimed_at, stamped_at, lease_until, incarnation,
            attach_number
        )
        select
            c.id, c.workflow_id, c.session_id, c.org_id, c.route, c.priority, c.kind, c.effect,
            c.step, sha256(c.payload), v_now,
            case when w.incarnation is null then 1 else 2 end,
            case when w.incarnation is null then 0 else 1 end,
            case when w.incarnation is null then 0 else 1 end,
            case when w.incarnation is not null then v_now end,
            case when w.incarnation is not null then v_now end,
            case when w.incarnation is not null
                then v_now + p_lease_ms * interval '1 millisecond' end,
            w.incarnation,
            w.attach_number
        from unnest(p_tasks) as c
        left join engine.worker as w
            on
                c.incarnation = w.incarnation
                and c.attach_number = w.attach_number
                and w.incarnation = any(array(select x.incarnation from unnest(p_tasks) as x))
        returning id, state, effect
    )

    select
        array_agg(a.id) filter (
            where a.state = 1 and a.id = any(
                array(select x.id from unnest(p_tasks) as x where x.incarnation is not null)
            )
        ),
        bool_or(a.effect >= 3)
    into v_unclaimed, v_effects
    from added as a;

    if v_effects then
        insert into engine.effect (workflow_id, step, org_id, task_id, class, rev)
        select c.workflow_id, c.step, c.org_id, c.id, c.effect, 1
        from unnest(p_tasks) as c
        where c.effect >= 3;
    end if;
    return v_unclaimed;
end
$$;


ALTER FUNCTION engine.write_tasks(p_tasks engine.commit_task[], p_lease_ms bigint) OWNER TO engine_owner;

--
-- Name: write_timers(engine.commit_timer[], engine.commit_drop[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_timers(p_timers engine.commit_timer[], p_dropped engine.commit_drop[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    if cardinality(p_dropped) > 0 then
        -- One that is gone was dropped before; that is no conflict, for its effect rides the head.
        delete from engine.timer as t
        where t.id = any(array(select d.timer_id from unnest(p_dropped) as d));
    end if;
    if cardinality(p_timers) > 0 then
        insert into engine.timer (id, workflow_id, session_id, org_id, kind, due_at)
        select
            c.id, c.workflow_id, c.session_id, c.org_id, c.kind,
            clock_timestamp() + c.delay_ms * interval '1 millisecond'
        from unnest(p_timers) as c;
    end if;
end
$$;


ALTER FUNCTION engine.write_timers(p_timers engine.commit_timer[], p_dropped engine.commit_drop[]) OWNER TO engine_owner;

--
-- Name: write_waits(engine.commit_wait[], engine.commit_end_wait[], engine.commit_signal[], engine.commit_take[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_waits(p_waits engine.commit_wait[], p_ended engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_taken bigint;
begin
    delete from engine.wait as w
    using unnest(p_ended) as e
    where
        w.workflow_id = e.workflow_id and w.step = e.step
        and w.workflow_id = any(array(select x.workflow_id from unnest(p_ended) as x));

    insert into engine.wait (workflow_id, step, org_id, timer_id, body)
    select w.workflow_id, w.step, w.org_id, w.timer_id, w.body
    from unnest(p_waits) as w;

    insert into engine.signal (session_id, source_turn, kind, org_id, body, consumed_by)
    select
        s.session_id, s.source, s.kind, s.org_id, s.body,
        case when s.taken then s.session_id end
    from unnest(p_signals) as s;

    if cardinality(p_takes) > 0 then
        update engine.signal as s
        set consumed_by = t.session_id
        from unnest(p_takes) as t
        where
            s.session_id = t.session_id and s.source_turn = t.source and s.kind = t.kind
            and s.consumed_by is null
            and s.session_id = any(array(select x.session_id from unnest(p_takes) as x));
        get diagnostics v_taken = row_count;
        if v_taken <> cardinality(p_takes) then
            raise exception 'engine.commit: % of % signals were waiting', v_taken, cardinality(p_takes)
                using errcode = 'MSE01';
        end if;
    end if;
end
$$;


ALTER FUNCTION engine.write_waits(p_waits engine.commit_wait[], p_ended engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[]) OWNER TO engine_owner;

--
-- Name: write_workflows(engine.commit_workflow[]); Type: FUNCTION; Schema: engine; Owner: engine_owner
--

CREATE FUNCTION engine.write_workflows(p_workflows engine.commit_workflow[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    -- Ended turns first: the next one of a session may start in the same flight.
    update engine.workflow as w
    set
        rev = w.rev + 1,
        outcome = c.outcome,
        state = c.state,
        config_hash = c.config_hash,
        traceparent = c.traceparent
    from unnest(p_workflows) as c
    where
        c.expected_rev > 0
        and w.id = c.id
        and w.id = any(array(select x.id from unnest(p_workflows) as x where x.expected_rev > 0));

    insert into engine.workflow (
        id, session_id, org_id, ordinal, outcome, state, config_hash, traceparent, started_ms
    )
    select
        c.id, c.session_id, c.org_id, c.ordinal, c.outcome, c.state, c.config_hash, c.traceparent,
        c.started_ms
    from unnest(p_workflows) as c
    where c.expected_rev = 0;
end
$$;


ALTER FUNCTION engine.write_workflows(p_workflows engine.commit_workflow[]) OWNER TO engine_owner;

--
-- Name: append_closing_v1(uuid[], bigint[], text[], bigint[], uuid[], bytea[], bytea[], uuid[], uuid[], bigint[], bytea[], bigint[], smallint[], uuid[], bigint[], boolean[], uuid[], text[], integer[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.append_closing_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform log.append_rows(
        true, e_session, e_seq, e_type, e_ts, e_turn, e_payload, e_hash,
        h_session, h_org, h_last_seq, h_hash, h_ts, h_status, h_active_turn, h_turn_first_seq,
        h_close_anchors, a_session, a_anchor, a_attempt
    );
end
$$;


ALTER FUNCTION log.append_closing_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) OWNER TO log_owner;

--
-- Name: append_deltas_v1(uuid[], uuid[], text[], integer[], text[], integer[], text[], boolean[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.append_deltas_v1(p_session uuid[], p_turn uuid[], p_anchor text[], p_attempt integer[], p_channel text[], p_offset integer[], p_fragment text[], p_reset boolean[]) RETURNS TABLE(item integer, verdict smallint, seq bigint, n integer, ts_ms bigint)
    LANGUAGE plpgsql SECURITY DEFINER ROWS 32
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
    v_now bigint;
begin
    perform from log.head as h
    where h.session_id = any(p_session)
    order by h.session_id
    for no key update;
    -- After the locks, so that times do not fall in position order.
    v_now := (extract(epoch from clock_timestamp()) * 1000)::bigint;

    return query
    with given as (
        select
            i.*,
            h.last_seq,
            h.n as head_n,
            char_length(i.fragment) as chars,
            case
                when h.closed or h.active_turn is distinct from i.turn_id then null
                else (h.anchors -> i.anchor ->> 'a')::int
            end as open_attempt,
            coalesce((h.anchors -> i.anchor -> 'c' ->> i.channel)::int, 0) as start
        from unnest(
            p_session, p_turn, p_anchor, p_attempt, p_channel, p_offset, p_fragment, p_reset
        ) with ordinality as i (
            session_id, turn_id, anchor, attempt, channel, "offset", fragment, reset, item
        )
        left join log.head as h on i.session_id = h.session_id
    ),

    folded as (
        select
            g.*,
            log.channel_end(g.start, g."offset", g.chars) over stream as channel_end
        from given as g
        window stream as (
            partition by g.session_id, g.turn_id, g.anchor, g.attempt, g.channel
            order by g.item rows unbounded preceding
        )
    ),

    judged as (
        select
            f.*,
            case
                when f.open_attempt is null or f.attempt < f.open_attempt then 3
                when f.attempt > f.open_attempt or f."offset" > f.next_offset then 4
                when f."offset" < f.next_offset or f.chars = 0 then 2
                else 1
            end::smallint as verdict
        from (
            select
                x.*,
                coalesce(lag(x.channel_end) over (
                    partition by x.session_id, x.turn_id, x.anchor, x.attempt, x.channel
                    order by x.item
                ), x.start) as next_offset
            from folded as x
        ) as f
    ),

    placed as (
        select
            j.*,
            (j.head_n + row_number() over (partition by j.session_id order by j.item))::int as n
        from judged as j
        where j.verdict = 1
    ),

    added as (
        insert into log.delta (
            turn_id, session_id, seq, n, anchor, attempt, channel, "offset", fragment, reset, ts_ms
        )
        select
            p.turn_id, p.session_id, p.last_seq, p.n, p.anchor, p.attempt, p.channel, p."offset",
            p.fragment, p.reset, v_now
        from placed as p
    ),

    channels as (
        select p.session_id, p.anchor, p.channel, max(p.channel_end) as channel_end, max(p.n) as n
        from placed as p
        group by p.session_id, p.anchor, p.channel
    ),

    ends as (
        select
            c.session_id, c.anchor, jsonb_object_agg(c.channel, c.channel_end) as channels,
            max(c.n) as n
        from channels as c
        group by c.session_id, c.anchor
    ),

    raised as (
        select
            e.session_id, max(e.n) as n,
            jsonb_object_agg(
                e.anchor,
                jsonb_set(h.anchors -> e.anchor, '{c}', (h.anchors -> e.anchor -> 'c') || e.channels)
            ) as anchors
        from ends as e
        inner join log.head as h on e.session_id = h.session_id
        group by e.session_id
    ),

    moved as (
        update log.head as h
        set n = r.n, anchors = h.anchors || r.anchors
        from raised as r
        where h.session_id = r.session_id
    )

    select
        j.item::int, j.verdict,
        case when j.verdict = 1 then j.last_seq else 0 end,
        coalesce(p.n, 0),
        case when j.verdict = 1 then v_now else 0 end
    from judged as j
    left join placed as p on j.item = p.item
    order by j.item;
end
$$;


ALTER FUNCTION log.append_deltas_v1(p_session uuid[], p_turn uuid[], p_anchor text[], p_attempt integer[], p_channel text[], p_offset integer[], p_fragment text[], p_reset boolean[]) OWNER TO log_owner;

--
-- Name: append_one(bigint, log.head_change, log.new_event[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.append_one(p_drift_ms bigint, p_head log.head_change, p_events log.new_event[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    v_now_ms bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    v_deltas int;
    v_events bigint;
begin
    update log.head as d
    set
        last_seq = p_head.to_last_seq,
        n = 0,
        hash = p_head.to_hash,
        ts_ms = p_head.to_ts_ms,
        status = p_head.to_status,
        active_turn = p_head.to_active_turn,
        turn_first_seq = p_head.to_turn_first_seq,
        anchors = case when p_head.close_anchors then '{}'::jsonb else d.anchors - p_head.gone end
            || p_head.opened
    where
        d.session_id = p_head.session_id
        and d.org_id = p_head.org_id and d.last_seq = p_head.last_seq and d.hash = p_head.hash
        and d.status = p_head.status and d.paused = p_head.paused and not d.closed
        and d.active_turn is not distinct from p_head.active_turn
        and d.turn_first_seq = p_head.turn_first_seq
        and p_head.to_last_seq > p_head.last_seq
        and p_head.to_ts_ms between greatest(d.ts_ms, v_now_ms - p_drift_ms)
        and greatest(d.ts_ms, v_now_ms + p_drift_ms)
    returning old.n into v_deltas;
    if not found then
        raise exception 'log.append_one: the head does not fit' using errcode = 'MSL02';
    end if;

    insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, deltas_before, h)
    select
        e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload,
        case when e.seq = p_head.last_seq + 1 then v_deltas else 0 end,
        e.hash
    from unnest(p_events) as e
    where
        e.session_id = p_head.session_id
        and e.seq > p_head.last_seq and e.seq <= p_head.to_last_seq;
    get diagnostics v_events = row_count;
    -- None twice (its key), so every position between the old end and the new one has its event.
    if v_events <> p_head.to_last_seq - p_head.last_seq then
        raise exception 'log.append_one: the events do not fit' using errcode = 'MSL02';
    end if;
    return v_deltas;
end
$$;


ALTER FUNCTION log.append_one(p_drift_ms bigint, p_head log.head_change, p_events log.new_event[]) OWNER TO log_owner;

--
-- Name: append_rows(boolean, uuid[], bigint[], text[], bigint[], uuid[], bytea[], bytea[], uuid[], uuid[], bigint[], bytea[], bigint[], smallint[], uuid[], bigint[], boolean[], uuid[], text[], integer[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.append_rows(p_closing boolean, e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_heads bigint;
    v_events bigint;
begin
    with span as materialized (
        select e.session_id, min(e.seq) as first_seq, max(e.seq) as last_seq, count(*) as events
        from unnest(e_session, e_seq) as e (session_id, seq)
        group by e.session_id
    ),

    wanted as (
        select distinct on (a.session_id, a.anchor) a.session_id, a.anchor, a.attempt
        from unnest(a_session, a_anchor, a_attempt) with ordinality
            as a (session_id, anchor, attempt, item)
        order by a.session_id, a.anchor, a.item desc
    ),

    anchors as materialized (
        select
            w.session_id,
            array_agg(w.anchor) filter (where w.attempt is null) as gone,
            jsonb_object_agg(
                w.anchor, jsonb_build_object('a', w.attempt, 'c', '{}'::jsonb)
            ) filter (
                where h.close_anchors or coalesce((d.anchors -> w.anchor ->> 'a')::int, 0) < w.attempt
            ) as opened
        from wanted as w
        inner join unnest(h_session, h_close_anchors) as h (session_id, close_anchors)
            on w.session_id = h.session_id
        inner join log.head as d on w.session_id = d.session_id
        group by w.session_id
    ),

    -- Joined before the heads come in: so it stays a hash join, whatever few rows they promise.
    changes as materialized (
        select
            h.session_id, h.org_id, h.last_seq, h.hash, h.ts_ms, h.status, h.active_turn,
            h.turn_first_seq, h.close_anchors,
            coalesce(s.events, 0) as events, s.first_seq, s.last_seq as events_last_seq,
            coalesce(a.gone, '{}') as gone, coalesce(a.opened, '{}') as opened
        from unnest(
            h_session, h_org, h_last_seq, h_hash, h_ts,
            h_status, h_active_turn, h_turn_first_seq, h_close_anchors
        ) as h (
            session_id, org_id, last_seq, hash, ts_ms,
            status, active_turn, turn_first_seq, close_anchors
        )
        left join span as s on h.session_id = s.session_id
        left join anchors as a on h.session_id = a.session_id
    ),

    moved as (
        update log.head as d
        set
            last_seq = c.last_seq,
            n = case when c.events = 0 then d.n else 0 end,
            hash = c.hash,
            ts_ms = c.ts_ms,
            status = c.status,
            active_turn = c.active_turn,
            turn_first_seq = c.turn_first_seq,
            anchors
            = case when c.close_anchors then '{}'::jsonb else d.anchors - c.gone end || c.opened,
            closing_done = d.closed
        from changes as c
        where
            d.session_id = c.session_id
            and d.session_id = any(h_session)
            and d.org_id = c.org_id
            and (not d.closed or (p_closing and not d.closing_done))
            and d.ts_ms <= c.ts_ms
            and c.last_seq = d.last_seq + c.events
            and (c.events = 0 or (c.first_seq = d.last_seq + 1 and c.events_last_seq = c.last_seq))
        returning d.session_id, old.last_seq, old.n
    ),

    added as (
        insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, deltas_before, h)
        select
            e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload,
            case when e.seq = m.last_seq + 1 then m.n else 0 end,
            e.hash
        from unnest(e_session, e_seq, e_type, e_ts, e_turn, e_payload, e_hash)
            as e (session_id, seq, type, ts_ms, turn_id, payload, hash)
        inner join moved as m on e.session_id = m.session_id
        returning 1
    )

    select (select count(*) from moved), (select count(*) from added)
    into v_heads, v_events;

    if v_heads <> cardinality(h_session) or v_events <> cardinality(e_session) then
        raise exception 'log.append: % of % heads fit their rows, % of % events have a head',
            v_heads, cardinality(h_session), v_events, cardinality(e_session)
            using errcode = 'MSL01',
            hint = 'unknown, closed or foreign session, seq not last_seq + 1, a gap, or an older time';
    end if;
end
$$;


ALTER FUNCTION log.append_rows(p_closing boolean, e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) OWNER TO log_owner;

--
-- Name: append_v1(uuid[], bigint[], text[], bigint[], uuid[], bytea[], bytea[], uuid[], uuid[], bigint[], bytea[], bigint[], smallint[], uuid[], bigint[], boolean[], uuid[], text[], integer[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.append_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform log.append_rows(
        false, e_session, e_seq, e_type, e_ts, e_turn, e_payload, e_hash,
        h_session, h_org, h_last_seq, h_hash, h_ts, h_status, h_active_turn, h_turn_first_seq,
        h_close_anchors, a_session, a_anchor, a_attempt
    );
end
$$;


ALTER FUNCTION log.append_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) OWNER TO log_owner;

--
-- Name: append_whole_v1(bigint, log.head_change[], log.new_event[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.append_whole_v1(p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[]) RETURNS integer[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_now_ms bigint;
    v_deltas int[];
    v_events bigint;
begin
    if cardinality(p_heads) = 1 then
        return array[log.append_one(p_drift_ms, p_heads[1], p_events)];
    end if;
    -- An update from unnest takes its locks in no order, so several heads are locked before it.
    if cardinality(p_heads) > 1 then
        perform from log.head as h
        where h.session_id = any(array(select c.session_id from unnest(p_heads) as c))
        order by h.session_id
        for no key update;
    end if;
    v_now_ms := (extract(epoch from clock_timestamp()) * 1000)::bigint;

    with moved as (
        update log.head as d
        set
            last_seq = c.to_last_seq,
            n = 0,
            hash = c.to_hash,
            ts_ms = c.to_ts_ms,
            status = c.to_status,
            active_turn = c.to_active_turn,
            turn_first_seq = c.to_turn_first_seq,
            anchors
            = case when c.close_anchors then '{}'::jsonb else d.anchors - c.gone end || c.opened
        from unnest(p_heads) as c
        where
            d.session_id = c.session_id
            and d.org_id = c.org_id and d.last_seq = c.last_seq and d.hash = c.hash
            and d.status = c.status and d.paused = c.paused and not d.closed
            and d.active_turn is not distinct from c.active_turn
            and d.turn_first_seq = c.turn_first_seq
            and c.to_last_seq > c.last_seq
            and c.to_ts_ms between greatest(d.ts_ms, v_now_ms - p_drift_ms)
            and greatest(d.ts_ms, v_now_ms + p_drift_ms)
        returning c.item, d.session_id, old.last_seq, c.to_last_seq, old.n
    ),

    added as (
        insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, deltas_before, h)
        select
            e.session_id, e.seq, e.type, e.ts_ms, e.turn_id, e.payload,
            case when e.seq = m.last_seq + 1 then m.n else 0 end,
            e.hash
        from unnest(p_events) as e
        inner join moved as m on e.session_id = m.session_id
        where e.seq > m.last_seq and e.seq <= m.to_last_seq
        returning 1
    )

    select array_agg(m.n order by m.item), sum(m.to_last_seq - m.last_seq) - (select count(*) from added)
    into v_deltas, v_events
    from moved as m;

    -- As many events as the heads moved on, each within its head's span and none twice (its key):
    -- so every position between the old end and the new one has its event.
    if
        coalesce(cardinality(v_deltas), 0) <> cardinality(p_heads)
        or v_events <> 0
    then
        raise exception 'log.append_whole: % of % heads fit', coalesce(cardinality(v_deltas), 0),
            cardinality(p_heads) using errcode = 'MSL02';
    end if;
    return v_deltas;
end
$$;


ALTER FUNCTION log.append_whole_v1(p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[]) OWNER TO log_owner;

--
-- Name: close_v1(uuid[], uuid[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.close_v1(p_sessions uuid[], p_orgs uuid[]) RETURNS TABLE(session_id uuid, closed boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
    perform from log.head as h
    where h.session_id = any(p_sessions)
    order by h.session_id
    for no key update;

    return query
    update log.head as h
    set closed = true, anchors = '{}'
    from unnest(p_sessions, p_orgs) as p (session_id, org_id)
    where h.session_id = p.session_id and h.org_id = p.org_id
    returning h.session_id, not old.closed;
end
$$;


ALTER FUNCTION log.close_v1(p_sessions uuid[], p_orgs uuid[]) OWNER TO log_owner;

--
-- Name: drop_delta_partitions_v1(); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.drop_delta_partitions_v1() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    AS $$
declare
    v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    v_held bigint[];
    v_partition record;
    v_rows boolean;
    v_tried int := 0;
    v_dropped int := 0;
begin
    update log.store set partitions_checked_ms = v_now
    where partitions_checked_ms < v_now - 86400000;
    if not found then
        return 0;
    end if;
    -- A turn that still waits may stream again. New turns have new ids, so no lock is needed to
    -- ask; once for all partitions, for nothing indexes which turn is active.
    v_held := array(
        select distinct
            log.week_start_ms(
                ('x' || left(replace(h.active_turn::text, '-', ''), 12))::bit(48)::bigint
            )
        from log.head as h
        where h.active_turn is not null
    );
    for v_partition in
        -- Materialized: else the planner may read the names of all relations as weeks.
        with week as materialized (
            select c.relname::text as name
            from pg_inherits as i
            inner join pg_class as c on i.inhrelid = c.oid
            where i.inhparent = 'log.delta'::regclass
        )

        select w.name, b.week_ms
        from week as w
        cross join lateral (
            select (
                extract(epoch from to_date(right(w.name, 7), 'IYYY"w"IW')) * 1000
            )::bigint as week_ms
        ) as b
        where b.week_ms + 3 * 604800000::bigint < v_now and b.week_ms <> all(v_held)
        order by b.week_ms
    loop
        exit when v_tried >= 10;
        execute format('select exists (select from log.%I)', v_partition.name) into v_rows;
        continue when v_rows;
        v_tried := v_tried + 1;
        begin
            execute format('drop table log.%I', v_partition.name);
            v_dropped := v_dropped + 1;
        exception when lock_not_available then null;
        end;
    end loop;
    return v_dropped;
end
$$;


ALTER FUNCTION log.drop_delta_partitions_v1() OWNER TO log_owner;

--
-- Name: drop_deltas_v1(bigint, integer, integer); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.drop_deltas_v1(p_keep_ms bigint, p_turns integer, p_rows integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_after uuid;
    v_until bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint - p_keep_ms;
    v_turns uuid[];
    v_over uuid[];
    v_dropped bigint;
begin
    -- Skips the row while another sweep holds it: that one does the work.
    select s.swept_turn into v_after from log.store as s
    order by s.only_row limit 1 for update skip locked;
    if not found then
        return 0;
    end if;
    with recursive turns as (
        (
            select d.turn_id, d.session_id, d.seq, 1 as i
            from log.delta as d
            where d.turn_id > v_after and d.turn_id < log.uuid_at_ms(v_until)
            order by d.turn_id, d.session_id, d.seq
            limit 1
        )
        union all
        select x.turn_id, x.session_id, x.seq, t.i + 1
        from turns as t
        cross join lateral (
            select d.turn_id, d.session_id, d.seq
            from log.delta as d
            where d.turn_id > t.turn_id and d.turn_id < log.uuid_at_ms(v_until)
            order by d.turn_id, d.session_id, d.seq
            limit 1
        ) as x
        where t.i < p_turns
    )

    select
        array_agg(t.turn_id order by t.turn_id),
        array_agg(t.turn_id) filter (where exists (
            select from log.event as e
            where e.session_id = t.session_id and e.seq > t.seq and e.turn_id = t.turn_id
                and e.type in ('turn.completed', 'turn.failed', 'turn.cancelled', 'turn.sealed')
                and e.ts_ms <= v_until
        ))
    into v_turns, v_over
    from turns as t;

    delete from log.delta as d
    where (d.turn_id, d.session_id, d.seq, d.n) in (
        select x.turn_id, x.session_id, x.seq, x.n
        from log.delta as x
        where x.turn_id = any(v_over)
        limit p_rows
    );
    get diagnostics v_dropped = row_count;
    if v_dropped < p_rows then
        update log.store
        set swept_turn = case
            when cardinality(v_turns) = p_turns then v_turns[p_turns]
            else '00000000-0000-0000-0000-000000000000'
        end;
    end if;
    return v_dropped;
end
$$;


ALTER FUNCTION log.drop_deltas_v1(p_keep_ms bigint, p_turns integer, p_rows integer) OWNER TO log_owner;

--
-- Name: drop_deltas_v2(bigint, integer, integer); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.drop_deltas_v2(p_keep_ms bigint, p_turns integer, p_rows integer) RETURNS TABLE(dropped bigint, more boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_after uuid;
    v_until bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint - p_keep_ms;
    v_turns uuid[];
    v_over uuid[];
    v_dropped bigint;
    v_full boolean;
begin
    -- Skips the row while another sweep holds it: that one does the work.
    select s.swept_turn into v_after from log.store as s
    order by s.only_row limit 1 for update skip locked;
    if not found then
        return query select 0::bigint, false;
        return;
    end if;
    with recursive turns as (
        (
            select d.turn_id, d.session_id, d.seq, 1 as i
            from log.delta as d
            where d.turn_id > v_after and d.turn_id < log.uuid_at_ms(v_until)
            order by d.turn_id, d.session_id, d.seq
            limit 1
        )
        union all
        select x.turn_id, x.session_id, x.seq, t.i + 1
        from turns as t
        cross join lateral (
            select d.turn_id, d.session_id, d.seq
            from log.delta as d
            where d.turn_id > t.turn_id and d.turn_id < log.uuid_at_ms(v_until)
            order by d.turn_id, d.session_id, d.seq
            limit 1
        ) as x
        where t.i < p_turns
    )

    select
        array_agg(t.turn_id order by t.turn_id),
        array_agg(t.turn_id) filter (where exists (
            select from log.event as e
            where e.session_id = t.session_id and e.seq > t.seq and e.turn_id = t.turn_id
                and e.type in ('turn.completed', 'turn.failed', 'turn.cancelled', 'turn.sealed')
                and e.ts_ms <= v_until
        ))
    into v_turns, v_over
    from turns as t;

    delete from log.delta as d
    where (d.turn_id, d.session_id, d.seq, d.n) in (
        select x.turn_id, x.session_id, x.seq, x.n
        from log.delta as x
        where x.turn_id = any(v_over)
        limit p_rows
    );
    get diagnostics v_dropped = row_count;
    v_full := coalesce(cardinality(v_turns) = p_turns, false);
    if v_dropped < p_rows then
        update log.store
        set swept_turn = case
            when v_full then v_turns[p_turns]
            else '00000000-0000-0000-0000-000000000000'
        end;
    end if;
    return query select v_dropped, v_full or v_dropped >= p_rows;
end
$$;


ALTER FUNCTION log.drop_deltas_v2(p_keep_ms bigint, p_turns integer, p_rows integer) OWNER TO log_owner;

--
-- Name: epoch_v1(); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.epoch_v1() RETURNS smallint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ select s.epoch from log.store as s $$;


ALTER FUNCTION log.epoch_v1() OWNER TO log_owner;

--
-- Name: fork_v1(uuid, uuid, uuid, bigint, bigint, bigint, text[], uuid[], bytea[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.fork_v1(p_session uuid, p_org uuid, p_from uuid, p_seq bigint, p_turn_first bigint, p_now_ms bigint, p_types text[], p_turns uuid[], p_payloads bytea[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_from log.head;
    v_owner uuid;
    v_parent bytea;
    v_hash bytea;
    v_ts bigint;
    v_seq bigint := p_seq;
    v_type text;
    v_hashes bytea[] := '{}';
begin
    select h.* into v_from from log.head as h where h.session_id = p_from for share;
    if not found or v_from.org_id <> p_org or v_from.closed or v_from.last_seq < p_seq then
        return null;
    end if;
    -- The session that wrote the event itself: so a fork of a fork is no longer a line than it must be.
    select l.session_id, e.h into v_owner, v_parent
    from log.lineage_v1(p_from, p_org) as l
    inner join log.event as e on l.session_id = e.session_id and e.seq = p_seq
    where
        l.floor < p_seq and p_seq <= l.ceiling
        -- With the fork it is one longer, and lineage_v1 reads 64.
        and (select max(m.depth) from log.lineage_v1(p_from, p_org) as m) - l.depth < 63;
    if not found then
        return null;
    end if;
    v_hash := v_parent;
    v_ts := greatest(v_from.ts_ms, p_now_ms);
    for i in 1 .. cardinality(p_types) loop
        v_seq := v_seq + 1;
        v_type := p_types[i];
        v_hash := sha256(
            v_hash || uuid_send(p_session) || int8send(v_seq)
            || int8send(octet_length(v_type)) || convert_to(v_type, 'UTF8')
            || int8send(v_ts) || sha256(p_payloads[i])
        );
        v_hashes := v_hashes || v_hash;
    end loop;
    insert into log.head (
        session_id, org_id, last_seq, hash, ts_ms, status, turn_first_seq, parent, parent_seq,
        parent_hash, epoch
    )
    select p_session, p_org, v_seq, v_hash, v_ts, 3, p_turn_first, v_owner, p_seq, v_parent, s.epoch
    from log.store as s;
    insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, h)
    select p_session, p_seq + e.item, e.type, v_ts, e.turn_id, e.payload, e.h
    from unnest(p_types, p_turns, p_payloads, v_hashes) with ordinality
        as e (type, turn_id, payload, h, item);
    return v_seq;
end
$$;


ALTER FUNCTION log.fork_v1(p_session uuid, p_org uuid, p_from uuid, p_seq bigint, p_turn_first bigint, p_now_ms bigint, p_types text[], p_turns uuid[], p_payloads bytea[]) OWNER TO log_owner;

--
-- Name: heads_v1(uuid[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.heads_v1(p_sessions uuid[]) RETURNS TABLE(session_id uuid, org_id uuid, last_seq bigint, n integer, hash bytea, ts_ms bigint, status smallint, paused boolean, active_turn uuid, turn_first_seq bigint, closed boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
    return query
    select
        h.session_id, h.org_id, h.last_seq, h.n, h.hash, h.ts_ms,
        h.status, h.paused, h.active_turn, h.turn_first_seq, h.closed
    from log.head as h
    where h.session_id = any(p_sessions)
    order by h.session_id;
end
$$;


ALTER FUNCTION log.heads_v1(p_sessions uuid[]) OWNER TO log_owner;

--
-- Name: lineage_v1(uuid, uuid); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.lineage_v1(p_session uuid, p_org uuid) RETURNS TABLE(session_id uuid, floor bigint, ceiling bigint, parent_hash bytea, own boolean, depth integer)
    LANGUAGE sql STABLE
    AS $$
    with recursive lineage as (
        select
            h.session_id,
            h.parent,
            coalesce(h.parent_seq, 0) as floor,
            h.last_seq as ceiling,
            coalesce(h.parent_hash, '') as parent_hash,
            1 as depth
        from log.head as h
        where h.session_id = p_session and (p_org is null or h.org_id = p_org)
        union all
        select
            p.session_id,
            p.parent,
            coalesce(p.parent_seq, 0),
            least(l.floor, l.ceiling),
            coalesce(p.parent_hash, ''),
            l.depth + 1
        from lineage as l
        inner join log.head as p on l.parent = p.session_id
        where l.depth < 64
    )

    select l.session_id, l.floor, l.ceiling, l.parent_hash, l.depth = 1, l.depth from lineage as l
$$;


ALTER FUNCTION log.lineage_v1(p_session uuid, p_org uuid) OWNER TO log_owner;

--
-- Name: lock_v1(uuid[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.lock_v1(p_sessions uuid[]) RETURNS TABLE(session_id uuid, org_id uuid, last_seq bigint, n integer, hash bytea, ts_ms bigint, status smallint, paused boolean, active_turn uuid, turn_first_seq bigint, closed boolean)
    LANGUAGE plpgsql SECURITY DEFINER ROWS 32
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
    return query
    select
        h.session_id, h.org_id, h.last_seq, h.n, h.hash, h.ts_ms,
        h.status, h.paused, h.active_turn, h.turn_first_seq, h.closed
    from log.head as h
    where h.session_id = any(p_sessions)
    order by h.session_id
    for no key update;
end
$$;


ALTER FUNCTION log.lock_v1(p_sessions uuid[]) OWNER TO log_owner;

--
-- Name: make_partitions_v1(bigint, bigint); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.make_partitions_v1(from_ms bigint, until_ms bigint) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
    v_week bigint := log.week_start_ms(from_ms);
    v_parent text;
    v_name text;
    v_made int := 0;
begin
    if until_ms - from_ms > 60 * 604800000::bigint then
        raise exception 'log.make_partitions_v1: at most 60 weeks at once';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('log.make_partitions_v1', 0));
    while v_week <= until_ms loop
        foreach v_parent in array array['event', 'delta'] loop
            v_name := v_parent || '_'
                || to_char(to_timestamp(v_week / 1000) at time zone 'UTC', 'IYYY"w"IW');
            continue when to_regclass('log.' || v_name) is not null;
            -- Attaching takes a weaker lock on the parent than `create table … partition of`:
            -- writers go on.
            execute format('create table log.%I (like log.%I including all)', v_name, v_parent);
            if v_parent = 'event' then
                execute format(
                    'create trigger event_is_not_truncated before truncate on log.%I '
                    'for each statement execute function log.refuse_change_v1()', v_name
                );
            end if;
            execute format(
                'alter table log.%I attach partition log.%I for values from (%L) to (%L)',
                v_parent, v_name, log.uuid_at_ms(v_week), log.uuid_at_ms(v_week + 604800000)
            );
            v_made := v_made + 1;
        end loop;
        v_week := v_week + 604800000;
    end loop;
    return v_made;
end
$$;


ALTER FUNCTION log.make_partitions_v1(from_ms bigint, until_ms bigint) OWNER TO log_owner;

--
-- Name: offset_after(integer, integer, integer, integer); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.offset_after(p_next integer, p_start integer, p_offset integer, p_chars integer) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    return case
        when p_offset = coalesce(p_next, p_start) then p_offset + p_chars
        else coalesce(p_next, p_start)
    end;
end
$$;


ALTER FUNCTION log.offset_after(p_next integer, p_start integer, p_offset integer, p_chars integer) OWNER TO log_owner;

--
-- Name: open_empty_v1(uuid[], uuid[]); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.open_empty_v1(p_session uuid[], p_org uuid[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into log.head (session_id, org_id, ts_ms, epoch)
    select p.session_id, p.org_id, 0, s.epoch
    from unnest(p_session, p_org) as p (session_id, org_id)
    cross join log.store as s
    order by p.session_id;
end
$$;


ALTER FUNCTION log.open_empty_v1(p_session uuid[], p_org uuid[]) OWNER TO log_owner;

--
-- Name: open_one_v1(uuid, uuid); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.open_one_v1(p_session uuid, p_org uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    insert into log.head (session_id, org_id, ts_ms, epoch)
    select p_session, p_org, 0, s.epoch
    from log.store as s;
end
$$;


ALTER FUNCTION log.open_one_v1(p_session uuid, p_org uuid) OWNER TO log_owner;

--
-- Name: open_v2(uuid, uuid, text, bigint, bytea, bytea, bigint); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.open_v2(p_session uuid, p_org uuid, p_type text, p_ts bigint, p_payload bytea, p_hash bytea, p_drift_ms bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_now_ms bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
    if abs(p_ts - v_now_ms) > p_drift_ms then
        return v_now_ms;
    end if;
    insert into log.head (session_id, org_id, last_seq, hash, ts_ms, status, epoch)
    select p_session, p_org, 1, p_hash, p_ts, 1, s.epoch
    from log.store as s;

    insert into log.event (session_id, seq, type, ts_ms, payload, h)
    values (p_session, 1, p_type, p_ts, p_payload, p_hash);
    return 0;
end
$$;


ALTER FUNCTION log.open_v2(p_session uuid, p_org uuid, p_type text, p_ts bigint, p_payload bytea, p_hash bytea, p_drift_ms bigint) OWNER TO log_owner;

--
-- Name: partition_horizon_v1(); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.partition_horizon_v1() RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    v_week bigint := log.week_start_ms((extract(epoch from clock_timestamp()) * 1000)::bigint);
    v_name text;
begin
    loop
        v_name := to_char(to_timestamp(v_week / 1000) at time zone 'UTC', 'IYYY"w"IW');
        exit when to_regclass('log.event_' || v_name) is null
            or to_regclass('log.delta_' || v_name) is null;
        v_week := v_week + 604800000;
    end loop;
    return v_week;
end
$$;


ALTER FUNCTION log.partition_horizon_v1() OWNER TO log_owner;

--
-- Name: pause_v1(uuid[], boolean); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.pause_v1(p_sessions uuid[], p_paused boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    update log.head as h
    set paused = p_paused
    where h.session_id = any(p_sessions) and h.paused <> p_paused;
end
$$;


ALTER FUNCTION log.pause_v1(p_sessions uuid[], p_paused boolean) OWNER TO log_owner;

--
-- Name: refuse_change_v1(); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.refuse_change_v1() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    raise exception '% of %.% is refused: the log only grows', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;


ALTER FUNCTION log.refuse_change_v1() OWNER TO log_owner;

--
-- Name: uuid_at_ms(bigint); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.uuid_at_ms(p_ms bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select (lpad(to_hex(p_ms), 12, '0') || repeat('0', 20))::uuid
$$;


ALTER FUNCTION log.uuid_at_ms(p_ms bigint) OWNER TO log_owner;

--
-- Name: week_start_ms(bigint); Type: FUNCTION; Schema: log; Owner: log_owner
--

CREATE FUNCTION log.week_start_ms(p_ms bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select p_ms - mod(p_ms - 345600000, 604800000)
$$;


ALTER FUNCTION log.week_start_ms(p_ms bigint) OWNER TO log_owner;

--
-- Name: channel_end(integer, integer, integer); Type: AGGREGATE; Schema: log; Owner: log_owner
--

CREATE AGGREGATE log.channel_end(p_start integer, p_offset integer, p_chars integer) (
    SFUNC = log.offset_after,
    STYPE = integer
);


ALTER AGGREGATE log.channel_end(p_start integer, p_offset integer, p_chars integer) OWNER TO log_owner;

--
-- Name: agent; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.agent (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    display_name text,
    description text,
    harness_id uuid NOT NULL,
    tier bytea NOT NULL,
    status text NOT NULL,
    rev integer NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    archived_ms bigint,
    default_version_id uuid,
    forked_from_agent_id uuid,
    forked_from_version_id uuid,
    root_agent_id uuid,
    CONSTRAINT agent_status_check CHECK ((status = ANY (ARRAY['active'::text, 'archived'::text, 'deleted'::text])))
);

ALTER TABLE ONLY api.agent FORCE ROW LEVEL SECURITY;


ALTER TABLE api.agent OWNER TO api_owner;

--
-- Name: file; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.file (
    org_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    path text NOT NULL,
    id uuid NOT NULL,
    is_directory boolean NOT NULL,
    is_readonly boolean NOT NULL,
    size_bytes bigint NOT NULL,
    content bytea,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    changed_ms bigint DEFAULT 0 NOT NULL
);

ALTER TABLE ONLY api.file FORCE ROW LEVEL SECURITY;


ALTER TABLE api.file OWNER TO api_owner;

--
-- Name: file_past; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.file_past (
    org_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    path text NOT NULL,
    id uuid NOT NULL,
    is_directory boolean NOT NULL,
    is_readonly boolean NOT NULL,
    size_bytes bigint NOT NULL,
    content bytea,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    changed_ms bigint NOT NULL,
    until_ms bigint NOT NULL
);

ALTER TABLE ONLY api.file_past FORCE ROW LEVEL SECURITY;


ALTER TABLE api.file_past OWNER TO api_owner;

--
-- Name: harness; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.harness (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    display_name text,
    description text,
    parent_id uuid,
    tier bytea NOT NULL,
    status text NOT NULL,
    rev integer NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    archived_ms bigint,
    CONSTRAINT harness_status_check CHECK ((status = ANY (ARRAY['active'::text, 'archived'::text, 'deleted'::text])))
);

ALTER TABLE ONLY api.harness FORCE ROW LEVEL SECURITY;


ALTER TABLE api.harness OWNER TO api_owner;

--
-- Name: organization; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.organization (
    id uuid NOT NULL,
    name text NOT NULL,
    default_model_id text,
    default_harness_id uuid,
    rev integer DEFAULT 1 NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL
);

ALTER TABLE ONLY api.organization FORCE ROW LEVEL SECURITY;


ALTER TABLE api.organization OWNER TO api_owner;

--
-- Name: record; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.record (
    org_id uuid NOT NULL,
    kind text NOT NULL,
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    key text NOT NULL,
    data bytea NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    changed_ms bigint
);

ALTER TABLE ONLY api.record FORCE ROW LEVEL SECURITY;


ALTER TABLE api.record OWNER TO api_owner;

--
-- Name: record_fork; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.record_fork (
    org_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    parent_id uuid NOT NULL,
    as_of_ms bigint NOT NULL
);

ALTER TABLE ONLY api.record_fork FORCE ROW LEVEL SECURITY;


ALTER TABLE api.record_fork OWNER TO api_owner;

--
-- Name: record_past; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.record_past (
    org_id uuid NOT NULL,
    kind text NOT NULL,
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    key text NOT NULL,
    data bytea NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    changed_ms bigint NOT NULL,
    until_ms bigint NOT NULL
);

ALTER TABLE ONLY api.record_past FORCE ROW LEVEL SECURITY;


ALTER TABLE api.record_past OWNER TO api_owner;

--
-- Name: request_key; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.request_key (
    org_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status integer,
    body bytea DEFAULT '\x'::bytea NOT NULL,
    claimed_ms bigint NOT NULL
);

ALTER TABLE ONLY api.request_key FORCE ROW LEVEL SECURITY;


ALTER TABLE api.request_key OWNER TO api_owner;

--
-- Name: session; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.session (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    harness_id uuid NOT NULL,
    agent_id uuid,
    title text,
    locale text,
    tier bytea NOT NULL,
    pinned boolean DEFAULT false NOT NULL,
    rev integer NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    deleting_ms bigint,
    forked_from uuid,
    forked_seq bigint
)
WITH (fillfactor='85');

ALTER TABLE ONLY api.session FORCE ROW LEVEL SECURITY;


ALTER TABLE api.session OWNER TO api_owner;

--
-- Name: workspace; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.workspace (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    description text,
    status text NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    archived_ms bigint,
    CONSTRAINT workspace_status_check CHECK ((status = ANY (ARRAY['active'::text, 'archived'::text, 'deleted'::text])))
);

ALTER TABLE ONLY api.workspace FORCE ROW LEVEL SECURITY;


ALTER TABLE api.workspace OWNER TO api_owner;

--
-- Name: workspace_fork; Type: TABLE; Schema: api; Owner: api_owner
--

CREATE TABLE api.workspace_fork (
    org_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    parent_id uuid NOT NULL,
    as_of_ms bigint NOT NULL
);

ALTER TABLE ONLY api.workspace_fork FORCE ROW LEVEL SECURITY;


ALTER TABLE api.workspace_fork OWNER TO api_owner;

--
-- Name: attempt; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.attempt (
    task_id uuid NOT NULL,
    fence integer NOT NULL,
    workflow_id uuid NOT NULL,
    org_id uuid NOT NULL,
    step text NOT NULL,
    incarnation uuid NOT NULL,
    attach_number bigint NOT NULL,
    claim_rev integer NOT NULL,
    close_rev integer NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    stamped_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    acknowledged boolean NOT NULL,
    started boolean NOT NULL,
    closing smallint NOT NULL,
    result_hash bytea DEFAULT '\x'::bytea NOT NULL,
    error_code text DEFAULT ''::text NOT NULL,
    CONSTRAINT attempt_fence_check CHECK ((fence >= 1))
)
PARTITION BY RANGE (task_id);


ALTER TABLE engine.attempt OWNER TO engine_owner;

--
-- Name: attempt_error; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.attempt_error (
    task_id uuid NOT NULL,
    fence integer NOT NULL,
    message text NOT NULL
)
PARTITION BY RANGE (task_id);


ALTER TABLE engine.attempt_error OWNER TO engine_owner;

--
-- Name: board; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.board (
    one boolean DEFAULT true NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT board_one_check CHECK (one)
)
WITH (fillfactor='50');


ALTER TABLE engine.board OWNER TO engine_owner;

--
-- Name: bucket; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.bucket (
    key text NOT NULL,
    tokens double precision NOT NULL,
    filled_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');


ALTER TABLE engine.bucket OWNER TO engine_owner;

--
-- Name: budget_hold; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.budget_hold (
    task_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    session_id uuid NOT NULL,
    amount bigint NOT NULL,
    source text DEFAULT 'model_call'::text NOT NULL,
    CONSTRAINT budget_hold_amount_check CHECK ((amount > 0))
);


ALTER TABLE engine.budget_hold OWNER TO engine_owner;

--
-- Name: budget_present; Type: VIEW; Schema: engine; Owner: engine_owner
--

CREATE VIEW engine.budget_present AS
 SELECT b.id,
    b.org_id,
    b.subject_type,
    b.subject_id,
    b.currency,
    b.allowed,
    b.soft,
        CASE
            WHEN (p.renews IS NULL) THEN b.balance
            ELSE b.allowed
        END AS balance,
    b.reserved,
    b.status,
    (b.warned AND (p.renews IS NULL)) AS warned,
    b.metadata,
    b.period_kind,
    b.period_seconds,
    b.period_text,
    COALESCE(p.started, b.period_started_at) AS period_started_at,
    COALESCE(p.renews, b.renews_at) AS renews_at,
    b.created_at,
    b.updated_at
   FROM (engine.budget b
     LEFT JOIN LATERAL engine.budget_period(b.period_kind, b.period_seconds, b.period_text, b.period_started_at, clock_timestamp()) p(started, renews) ON ((b.renews_at <= clock_timestamp())))
  WHERE (NOT b.deleted);


ALTER VIEW engine.budget_present OWNER TO engine_owner;

--
-- Name: circuit; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.circuit (
    key text NOT NULL,
    rev bigint NOT NULL,
    state smallint NOT NULL,
    forced boolean NOT NULL,
    failures integer NOT NULL,
    successes integer NOT NULL,
    trips integer NOT NULL,
    reason text NOT NULL,
    until_at timestamp with time zone,
    prober uuid,
    last_failure_at timestamp with time zone,
    opened_at timestamp with time zone,
    half_open_at timestamp with time zone,
    CONSTRAINT circuit_check CHECK (((state = 3) = (prober IS NOT NULL))),
    CONSTRAINT circuit_state_check CHECK (((state >= 1) AND (state <= 3)))
)
WITH (fillfactor='70');


ALTER TABLE engine.circuit OWNER TO engine_owner;

--
-- Name: config; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.config (
    hash bytea NOT NULL,
    org_id uuid NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


ALTER TABLE engine.config OWNER TO engine_owner;

--
-- Name: dead_letter; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.dead_letter (
    task_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    session_id uuid NOT NULL,
    org_id uuid NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


ALTER TABLE engine.dead_letter OWNER TO engine_owner;

--
-- Name: effect; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.effect (
    workflow_id uuid NOT NULL,
    step text NOT NULL,
    org_id uuid NOT NULL,
    task_id uuid NOT NULL,
    class smallint NOT NULL,
    state smallint DEFAULT 1 NOT NULL,
    fence integer DEFAULT 0 NOT NULL,
    rev integer NOT NULL,
    started_at timestamp with time zone,
    closed_at timestamp with time zone,
    CONSTRAINT effect_class_check CHECK ((class = ANY (ARRAY[3, 4]))),
    CONSTRAINT effect_state_check CHECK (((state >= 1) AND (state <= 6)))
)
PARTITION BY RANGE (workflow_id);


ALTER TABLE engine.effect OWNER TO engine_owner;

--
-- Name: idempotency; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.idempotency (
    session_id uuid NOT NULL,
    key text NOT NULL,
    message_id uuid NOT NULL,
    org_id uuid NOT NULL,
    body_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


ALTER TABLE engine.idempotency OWNER TO engine_owner;

--
-- Name: inbox; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.inbox (
    session_id uuid NOT NULL,
    message_id uuid NOT NULL,
    org_id uuid NOT NULL,
    seq bigint NOT NULL,
    ts_ms bigint NOT NULL,
    config_hash bytea NOT NULL,
    turn_id uuid NOT NULL,
    controls bytea,
    workflow_id uuid,
    body_hash bytea NOT NULL,
    place bigint
)
WITH (fillfactor='85');


ALTER TABLE engine.inbox OWNER TO engine_owner;

--
-- Name: key_limit; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.key_limit (
    key text NOT NULL,
    rev bigint NOT NULL,
    at_once integer,
    rate integer,
    per_ms integer,
    burst integer,
    every_ms double precision,
    CONSTRAINT key_limit_at_once_check CHECK ((at_once >= 0)),
    CONSTRAINT key_limit_burst_check CHECK ((burst > 0)),
    CONSTRAINT key_limit_check CHECK ((num_nulls(rate, per_ms, burst, every_ms) = ANY (ARRAY[0, 4]))),
    CONSTRAINT key_limit_every_ms_check CHECK ((every_ms > (0)::double precision)),
    CONSTRAINT key_limit_per_ms_check CHECK ((per_ms > 0)),
    CONSTRAINT key_limit_rate_check CHECK ((rate > 0))
);


ALTER TABLE engine.key_limit OWNER TO engine_owner;

--
-- Name: payload; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.payload (
    task_id uuid NOT NULL,
    org_id uuid NOT NULL,
    step text NOT NULL,
    payload bytea NOT NULL,
    input_hash bytea NOT NULL
)
PARTITION BY RANGE (task_id);


ALTER TABLE engine.payload OWNER TO engine_owner;

--
-- Name: plain_cancel; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.plain_cancel (
    task_id uuid NOT NULL,
    org_id uuid NOT NULL,
    fence integer NOT NULL,
    reason text NOT NULL,
    cancelled_at timestamp with time zone NOT NULL
);


ALTER TABLE engine.plain_cancel OWNER TO engine_owner;

--
-- Name: replica; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.replica (
    id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');


ALTER TABLE engine.replica OWNER TO engine_owner;

--
-- Name: resolution; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.resolution (
    task_id uuid NOT NULL,
    org_id uuid NOT NULL,
    session_id uuid NOT NULL,
    workflow_id uuid,
    ordered_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    tried_at timestamp with time zone,
    settled_at timestamp with time zone,
    refusal text,
    CONSTRAINT resolution_refusal_check CHECK ((refusal = ANY (ARRAY['superseded'::text, 'session_gone'::text])))
)
WITH (fillfactor='70');


ALTER TABLE engine.resolution OWNER TO engine_owner;

--
-- Name: route; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.route (
    id integer NOT NULL,
    queue text NOT NULL,
    capability text NOT NULL,
    build text NOT NULL,
    model text NOT NULL
);


ALTER TABLE engine.route OWNER TO engine_owner;

--
-- Name: route_id_seq; Type: SEQUENCE; Schema: engine; Owner: engine_owner
--

ALTER TABLE engine.route ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME engine.route_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: share; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.share (
    org_id uuid NOT NULL,
    weight double precision NOT NULL,
    CONSTRAINT share_weight_check CHECK ((weight > (0)::double precision))
);


ALTER TABLE engine.share OWNER TO engine_owner;

--
-- Name: signal; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.signal (
    session_id uuid NOT NULL,
    source_turn uuid NOT NULL,
    kind text NOT NULL,
    org_id uuid NOT NULL,
    body bytea DEFAULT '\x'::bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    consumed_by uuid,
    tries smallint DEFAULT 0 NOT NULL,
    tried_at timestamp with time zone
);


ALTER TABLE engine.signal OWNER TO engine_owner;

--
-- Name: start; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.start (
    workflow_id uuid NOT NULL,
    org_id uuid NOT NULL,
    type text NOT NULL,
    key text NOT NULL,
    queue text NOT NULL,
    hash bytea NOT NULL,
    started_ms bigint NOT NULL
);


ALTER TABLE engine.start OWNER TO engine_owner;

--
-- Name: start_bound; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.start_bound (
    task_id uuid NOT NULL,
    org_id uuid NOT NULL,
    due_at timestamp with time zone NOT NULL
);


ALTER TABLE engine.start_bound OWNER TO engine_owner;

--
-- Name: step_result; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.step_result (
    workflow_id uuid NOT NULL,
    step text NOT NULL,
    org_id uuid NOT NULL,
    task_id uuid NOT NULL,
    fence integer NOT NULL,
    rev integer NOT NULL,
    input_hash bytea NOT NULL,
    body bytea NOT NULL,
    hash bytea NOT NULL,
    checkpoint boolean DEFAULT false NOT NULL
)
PARTITION BY RANGE (workflow_id);


ALTER TABLE engine.step_result OWNER TO engine_owner;

--
-- Name: sweep; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.sweep (
    kind text NOT NULL,
    swept_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');


ALTER TABLE engine.sweep OWNER TO engine_owner;

--
-- Name: task; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.task (
    id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    session_id uuid NOT NULL,
    org_id uuid NOT NULL,
    route integer NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
    kind smallint NOT NULL,
    effect smallint NOT NULL,
    state smallint NOT NULL,
    fence integer DEFAULT 0 NOT NULL,
    rev integer DEFAULT 1 NOT NULL,
    claim_rev integer DEFAULT 0 NOT NULL,
    run_at timestamp with time zone NOT NULL,
    claimed_at timestamp with time zone,
    stamped_at timestamp with time zone,
    lease_until timestamp with time zone,
    incarnation uuid,
    attach_number bigint,
    acknowledged boolean DEFAULT false NOT NULL,
    cancelling boolean DEFAULT false NOT NULL,
    started_fence integer DEFAULT 0 NOT NULL,
    emit_counter integer DEFAULT 0 NOT NULL,
    deaths smallint DEFAULT 0 NOT NULL,
    failures smallint DEFAULT 0 NOT NULL,
    uncounted smallint DEFAULT 0 NOT NULL,
    died integer[],
    step text NOT NULL,
    input_hash bytea NOT NULL,
    counted boolean DEFAULT false NOT NULL,
    CONSTRAINT task_check CHECK (((state = 2) = (lease_until IS NOT NULL))),
    CONSTRAINT task_check1 CHECK (((state = 2) = (incarnation IS NOT NULL))),
    CONSTRAINT task_effect_check CHECK (((effect >= 1) AND (effect <= 4))),
    CONSTRAINT task_state_check CHECK (((state >= 1) AND (state <= 4)))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');


ALTER TABLE engine.task OWNER TO engine_owner;

--
-- Name: timer; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.timer (
    id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    session_id uuid NOT NULL,
    org_id uuid NOT NULL,
    kind text NOT NULL,
    due_at timestamp with time zone NOT NULL
);


ALTER TABLE engine.timer OWNER TO engine_owner;

--
-- Name: toolset; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.toolset (
    name text NOT NULL,
    incarnation uuid NOT NULL,
    announced_at timestamp with time zone NOT NULL,
    body bytea NOT NULL
);


ALTER TABLE engine.toolset OWNER TO engine_owner;

--
-- Name: wait; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.wait (
    workflow_id uuid NOT NULL,
    step text NOT NULL,
    org_id uuid NOT NULL,
    timer_id uuid,
    body bytea NOT NULL
);


ALTER TABLE engine.wait OWNER TO engine_owner;

--
-- Name: worker; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.worker (
    incarnation uuid NOT NULL,
    attach_number bigint NOT NULL,
    name text NOT NULL,
    build text NOT NULL,
    attached_at timestamp with time zone NOT NULL,
    replica uuid,
    queues text[] DEFAULT '{}'::text[] NOT NULL,
    capabilities text[] DEFAULT '{}'::text[] NOT NULL,
    slots integer DEFAULT 0 NOT NULL,
    drained_at timestamp with time zone,
    leaving boolean DEFAULT false NOT NULL,
    silent_at timestamp with time zone,
    left_at timestamp with time zone
)
WITH (fillfactor='70');


ALTER TABLE engine.worker OWNER TO engine_owner;

--
-- Name: workflow; Type: TABLE; Schema: engine; Owner: engine_owner
--

CREATE TABLE engine.workflow (
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    org_id uuid NOT NULL,
    ordinal integer NOT NULL,
    rev integer DEFAULT 1 NOT NULL,
    outcome smallint DEFAULT 0 NOT NULL,
    state bytea NOT NULL,
    config_hash bytea NOT NULL,
    traceparent text DEFAULT ''::text NOT NULL,
    started_ms bigint NOT NULL,
    CONSTRAINT workflow_ordinal_check CHECK ((ordinal >= 1)),
    CONSTRAINT workflow_outcome_check CHECK (((outcome >= 0) AND (outcome <= 4))),
    CONSTRAINT workflow_state_check CHECK ((octet_length(state) <= 1536))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');


ALTER TABLE engine.workflow OWNER TO engine_owner;

--
-- Name: delta; Type: TABLE; Schema: log; Owner: log_owner
--

CREATE TABLE log.delta (
    turn_id uuid NOT NULL,
    session_id uuid NOT NULL,
    seq bigint NOT NULL,
    n integer NOT NULL,
    anchor text NOT NULL,
    attempt integer NOT NULL,
    channel text NOT NULL,
    "offset" integer NOT NULL,
    fragment text NOT NULL,
    reset boolean DEFAULT false NOT NULL,
    ts_ms bigint NOT NULL,
    CONSTRAINT delta_fragment_check CHECK ((fragment <> ''::text)),
    CONSTRAINT delta_n_check CHECK ((n >= 1))
)
PARTITION BY RANGE (turn_id);


ALTER TABLE log.delta OWNER TO log_owner;

--
-- Name: event; Type: TABLE; Schema: log; Owner: log_owner
--

CREATE TABLE log.event (
    session_id uuid NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    ts_ms bigint NOT NULL,
    turn_id uuid,
    payload bytea NOT NULL,
    deltas_before integer DEFAULT 0 NOT NULL,
    h bytea NOT NULL,
    CONSTRAINT event_seq_check CHECK ((seq >= 1))
)
PARTITION BY RANGE (session_id);


ALTER TABLE log.event OWNER TO log_owner;

--
-- Name: head; Type: TABLE; Schema: log; Owner: log_owner
--

CREATE TABLE log.head (
    session_id uuid NOT NULL,
    org_id uuid NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    n integer DEFAULT 0 NOT NULL,
    hash bytea DEFAULT '\x'::bytea NOT NULL,
    algorithm smallint DEFAULT 1 NOT NULL,
    ts_ms bigint NOT NULL,
    status smallint DEFAULT 1 NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    active_turn uuid,
    turn_first_seq bigint DEFAULT 0 NOT NULL,
    anchors jsonb DEFAULT '{}'::jsonb NOT NULL,
    closed boolean DEFAULT false NOT NULL,
    closing_done boolean DEFAULT false NOT NULL,
    parent uuid,
    parent_seq bigint,
    parent_hash bytea,
    epoch smallint DEFAULT 1 NOT NULL,
    CONSTRAINT head_check CHECK ((((parent IS NULL) = (parent_seq IS NULL)) AND ((parent IS NULL) = (parent_hash IS NULL)))),
    CONSTRAINT head_last_seq_check CHECK ((last_seq >= 0)),
    CONSTRAINT head_n_check CHECK ((n >= 0)),
    CONSTRAINT head_status_check CHECK (((status >= 1) AND (status <= 4)))
)
WITH (fillfactor='75', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');


ALTER TABLE log.head OWNER TO log_owner;

--
-- Name: store; Type: TABLE; Schema: log; Owner: log_owner
--

CREATE TABLE log.store (
    only_row boolean DEFAULT true NOT NULL,
    epoch smallint DEFAULT 1 NOT NULL,
    swept_turn uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    partitions_checked_ms bigint DEFAULT 0 NOT NULL,
    CONSTRAINT store_epoch_check CHECK (((epoch >= 0) AND (epoch <= 63))),
    CONSTRAINT store_only_row_check CHECK (only_row)
);


ALTER TABLE log.store OWNER TO log_owner;

--
-- Name: schema_migrations; Type: TABLE; Schema: public; Owner: mainspring
--

CREATE TABLE public.schema_migrations (
    version character varying NOT NULL
);


ALTER TABLE public.schema_migrations OWNER TO mainspring;

--
-- Name: duty; Type: TABLE; Schema: scheduler; Owner: scheduler_owner
--

CREATE TABLE scheduler.duty (
    name text NOT NULL,
    period_ms integer NOT NULL,
    hold_ms integer NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    taken_at timestamp with time zone,
    CONSTRAINT duty_check CHECK (((hold_ms > 0) AND (hold_ms <= period_ms))),
    CONSTRAINT duty_failures_check CHECK ((failures >= 0)),
    CONSTRAINT duty_period_ms_check CHECK ((period_ms > 0))
)
WITH (fillfactor='50', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_scale_factor='0');


ALTER TABLE scheduler.duty OWNER TO scheduler_owner;

--
-- Name: schedule; Type: TABLE; Schema: scheduler; Owner: scheduler_owner
--

CREATE TABLE scheduler.schedule (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    target text NOT NULL,
    spec bytea NOT NULL,
    paused boolean NOT NULL,
    deleted boolean DEFAULT false NOT NULL,
    rev integer NOT NULL,
    next_ms bigint,
    last_ms bigint,
    due_ms bigint,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    session_id uuid,
    CONSTRAINT schedule_target_check CHECK ((target = ANY (ARRAY['message'::text, 'workflow'::text])))
)
WITH (fillfactor='70');


ALTER TABLE scheduler.schedule OWNER TO scheduler_owner;

--
-- Name: slot; Type: TABLE; Schema: scheduler; Owner: scheduler_owner
--

CREATE TABLE scheduler.slot (
    id uuid NOT NULL,
    schedule_id uuid NOT NULL,
    org_id uuid NOT NULL,
    slot_ms bigint NOT NULL,
    origin text NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL,
    code text,
    detail text,
    session_id uuid,
    message_id uuid,
    turn_id uuid,
    workflow_id uuid,
    created_ms bigint NOT NULL,
    started_ms bigint,
    ended_ms bigint,
    due_ms bigint,
    asked bytea,
    CONSTRAINT slot_origin_check CHECK ((origin = ANY (ARRAY['time'::text, 'hand'::text]))),
    CONSTRAINT slot_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'buffered'::text, 'starting'::text, 'running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'needs_attention'::text, 'skipped'::text, 'missed'::text])))
)
WITH (fillfactor='70');


ALTER TABLE scheduler.slot OWNER TO scheduler_owner;

--
-- Name: agent agent_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.agent
    ADD CONSTRAINT agent_pkey PRIMARY KEY (org_id, id);


--
-- Name: file_past file_past_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.file_past
    ADD CONSTRAINT file_past_pkey PRIMARY KEY (org_id, workspace_id, path, until_ms);


--
-- Name: file file_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.file
    ADD CONSTRAINT file_pkey PRIMARY KEY (org_id, workspace_id, path);


--
-- Name: harness harness_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.harness
    ADD CONSTRAINT harness_pkey PRIMARY KEY (org_id, id);


--
-- Name: organization organization_name_key; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.organization
    ADD CONSTRAINT organization_name_key UNIQUE (name);


--
-- Name: organization organization_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.organization
    ADD CONSTRAINT organization_pkey PRIMARY KEY (id);


--
-- Name: record_fork record_fork_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.record_fork
    ADD CONSTRAINT record_fork_pkey PRIMARY KEY (org_id, owner_id);


--
-- Name: record_past record_past_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.record_past
    ADD CONSTRAINT record_past_pkey PRIMARY KEY (org_id, kind, id, until_ms);


--
-- Name: record record_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.record
    ADD CONSTRAINT record_pkey PRIMARY KEY (org_id, kind, id);


--
-- Name: request_key request_key_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.request_key
    ADD CONSTRAINT request_key_pkey PRIMARY KEY (org_id, route, key);


--
-- Name: session session_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (org_id, id);


--
-- Name: workspace_fork workspace_fork_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.workspace_fork
    ADD CONSTRAINT workspace_fork_pkey PRIMARY KEY (org_id, workspace_id);


--
-- Name: workspace workspace_pkey; Type: CONSTRAINT; Schema: api; Owner: api_owner
--

ALTER TABLE ONLY api.workspace
    ADD CONSTRAINT workspace_pkey PRIMARY KEY (org_id, id);


--
-- Name: attempt_error attempt_error_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.attempt_error
    ADD CONSTRAINT attempt_error_pkey PRIMARY KEY (task_id, fence);


--
-- Name: attempt attempt_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (task_id, fence);


--
-- Name: board board_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.board
    ADD CONSTRAINT board_pkey PRIMARY KEY (one);


--
-- Name: bucket bucket_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.bucket
    ADD CONSTRAINT bucket_pkey PRIMARY KEY (key);


--
-- Name: budget budget_currency_check; Type: CHECK CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE engine.budget
    ADD CONSTRAINT budget_currency_check CHECK ((currency = ANY (ARRAY['tokens'::text, 'calls'::text, 'seconds'::text, 'usd'::text]))) NOT VALID;


--
-- Name: budget_entry budget_entry_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.budget_entry
    ADD CONSTRAINT budget_entry_pkey PRIMARY KEY (id);


--
-- Name: budget_hold budget_hold_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.budget_hold
    ADD CONSTRAINT budget_hold_pkey PRIMARY KEY (task_id, budget_id);


--
-- Name: budget budget_period_check; Type: CHECK CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE engine.budget
    ADD CONSTRAINT budget_period_check CHECK (
CASE
    WHEN (period_kind IS NULL) THEN (num_nulls(renews_at, period_started_at) = 2)
    ELSE ((renews_at > period_started_at) AND (num_nulls(renews_at, period_started_at) = 0))
END) NOT VALID;


--
-- Name: budget budget_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.budget
    ADD CONSTRAINT budget_pkey PRIMARY KEY (id);


--
-- Name: budget budget_subject_type_check; Type: CHECK CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE engine.budget
    ADD CONSTRAINT budget_subject_type_check CHECK ((subject_type = ANY (ARRAY['session'::text, 'agent'::text, 'organization'::text, 'user'::text]))) NOT VALID;


--
-- Name: circuit circuit_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.circuit
    ADD CONSTRAINT circuit_pkey PRIMARY KEY (key);


--
-- Name: config config_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.config
    ADD CONSTRAINT config_pkey PRIMARY KEY (hash);


--
-- Name: dead_letter dead_letter_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.dead_letter
    ADD CONSTRAINT dead_letter_pkey PRIMARY KEY (task_id);


--
-- Name: effect effect_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.effect
    ADD CONSTRAINT effect_pkey PRIMARY KEY (workflow_id, step);


--
-- Name: idempotency idempotency_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (session_id, key);


--
-- Name: inbox inbox_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (session_id, message_id);


--
-- Name: key_limit key_limit_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.key_limit
    ADD CONSTRAINT key_limit_pkey PRIMARY KEY (key);


--
-- Name: payload payload_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.payload
    ADD CONSTRAINT payload_pkey PRIMARY KEY (task_id);


--
-- Name: plain_cancel plain_cancel_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.plain_cancel
    ADD CONSTRAINT plain_cancel_pkey PRIMARY KEY (task_id);


--
-- Name: progress progress_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (task_id, step);


--
-- Name: replica replica_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.replica
    ADD CONSTRAINT replica_pkey PRIMARY KEY (id);


--
-- Name: resolution resolution_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.resolution
    ADD CONSTRAINT resolution_pkey PRIMARY KEY (task_id);


--
-- Name: resolution resolution_workflow_id_key; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.resolution
    ADD CONSTRAINT resolution_workflow_id_key UNIQUE (workflow_id);


--
-- Name: route route_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.route
    ADD CONSTRAINT route_pkey PRIMARY KEY (id);


--
-- Name: route route_queue_capability_build_model_key; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.route
    ADD CONSTRAINT route_queue_capability_build_model_key UNIQUE (queue, capability, build, model);


--
-- Name: share share_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.share
    ADD CONSTRAINT share_pkey PRIMARY KEY (org_id);


--
-- Name: signal signal_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.signal
    ADD CONSTRAINT signal_pkey PRIMARY KEY (session_id, source_turn, kind);


--
-- Name: start_bound start_bound_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.start_bound
    ADD CONSTRAINT start_bound_pkey PRIMARY KEY (task_id);


--
-- Name: start start_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.start
    ADD CONSTRAINT start_pkey PRIMARY KEY (workflow_id);


--
-- Name: step_result step_result_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.step_result
    ADD CONSTRAINT step_result_pkey PRIMARY KEY (workflow_id, step);


--
-- Name: sweep sweep_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.sweep
    ADD CONSTRAINT sweep_pkey PRIMARY KEY (kind);


--
-- Name: task task_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (id);


--
-- Name: timer timer_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.timer
    ADD CONSTRAINT timer_pkey PRIMARY KEY (id);


--
-- Name: toolset toolset_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.toolset
    ADD CONSTRAINT toolset_pkey PRIMARY KEY (name);


--
-- Name: wait wait_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.wait
    ADD CONSTRAINT wait_pkey PRIMARY KEY (workflow_id, step);


--
-- Name: worker worker_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (incarnation);


--
-- Name: workflow workflow_pkey; Type: CONSTRAINT; Schema: engine; Owner: engine_owner
--

ALTER TABLE ONLY engine.workflow
    ADD CONSTRAINT workflow_pkey PRIMARY KEY (id);


--
-- Name: delta delta_pkey; Type: CONSTRAINT; Schema: log; Owner: log_owner
--

ALTER TABLE ONLY log.delta
    ADD CONSTRAINT delta_pkey PRIMARY KEY (turn_id, session_id, seq, n);


--
-- Name: event event_pkey; Type: CONSTRAINT; Schema: log; Owner: log_owner
--

ALTER TABLE ONLY log.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (session_id, seq);


--
-- Name: head head_pkey; Type: CONSTRAINT; Schema: log; Owner: log_owner
--

ALTER TABLE ONLY log.head
    ADD CONSTRAINT head_pkey PRIMARY KEY (session_id);


--
-- Name: store store_pkey; Type: CONSTRAINT; Schema: log; Owner: log_owner
--

ALTER TABLE ONLY log.store
    ADD CONSTRAINT store_pkey PRIMARY KEY (only_row);


--
-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: mainspring
--

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);


--
-- Name: duty duty_pkey; Type: CONSTRAINT; Schema: scheduler; Owner: scheduler_owner
--

ALTER TABLE ONLY scheduler.duty
    ADD CONSTRAINT duty_pkey PRIMARY KEY (name);


--
-- Name: schedule schedule_pkey; Type: CONSTRAINT; Schema: scheduler; Owner: scheduler_owner
--

ALTER TABLE ONLY scheduler.schedule
    ADD CONSTRAINT schedule_pkey PRIMARY KEY (id);


--
-- Name: slot slot_pkey; Type: CONSTRAINT; Schema: scheduler; Owner: scheduler_owner
--

ALTER TABLE ONLY scheduler.slot
    ADD CONSTRAINT slot_pkey PRIMARY KEY (id);


--
-- Name: agent_name; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE UNIQUE INDEX agent_name ON api.agent USING btree (org_id, name) WHERE (status <> 'deleted'::text);


--
-- Name: agent_newest; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX agent_newest ON api.agent USING btree (org_id, created_ms DESC, id DESC) WHERE (status = 'active'::text);


--
-- Name: file_past_age; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX file_past_age ON api.file_past USING btree (until_ms);


--
-- Name: harness_heirs; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX harness_heirs ON api.harness USING btree (org_id, parent_id) WHERE (parent_id IS NOT NULL);


--
-- Name: harness_name; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE UNIQUE INDEX harness_name ON api.harness USING btree (org_id, name) WHERE (status <> 'deleted'::text);


--
-- Name: record_fork_parent; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX record_fork_parent ON api.record_fork USING btree (org_id, parent_id);


--
-- Name: record_key; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE UNIQUE INDEX record_key ON api.record USING btree (org_id, kind, owner_id, key) WHERE (key <> ''::text);


--
-- Name: record_newest; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX record_newest ON api.record USING btree (org_id, kind, owner_id, created_ms DESC, id DESC);


--
-- Name: record_past_age; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX record_past_age ON api.record_past USING btree (until_ms);


--
-- Name: record_past_owner; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX record_past_owner ON api.record_past USING btree (org_id, kind, owner_id);


--
-- Name: request_key_age; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX request_key_age ON api.request_key USING btree (claimed_ms);


--
-- Name: session_deleting; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX session_deleting ON api.session USING btree (deleting_ms) WHERE (deleting_ms IS NOT NULL);


--
-- Name: session_newest; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX session_newest ON api.session USING btree (org_id, created_ms DESC, id DESC) WHERE (deleting_ms IS NULL);


--
-- Name: session_of_agent; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX session_of_agent ON api.session USING btree (org_id, agent_id, created_ms DESC, id DESC) WHERE ((deleting_ms IS NULL) AND (agent_id IS NOT NULL));


--
-- Name: workspace_fork_parent; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE INDEX workspace_fork_parent ON api.workspace_fork USING btree (org_id, parent_id);


--
-- Name: workspace_name; Type: INDEX; Schema: api; Owner: api_owner
--

CREATE UNIQUE INDEX workspace_name ON api.workspace USING btree (org_id, name) WHERE (status = 'active'::text);


--
-- Name: budget_entry_budget; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX budget_entry_budget ON engine.budget_entry USING btree (budget_id, at, id);


--
-- Name: budget_hold_budget; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX budget_hold_budget ON engine.budget_hold USING btree (budget_id);


--
-- Name: budget_subject; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX budget_subject ON engine.budget USING btree (org_id, subject_type, subject_id) WHERE (NOT deleted);


--
-- Name: circuit_rev; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX circuit_rev ON engine.circuit USING btree (rev);


--
-- Name: dead_letter_org; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX dead_letter_org ON engine.dead_letter USING btree (org_id, task_id);


--
-- Name: idempotency_age; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX idempotency_age ON engine.idempotency USING btree (created_at);


--
-- Name: inbox_waiting; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX inbox_waiting ON engine.inbox USING btree (session_id, seq) WHERE (workflow_id IS NULL);


--
-- Name: resolution_due; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX resolution_due ON engine.resolution USING btree (due_at) WHERE ((workflow_id IS NOT NULL) AND (settled_at IS NULL));


--
-- Name: route_gates; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX route_gates ON engine.route USING gin (string_to_array(model, '
'::text)) WITH (fastupdate=off);


--
-- Name: signal_untaken; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX signal_untaken ON engine.signal USING btree (created_at) WHERE ((consumed_by IS NULL) AND (kind = ANY (ARRAY['child:start'::text, 'child:ended'::text, 'child:cancel'::text])));


--
-- Name: signal_waiting; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX signal_waiting ON engine.signal USING btree (session_id) WHERE (consumed_by IS NULL);


--
-- Name: start_bound_due; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX start_bound_due ON engine.start_bound USING btree (due_at);


--
-- Name: start_key; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE UNIQUE INDEX start_key ON engine.start USING btree (org_id, key);


--
-- Name: start_newest; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX start_newest ON engine.start USING btree (org_id, workflow_id DESC);


--
-- Name: start_type; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX start_type ON engine.start USING btree (org_id, type, workflow_id DESC);


--
-- Name: task_counted; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX task_counted ON engine.task USING btree (route) WHERE ((state = 2) AND counted);


--
-- Name: task_delayed; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX task_delayed ON engine.task USING btree (run_at) WHERE (state = 3);


--
-- Name: task_leased; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX task_leased ON engine.task USING btree (incarnation, id) WHERE (state = 2);


--
-- Name: task_ready; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX task_ready ON engine.task USING btree (route, org_id, priority DESC, id) WHERE (state = 1);


--
-- Name: task_suspect; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX task_suspect ON engine.task USING btree (state, run_at) WHERE (deaths >= 2);


--
-- Name: task_workflow; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX task_workflow ON engine.task USING btree (workflow_id);


--
-- Name: timer_due; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX timer_due ON engine.timer USING btree (due_at);


--
-- Name: worker_drained; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE INDEX worker_drained ON engine.worker USING btree (replica) WHERE (drained_at IS NOT NULL);


--
-- Name: workflow_ordinal; Type: INDEX; Schema: engine; Owner: engine_owner
--

CREATE UNIQUE INDEX workflow_ordinal ON engine.workflow USING btree (session_id, ordinal);


--
-- Name: schedule_due; Type: INDEX; Schema: scheduler; Owner: scheduler_owner
--

CREATE INDEX schedule_due ON scheduler.schedule USING btree (due_ms) WHERE (due_ms IS NOT NULL);


--
-- Name: schedule_listed; Type: INDEX; Schema: scheduler; Owner: scheduler_owner
--

CREATE INDEX schedule_listed ON scheduler.schedule USING btree (org_id, created_ms, id) WHERE (NOT deleted);


--
-- Name: schedule_name; Type: INDEX; Schema: scheduler; Owner: scheduler_owner
--

CREATE UNIQUE INDEX schedule_name ON scheduler.schedule USING btree (org_id, name) WHERE (NOT deleted);


--
-- Name: schedule_session; Type: INDEX; Schema: scheduler; Owner: scheduler_owner
--

CREATE INDEX schedule_session ON scheduler.schedule USING btree (session_id) WHERE (session_id IS NOT NULL);


--
-- Name: slot_ended; Type: INDEX; Schema: scheduler; Owner: scheduler_owner
--

CREATE INDEX slot_ended ON scheduler.slot USING btree (ended_ms) WHERE (ended_ms IS NOT NULL);


--
-- Name: slot_newest; Type: INDEX; Schema: scheduler; Owner: scheduler_owner
--

CREATE INDEX slot_newest ON scheduler.slot USING btree (schedule_id, slot_ms, id);


--
-- Name: slot_open; Type: INDEX; Schema: scheduler; Owner: scheduler_owner
--

CREATE INDEX slot_open ON scheduler.slot USING btree (schedule_id) WHERE (ended_ms IS NULL);


--
-- Name: slot_time; Type: INDEX; Schema: scheduler; Owner: scheduler_owner
--

CREATE UNIQUE INDEX slot_time ON scheduler.slot USING btree (schedule_id, slot_ms) WHERE (origin = 'time'::text);


--
-- Name: file file_keeps_its_past; Type: TRIGGER; Schema: api; Owner: api_owner
--

CREATE TRIGGER file_keeps_its_past BEFORE INSERT OR DELETE OR UPDATE ON api.file FOR EACH ROW EXECUTE FUNCTION api.keep_past();


--
-- Name: record record_is_stamped; Type: TRIGGER; Schema: api; Owner: api_owner
--

CREATE TRIGGER record_is_stamped BEFORE INSERT ON api.record FOR EACH ROW WHEN ((new.kind = ANY (ARRAY['session_value'::text, 'mcp_pin'::text]))) EXECUTE FUNCTION api.keep_record();


--
-- Name: record record_keeps_its_past; Type: TRIGGER; Schema: api; Owner: api_owner
--

CREATE TRIGGER record_keeps_its_past BEFORE DELETE OR UPDATE ON api.record FOR EACH ROW WHEN ((old.kind = ANY (ARRAY['session_value'::text, 'mcp_pin'::text]))) EXECUTE FUNCTION api.keep_record();


--
-- Name: task attempt_begins; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER attempt_begins BEFORE UPDATE OF fence ON engine.task FOR EACH ROW WHEN (((new.fence > old.fence) AND (old.emit_counter > 0))) EXECUTE FUNCTION engine.begin_attempt_v1();


--
-- Name: attempt_error attempt_error_is_final; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER attempt_error_is_final BEFORE DELETE OR UPDATE ON engine.attempt_error FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: attempt attempt_is_final; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER attempt_is_final BEFORE DELETE OR UPDATE ON engine.attempt FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: budget_entry budget_entry_immutable; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER budget_entry_immutable BEFORE DELETE OR UPDATE ON engine.budget_entry FOR EACH ROW EXECUTE FUNCTION engine.refuse_entry_change();


--
-- Name: config config_is_final; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER config_is_final BEFORE DELETE OR UPDATE ON engine.config FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: dead_letter dead_letter_is_final; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER dead_letter_is_final BEFORE DELETE OR UPDATE ON engine.dead_letter FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: effect effect_moves_forward; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER effect_moves_forward BEFORE UPDATE ON engine.effect FOR EACH ROW WHEN ((NOT (((old.state = 1) AND (new.state = ANY (ARRAY[2, 6]))) OR ((old.state = 2) AND (new.state = ANY (ARRAY[3, 4, 5]))) OR ((old.state = 2) AND (new.state = 2) AND (old.class = 4))))) EXECUTE FUNCTION engine.refuse_way_back_v1();


--
-- Name: effect effect_stays; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER effect_stays BEFORE DELETE ON engine.effect FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: idempotency idempotency_is_final; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER idempotency_is_final BEFORE UPDATE ON engine.idempotency FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: payload payload_is_final; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER payload_is_final BEFORE DELETE OR UPDATE ON engine.payload FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: start start_is_final; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER start_is_final BEFORE DELETE OR UPDATE ON engine.start FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: step_result step_result_is_final; Type: TRIGGER; Schema: engine; Owner: engine_owner
--

CREATE TRIGGER step_result_is_final BEFORE DELETE OR UPDATE ON engine.step_result FOR EACH ROW EXECUTE FUNCTION engine.refuse_change_v1();


--
-- Name: delta delta_is_immutable; Type: TRIGGER; Schema: log; Owner: log_owner
--

CREATE TRIGGER delta_is_immutable BEFORE UPDATE ON log.delta FOR EACH ROW EXECUTE FUNCTION log.refuse_change_v1();


--
-- Name: event event_is_immutable; Type: TRIGGER; Schema: log; Owner: log_owner
--

CREATE TRIGGER event_is_immutable BEFORE DELETE OR UPDATE ON log.event FOR EACH ROW EXECUTE FUNCTION log.refuse_change_v1();


--
-- Name: event event_is_not_truncated; Type: TRIGGER; Schema: log; Owner: log_owner
--

CREATE TRIGGER event_is_not_truncated BEFORE TRUNCATE ON log.event FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change_v1();


--
-- Name: agent; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.agent ENABLE ROW LEVEL SECURITY;

--
-- Name: file; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.file ENABLE ROW LEVEL SECURITY;

--
-- Name: file_past; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.file_past ENABLE ROW LEVEL SECURITY;

--
-- Name: harness; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.harness ENABLE ROW LEVEL SECURITY;

--
-- Name: organization listing; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY listing ON api.organization FOR SELECT TO api_owner USING (true);


--
-- Name: organization; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.organization ENABLE ROW LEVEL SECURITY;

--
-- Name: agent own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.agent TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: file own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.file TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: file_past own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.file_past TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: harness own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.harness TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: organization own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.organization TO api_run USING ((id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: record own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.record TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: record_fork own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.record_fork TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: record_past own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.record_past TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: request_key own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.request_key TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: session own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.session TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: workspace own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.workspace TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: workspace_fork own; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY own ON api.workspace_fork TO api_run USING ((org_id = ( SELECT (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((org_id = (NULLIF(current_setting('mainspring.org_id'::text, true), ''::text))::uuid));


--
-- Name: record; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.record ENABLE ROW LEVEL SECURITY;

--
-- Name: record_fork; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.record_fork ENABLE ROW LEVEL SECURITY;

--
-- Name: record_past; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.record_past ENABLE ROW LEVEL SECURITY;

--
-- Name: request_key; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.request_key ENABLE ROW LEVEL SECURITY;

--
-- Name: session; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.session ENABLE ROW LEVEL SECURITY;

--
-- Name: file_past upkeep; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY upkeep ON api.file_past TO api_owner USING (true);


--
-- Name: record_fork upkeep; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY upkeep ON api.record_fork FOR SELECT TO api_owner USING (true);


--
-- Name: record_past upkeep; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY upkeep ON api.record_past TO api_owner USING (true);


--
-- Name: request_key upkeep; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY upkeep ON api.request_key TO api_owner USING (true);


--
-- Name: session upkeep; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY upkeep ON api.session FOR SELECT TO api_owner USING (true);


--
-- Name: workspace_fork upkeep; Type: POLICY; Schema: api; Owner: api_owner
--

CREATE POLICY upkeep ON api.workspace_fork FOR SELECT TO api_owner USING (true);


--
-- Name: workspace; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.workspace ENABLE ROW LEVEL SECURITY;

--
-- Name: workspace_fork; Type: ROW SECURITY; Schema: api; Owner: api_owner
--

ALTER TABLE api.workspace_fork ENABLE ROW LEVEL SECURITY;

--
-- Name: SCHEMA api; Type: ACL; Schema: -; Owner: api_owner
--

GRANT USAGE ON SCHEMA api TO api_run;


--
-- Name: SCHEMA engine; Type: ACL; Schema: -; Owner: engine_owner
--

GRANT USAGE ON SCHEMA engine TO engine_run;
GRANT USAGE ON SCHEMA engine TO api_owner;
GRANT USAGE ON SCHEMA engine TO api_run;


--
-- Name: SCHEMA log; Type: ACL; Schema: -; Owner: log_owner
--

GRANT USAGE ON SCHEMA log TO log_run;
GRANT USAGE ON SCHEMA log TO engine_owner;
GRANT USAGE ON SCHEMA log TO api_owner;
GRANT USAGE ON SCHEMA log TO api_run;
GRANT USAGE ON SCHEMA log TO engine_run;


--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: pg_database_owner
--

GRANT USAGE ON SCHEMA public TO api_run;
GRANT USAGE ON SCHEMA public TO engine_run;
GRANT USAGE ON SCHEMA public TO log_run;
GRANT USAGE ON SCHEMA public TO scheduler_run;
GRANT USAGE ON SCHEMA public TO verify_run;


--
-- Name: SCHEMA scheduler; Type: ACL; Schema: -; Owner: scheduler_owner
--

GRANT USAGE ON SCHEMA scheduler TO scheduler_run;


--
-- Name: FUNCTION basis_many(p_org uuid, p_sessions uuid[]); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.basis_many(p_org uuid, p_sessions uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION api.basis_many(p_org uuid, p_sessions uuid[]) TO api_run;


--
-- Name: FUNCTION count_organizations(); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.count_organizations() FROM PUBLIC;
GRANT ALL ON FUNCTION api.count_organizations() TO api_run;


--
-- Name: FUNCTION drop_files(p_workspace uuid); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.drop_files(p_workspace uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.drop_files(p_workspace uuid) TO api_run;


--
-- Name: FUNCTION drop_records(p_owner uuid); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.drop_records(p_owner uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.drop_records(p_owner uuid) TO api_run;


--
-- Name: FUNCTION forget_file_past(p_before_ms bigint, p_limit integer); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.forget_file_past(p_before_ms bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.forget_file_past(p_before_ms bigint, p_limit integer) TO api_run;


--
-- Name: FUNCTION forget_keys(p_before_ms bigint, p_limit integer); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.forget_keys(p_before_ms bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.forget_keys(p_before_ms bigint, p_limit integer) TO api_run;


--
-- Name: FUNCTION forget_record_past(p_before_ms bigint, p_limit integer); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.forget_record_past(p_before_ms bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.forget_record_past(p_before_ms bigint, p_limit integer) TO api_run;


--
-- Name: FUNCTION inherited(p_workspace uuid, p_paths text[]); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.inherited(p_workspace uuid, p_paths text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION api.inherited(p_workspace uuid, p_paths text[]) TO api_run;


--
-- Name: FUNCTION inherited_records(p_kind text, p_owner uuid); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.inherited_records(p_kind text, p_owner uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.inherited_records(p_kind text, p_owner uuid) TO api_run;


--
-- Name: FUNCTION keep_past(); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.keep_past() FROM PUBLIC;
GRANT ALL ON FUNCTION api.keep_past() TO api_run;


--
-- Name: FUNCTION keep_record(); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.keep_record() FROM PUBLIC;
GRANT ALL ON FUNCTION api.keep_record() TO api_run;


--
-- Name: FUNCTION organizations(p_offset integer, p_limit integer); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.organizations(p_offset integer, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.organizations(p_offset integer, p_limit integer) TO api_run;


--
-- Name: FUNCTION own_files(p_workspace uuid); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.own_files(p_workspace uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.own_files(p_workspace uuid) TO api_run;


--
-- Name: FUNCTION own_records(p_owner uuid); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.own_records(p_owner uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.own_records(p_owner uuid) TO api_run;


--
-- Name: FUNCTION unfinished_deletes(p_before_ms bigint, p_limit integer); Type: ACL; Schema: api; Owner: api_owner
--

REVOKE ALL ON FUNCTION api.unfinished_deletes(p_before_ms bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.unfinished_deletes(p_before_ms bigint, p_limit integer) TO api_run;


--
-- Name: FUNCTION add_workflow(p_workflow engine.commit_workflow); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.add_workflow(p_workflow engine.commit_workflow) FROM PUBLIC;


--
-- Name: FUNCTION attach_v1(p_lease_ms bigint, p_undelivered smallint, p_incarnation uuid[], p_attach_number bigint[], p_name text[], p_build text[], h_incarnation uuid[], h_task uuid[], h_fence integer[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.attach_v1(p_lease_ms bigint, p_undelivered smallint, p_incarnation uuid[], p_attach_number bigint[], p_name text[], p_build text[], h_incarnation uuid[], h_task uuid[], h_fence integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.attach_v1(p_lease_ms bigint, p_undelivered smallint, p_incarnation uuid[], p_attach_number bigint[], p_name text[], p_build text[], h_incarnation uuid[], h_task uuid[], h_fence integer[]) TO engine_run;


--
-- Name: FUNCTION budget_period(p_kind smallint, p_seconds bigint, p_text text, p_started timestamp with time zone, p_now timestamp with time zone, OUT started timestamp with time zone, OUT renews timestamp with time zone); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.budget_period(p_kind smallint, p_seconds bigint, p_text text, p_started timestamp with time zone, p_now timestamp with time zone, OUT started timestamp with time zone, OUT renews timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.budget_period(p_kind smallint, p_seconds bigint, p_text text, p_started timestamp with time zone, p_now timestamp with time zone, OUT started timestamp with time zone, OUT renews timestamp with time zone) TO engine_run;


--
-- Name: FUNCTION cancel_tasks_v1(p_orgs uuid[], p_tasks uuid[], p_reasons text[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.cancel_tasks_v1(p_orgs uuid[], p_tasks uuid[], p_reasons text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.cancel_tasks_v1(p_orgs uuid[], p_tasks uuid[], p_reasons text[]) TO engine_run;


--
-- Name: FUNCTION change_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_allowed bigint, p_soft bigint, p_status smallint, p_metadata bytea); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.change_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_allowed bigint, p_soft bigint, p_status smallint, p_metadata bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.change_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_allowed bigint, p_soft bigint, p_status smallint, p_metadata bytea) TO engine_run;


--
-- Name: FUNCTION claim_v2(p_lease_ms bigint, p_aging_ms bigint, p_priority_max integer, p_slots engine.claim_slots[], p_groups engine.claim_group[], p_shares engine.claim_share[], p_limits engine.claim_limit[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.claim_v2(p_lease_ms bigint, p_aging_ms bigint, p_priority_max integer, p_slots engine.claim_slots[], p_groups engine.claim_group[], p_shares engine.claim_share[], p_limits engine.claim_limit[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.claim_v2(p_lease_ms bigint, p_aging_ms bigint, p_priority_max integer, p_slots engine.claim_slots[], p_groups engine.claim_group[], p_shares engine.claim_share[], p_limits engine.claim_limit[]) TO engine_run;


--
-- Name: FUNCTION close_task(p_close engine.commit_close, p_result engine.commit_result, p_now timestamp with time zone); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.close_task(p_close engine.commit_close, p_result engine.commit_result, p_now timestamp with time zone) FROM PUBLIC;


--
-- Name: FUNCTION commit_budgeted_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_asks engine.budget_ask[], p_ended uuid[], p_charges engine.budget_charge[], p_paused boolean, OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.commit_budgeted_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_asks engine.budget_ask[], p_ended uuid[], p_charges engine.budget_charge[], p_paused boolean, OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.commit_budgeted_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_asks engine.budget_ask[], p_ended uuid[], p_charges engine.budget_charge[], p_paused boolean, OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) TO engine_run;


--
-- Name: FUNCTION commit_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.commit_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.commit_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) TO engine_run;


--
-- Name: FUNCTION commit_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.commit_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.commit_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]) TO engine_run;


--
-- Name: FUNCTION commit_workflows_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[], OUT starts engine.known_start[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.commit_workflows_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[], OUT starts engine.known_start[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.commit_workflows_v1(p_lease_ms bigint, p_drift_ms bigint, p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_workflows engine.commit_workflow[], p_closes engine.commit_close[], p_marks engine.commit_mark[], p_emits engine.commit_emit[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_dead_letters engine.commit_dead_letter[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT verdicts smallint[], OUT deltas_before integer[], OUT closes engine.close_answer[], OUT marks smallint[], OUT emits smallint[], OUT unclaimed uuid[], OUT known engine.known_message[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[], OUT starts engine.known_start[]) TO engine_run;


--
-- Name: FUNCTION commit_workflows_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_emits engine.commit_emit[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.commit_workflows_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_emits engine.commit_emit[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.commit_workflows_whole_v1(p_lease_ms bigint, p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[], p_started engine.commit_workflow[], p_moved engine.commit_workflow[], p_closes engine.commit_close[], p_results engine.commit_result[], p_tasks engine.commit_task[], p_accepts engine.commit_accept[], p_keyed boolean, p_consumes engine.commit_consume[], p_timers engine.commit_timer[], p_dropped engine.commit_drop[], p_configs engine.commit_config[], p_starts engine.commit_start[], p_emits engine.commit_emit[], p_steps engine.commit_step[], p_waits engine.commit_wait[], p_ended_waits engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[], OUT now_ms bigint, OUT deltas_before integer[], OUT closes engine.close_answer[], OUT unclaimed uuid[]) TO engine_run;


--
-- Name: TABLE budget; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.budget TO engine_run;


--
-- Name: TABLE budget_entry; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.budget_entry TO engine_run;


--
-- Name: FUNCTION create_budget_v2(p_org uuid, p_id uuid, p_entry uuid, p_subject_type text, p_subject_id uuid, p_currency text, p_allowed bigint, p_soft bigint, p_metadata bytea, p_period_kind smallint, p_period_seconds bigint, p_period_text text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.create_budget_v2(p_org uuid, p_id uuid, p_entry uuid, p_subject_type text, p_subject_id uuid, p_currency text, p_allowed bigint, p_soft bigint, p_metadata bytea, p_period_kind smallint, p_period_seconds bigint, p_period_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.create_budget_v2(p_org uuid, p_id uuid, p_entry uuid, p_subject_type text, p_subject_id uuid, p_currency text, p_allowed bigint, p_soft bigint, p_metadata bytea, p_period_kind smallint, p_period_seconds bigint, p_period_text text) TO engine_run;


--
-- Name: FUNCTION credit_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_amount bigint, p_source text, p_description text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.credit_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_amount bigint, p_source text, p_description text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.credit_budget_v1(p_org uuid, p_id uuid, p_entry uuid, p_amount bigint, p_source text, p_description text) TO engine_run;


--
-- Name: FUNCTION draw_tokens_v3(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.draw_tokens_v3(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.draw_tokens_v3(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]) TO engine_run;


--
-- Name: FUNCTION draw_tokens_v4(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.draw_tokens_v4(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.draw_tokens_v4(p_draws engine.token_draw[], p_rows text[], p_drawn_us bigint[]) TO engine_run;


--
-- Name: FUNCTION drop_budget_v1(p_org uuid, p_id uuid); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.drop_budget_v1(p_org uuid, p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.drop_budget_v1(p_org uuid, p_id uuid) TO engine_run;


--
-- Name: FUNCTION drop_limit_v1(p_key text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.drop_limit_v1(p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.drop_limit_v1(p_key text) TO engine_run;


--
-- Name: FUNCTION end_tasks_v1(p_ends engine.plain_end[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.end_tasks_v1(p_ends engine.plain_end[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.end_tasks_v1(p_ends engine.plain_end[]) TO engine_run;


--
-- Name: FUNCTION forget_buckets_v1(p_limit integer); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.forget_buckets_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.forget_buckets_v1(p_limit integer) TO engine_run;


--
-- Name: FUNCTION forget_keys_v1(p_older_than_ms bigint, p_limit integer); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.forget_keys_v1(p_older_than_ms bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.forget_keys_v1(p_older_than_ms bigint, p_limit integer) TO engine_run;


--
-- Name: FUNCTION headroom_v1(p_route integer, p_limits engine.claim_limit[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.headroom_v1(p_route integer, p_limits engine.claim_limit[]) FROM PUBLIC;


--
-- Name: FUNCTION hold_budgets(p_session uuid, p_asks engine.budget_ask[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.hold_budgets(p_session uuid, p_asks engine.budget_ask[]) FROM PUBLIC;


--
-- Name: FUNCTION hold_v1(p_task uuid, p_fence integer); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.hold_v1(p_task uuid, p_fence integer) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.hold_v1(p_task uuid, p_fence integer) TO api_owner;
GRANT ALL ON FUNCTION engine.hold_v1(p_task uuid, p_fence integer) TO api_run;


--
-- Name: FUNCTION input_of_v1(p_bound text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.input_of_v1(p_bound text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.input_of_v1(p_bound text) TO engine_run;


--
-- Name: FUNCTION is_input_v1(p_step text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.is_input_v1(p_step text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.is_input_v1(p_step text) TO engine_run;


--
-- Name: FUNCTION load_v1(p_sessions uuid[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.load_v1(p_sessions uuid[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.load_v1(p_sessions uuid[], OUT heads engine.head_view[], OUT workflows engine.workflow_view[], OUT inbox engine.inbox_view[]) TO engine_run;


--
-- Name: FUNCTION make_partitions_v1(p_from_ms bigint, p_until_ms bigint); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.make_partitions_v1(p_from_ms bigint, p_until_ms bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.make_partitions_v1(p_from_ms bigint, p_until_ms bigint) TO engine_run;


--
-- Name: FUNCTION move_circuits_v1(p_moves engine.circuit_move[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.move_circuits_v1(p_moves engine.circuit_move[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.move_circuits_v1(p_moves engine.circuit_move[]) TO engine_run;


--
-- Name: FUNCTION move_workflow(p_workflow engine.commit_workflow); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.move_workflow(p_workflow engine.commit_workflow) FROM PUBLIC;


--
-- Name: FUNCTION place_order(p_step text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.place_order(p_step text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.place_order(p_step text) TO engine_run;


--
-- Name: FUNCTION place_before(p_step text, p_bound text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.place_before(p_step text, p_bound text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.place_before(p_step text, p_bound text) TO engine_run;


--
-- Name: FUNCTION place_inbox_v1(p_session uuid, p_messages uuid[], p_places bigint[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.place_inbox_v1(p_session uuid, p_messages uuid[], p_places bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.place_inbox_v1(p_session uuid, p_messages uuid[], p_places bigint[]) TO engine_run;


--
-- Name: TABLE progress; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE engine.progress TO engine_run;


--
-- Name: FUNCTION progress_of_v1(p_task_id uuid, p_limit integer); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.progress_of_v1(p_task_id uuid, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.progress_of_v1(p_task_id uuid, p_limit integer) TO engine_run;


--
-- Name: FUNCTION ready_groups_v1(p_route integer, p_org uuid, p_priority integer, p_groups_max integer); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.ready_groups_v1(p_route integer, p_org uuid, p_priority integer, p_groups_max integer) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.ready_groups_v1(p_route integer, p_org uuid, p_priority integer, p_groups_max integer) TO engine_run;


--
-- Name: FUNCTION refuse_entry_change(); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.refuse_entry_change() FROM PUBLIC;


--
-- Name: FUNCTION renew_budgets(p_ids uuid[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.renew_budgets(p_ids uuid[]) FROM PUBLIC;


--
-- Name: FUNCTION reset_circuit_v1(p_key text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.reset_circuit_v1(p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.reset_circuit_v1(p_key text) TO engine_run;


--
-- Name: FUNCTION routes_v1(p_queue text[], p_capability text[], p_build text[], p_model text[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.routes_v1(p_queue text[], p_capability text[], p_build text[], p_model text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.routes_v1(p_queue text[], p_capability text[], p_build text[], p_model text[]) TO engine_run;


--
-- Name: FUNCTION running_v1(p_key text); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.running_v1(p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.running_v1(p_key text) TO engine_run;


--
-- Name: FUNCTION set_limit_v1(p_key text, p_at_once integer, p_rate integer, p_per_ms integer, p_burst integer, p_every_ms double precision); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.set_limit_v1(p_key text, p_at_once integer, p_rate integer, p_per_ms integer, p_burst integer, p_every_ms double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.set_limit_v1(p_key text, p_at_once integer, p_rate integer, p_per_ms integer, p_burst integer, p_every_ms double precision) TO engine_run;


--
-- Name: FUNCTION set_share_v1(p_org uuid, p_weight double precision); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.set_share_v1(p_org uuid, p_weight double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.set_share_v1(p_org uuid, p_weight double precision) TO engine_run;


--
-- Name: FUNCTION settle_budgets(p_ended uuid[], p_charges engine.budget_charge[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.settle_budgets(p_ended uuid[], p_charges engine.budget_charge[]) FROM PUBLIC;


--
-- Name: FUNCTION submit_task_v1(p_lease_ms bigint, p_id uuid, p_org_id uuid, p_route integer, p_priority smallint, p_step text, p_payload bytea, p_incarnation uuid, p_attach_number bigint, OUT state smallint); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.submit_task_v1(p_lease_ms bigint, p_id uuid, p_org_id uuid, p_route integer, p_priority smallint, p_step text, p_payload bytea, p_incarnation uuid, p_attach_number bigint, OUT state smallint) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.submit_task_v1(p_lease_ms bigint, p_id uuid, p_org_id uuid, p_route integer, p_priority smallint, p_step text, p_payload bytea, p_incarnation uuid, p_attach_number bigint, OUT state smallint) TO engine_run;


--
-- Name: FUNCTION submit_tasks_v1(p_lease_ms bigint, p_tasks engine.plain_task[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.submit_tasks_v1(p_lease_ms bigint, p_tasks engine.plain_task[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.submit_tasks_v1(p_lease_ms bigint, p_tasks engine.plain_task[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]) TO engine_run;


--
-- Name: FUNCTION submit_tasks_v2(p_lease_ms bigint, p_tasks engine.plain_task[], p_bounded uuid[], p_within_ms bigint[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.submit_tasks_v2(p_lease_ms bigint, p_tasks engine.plain_task[], p_bounded uuid[], p_within_ms bigint[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.submit_tasks_v2(p_lease_ms bigint, p_tasks engine.plain_task[], p_bounded uuid[], p_within_ms bigint[], OUT known uuid[], OUT differing uuid[], OUT unclaimed uuid[]) TO engine_run;


--
-- Name: FUNCTION tell_v1(p_signals engine.commit_signal[], p_takes engine.commit_take[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.tell_v1(p_signals engine.commit_signal[], p_takes engine.commit_take[]) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.tell_v1(p_signals engine.commit_signal[], p_takes engine.commit_take[]) TO engine_run;


--
-- Name: FUNCTION time_out_tasks_v1(p_lease_ms bigint, p_tasks uuid[], p_code text, p_body bytea); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.time_out_tasks_v1(p_lease_ms bigint, p_tasks uuid[], p_code text, p_body bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.time_out_tasks_v1(p_lease_ms bigint, p_tasks uuid[], p_code text, p_body bytea) TO engine_run;


--
-- Name: FUNCTION trim_records_v1(p_workflows uuid[], p_bounds text[], p_limit integer, p_inputs boolean); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.trim_records_v1(p_workflows uuid[], p_bounds text[], p_limit integer, p_inputs boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION engine.trim_records_v1(p_workflows uuid[], p_bounds text[], p_limit integer, p_inputs boolean) TO engine_run;


--
-- Name: FUNCTION write_closes(p_closes engine.commit_close[], p_results engine.commit_result[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_closes(p_closes engine.commit_close[], p_results engine.commit_result[]) FROM PUBLIC;


--
-- Name: FUNCTION write_delays(p_closes engine.commit_close[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_delays(p_closes engine.commit_close[]) FROM PUBLIC;


--
-- Name: FUNCTION write_effects(p_closes engine.commit_close[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_effects(p_closes engine.commit_close[]) FROM PUBLIC;


--
-- Name: FUNCTION write_inputs(p_accepts engine.commit_accept[], p_consumes engine.commit_consume[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_inputs(p_accepts engine.commit_accept[], p_consumes engine.commit_consume[]) FROM PUBLIC;


--
-- Name: FUNCTION write_log(p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_closing boolean); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_log(p_items engine.commit_item[], p_events engine.commit_event[], p_anchors engine.commit_anchor[], p_closing boolean) FROM PUBLIC;


--
-- Name: FUNCTION write_marks(p_marks engine.commit_mark[], p_emits engine.commit_emit[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_marks(p_marks engine.commit_mark[], p_emits engine.commit_emit[]) FROM PUBLIC;


--
-- Name: FUNCTION write_start(p_start engine.commit_start); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_start(p_start engine.commit_start) FROM PUBLIC;


--
-- Name: FUNCTION write_starts(p_drift_ms bigint, p_items engine.commit_item[], p_starts engine.commit_start[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_starts(p_drift_ms bigint, p_items engine.commit_item[], p_starts engine.commit_start[]) FROM PUBLIC;


--
-- Name: FUNCTION write_step(p_step engine.commit_step); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_step(p_step engine.commit_step) FROM PUBLIC;


--
-- Name: FUNCTION write_steps(p_steps engine.commit_step[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_steps(p_steps engine.commit_step[]) FROM PUBLIC;


--
-- Name: FUNCTION write_task(p_task engine.commit_task, p_lease_ms bigint); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_task(p_task engine.commit_task, p_lease_ms bigint) FROM PUBLIC;


--
-- Name: FUNCTION write_tasks(p_tasks engine.commit_task[], p_lease_ms bigint); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_tasks(p_tasks engine.commit_task[], p_lease_ms bigint) FROM PUBLIC;


--
-- Name: FUNCTION write_timers(p_timers engine.commit_timer[], p_dropped engine.commit_drop[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_timers(p_timers engine.commit_timer[], p_dropped engine.commit_drop[]) FROM PUBLIC;


--
-- Name: FUNCTION write_waits(p_waits engine.commit_wait[], p_ended engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_waits(p_waits engine.commit_wait[], p_ended engine.commit_end_wait[], p_signals engine.commit_signal[], p_takes engine.commit_take[]) FROM PUBLIC;


--
-- Name: FUNCTION write_workflows(p_workflows engine.commit_workflow[]); Type: ACL; Schema: engine; Owner: engine_owner
--

REVOKE ALL ON FUNCTION engine.write_workflows(p_workflows engine.commit_workflow[]) FROM PUBLIC;


--
-- Name: FUNCTION append_closing_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.append_closing_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.append_closing_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) TO engine_owner;


--
-- Name: FUNCTION append_deltas_v1(p_session uuid[], p_turn uuid[], p_anchor text[], p_attempt integer[], p_channel text[], p_offset integer[], p_fragment text[], p_reset boolean[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.append_deltas_v1(p_session uuid[], p_turn uuid[], p_anchor text[], p_attempt integer[], p_channel text[], p_offset integer[], p_fragment text[], p_reset boolean[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.append_deltas_v1(p_session uuid[], p_turn uuid[], p_anchor text[], p_attempt integer[], p_channel text[], p_offset integer[], p_fragment text[], p_reset boolean[]) TO log_run;


--
-- Name: FUNCTION append_one(p_drift_ms bigint, p_head log.head_change, p_events log.new_event[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.append_one(p_drift_ms bigint, p_head log.head_change, p_events log.new_event[]) FROM PUBLIC;


--
-- Name: FUNCTION append_rows(p_closing boolean, e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.append_rows(p_closing boolean, e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) FROM PUBLIC;


--
-- Name: FUNCTION append_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.append_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.append_v1(e_session uuid[], e_seq bigint[], e_type text[], e_ts bigint[], e_turn uuid[], e_payload bytea[], e_hash bytea[], h_session uuid[], h_org uuid[], h_last_seq bigint[], h_hash bytea[], h_ts bigint[], h_status smallint[], h_active_turn uuid[], h_turn_first_seq bigint[], h_close_anchors boolean[], a_session uuid[], a_anchor text[], a_attempt integer[]) TO engine_owner;


--
-- Name: FUNCTION append_whole_v1(p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.append_whole_v1(p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.append_whole_v1(p_drift_ms bigint, p_heads log.head_change[], p_events log.new_event[]) TO engine_owner;


--
-- Name: FUNCTION close_v1(p_sessions uuid[], p_orgs uuid[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.close_v1(p_sessions uuid[], p_orgs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.close_v1(p_sessions uuid[], p_orgs uuid[]) TO engine_owner;


--
-- Name: FUNCTION drop_delta_partitions_v1(); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.drop_delta_partitions_v1() FROM PUBLIC;
GRANT ALL ON FUNCTION log.drop_delta_partitions_v1() TO log_run;


--
-- Name: FUNCTION drop_deltas_v1(p_keep_ms bigint, p_turns integer, p_rows integer); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.drop_deltas_v1(p_keep_ms bigint, p_turns integer, p_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION log.drop_deltas_v1(p_keep_ms bigint, p_turns integer, p_rows integer) TO log_run;


--
-- Name: FUNCTION drop_deltas_v2(p_keep_ms bigint, p_turns integer, p_rows integer); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.drop_deltas_v2(p_keep_ms bigint, p_turns integer, p_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION log.drop_deltas_v2(p_keep_ms bigint, p_turns integer, p_rows integer) TO log_run;


--
-- Name: FUNCTION epoch_v1(); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.epoch_v1() FROM PUBLIC;
GRANT ALL ON FUNCTION log.epoch_v1() TO engine_run;


--
-- Name: FUNCTION fork_v1(p_session uuid, p_org uuid, p_from uuid, p_seq bigint, p_turn_first bigint, p_now_ms bigint, p_types text[], p_turns uuid[], p_payloads bytea[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.fork_v1(p_session uuid, p_org uuid, p_from uuid, p_seq bigint, p_turn_first bigint, p_now_ms bigint, p_types text[], p_turns uuid[], p_payloads bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.fork_v1(p_session uuid, p_org uuid, p_from uuid, p_seq bigint, p_turn_first bigint, p_now_ms bigint, p_types text[], p_turns uuid[], p_payloads bytea[]) TO api_owner;
GRANT ALL ON FUNCTION log.fork_v1(p_session uuid, p_org uuid, p_from uuid, p_seq bigint, p_turn_first bigint, p_now_ms bigint, p_types text[], p_turns uuid[], p_payloads bytea[]) TO api_run;


--
-- Name: FUNCTION heads_v1(p_sessions uuid[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.heads_v1(p_sessions uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.heads_v1(p_sessions uuid[]) TO engine_owner;


--
-- Name: FUNCTION lineage_v1(p_session uuid, p_org uuid); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.lineage_v1(p_session uuid, p_org uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION log.lineage_v1(p_session uuid, p_org uuid) TO log_run;


--
-- Name: FUNCTION lock_v1(p_sessions uuid[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.lock_v1(p_sessions uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.lock_v1(p_sessions uuid[]) TO engine_owner;


--
-- Name: FUNCTION make_partitions_v1(from_ms bigint, until_ms bigint); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.make_partitions_v1(from_ms bigint, until_ms bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION log.make_partitions_v1(from_ms bigint, until_ms bigint) TO log_run;


--
-- Name: FUNCTION open_empty_v1(p_session uuid[], p_org uuid[]); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.open_empty_v1(p_session uuid[], p_org uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION log.open_empty_v1(p_session uuid[], p_org uuid[]) TO engine_owner;


--
-- Name: FUNCTION open_one_v1(p_session uuid, p_org uuid); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.open_one_v1(p_session uuid, p_org uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION log.open_one_v1(p_session uuid, p_org uuid) TO engine_owner;


--
-- Name: FUNCTION open_v2(p_session uuid, p_org uuid, p_type text, p_ts bigint, p_payload bytea, p_hash bytea, p_drift_ms bigint); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.open_v2(p_session uuid, p_org uuid, p_type text, p_ts bigint, p_payload bytea, p_hash bytea, p_drift_ms bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION log.open_v2(p_session uuid, p_org uuid, p_type text, p_ts bigint, p_payload bytea, p_hash bytea, p_drift_ms bigint) TO api_owner;
GRANT ALL ON FUNCTION log.open_v2(p_session uuid, p_org uuid, p_type text, p_ts bigint, p_payload bytea, p_hash bytea, p_drift_ms bigint) TO api_run;


--
-- Name: FUNCTION partition_horizon_v1(); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.partition_horizon_v1() FROM PUBLIC;
GRANT ALL ON FUNCTION log.partition_horizon_v1() TO log_run;


--
-- Name: FUNCTION pause_v1(p_sessions uuid[], p_paused boolean); Type: ACL; Schema: log; Owner: log_owner
--

REVOKE ALL ON FUNCTION log.pause_v1(p_sessions uuid[], p_paused boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION log.pause_v1(p_sessions uuid[], p_paused boolean) TO engine_owner;


--
-- Name: TABLE agent; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.agent TO api_run;


--
-- Name: TABLE file; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.file TO api_run;


--
-- Name: TABLE file_past; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.file_past TO api_run;


--
-- Name: TABLE harness; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.harness TO api_run;


--
-- Name: TABLE organization; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.organization TO api_run;


--
-- Name: TABLE record; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.record TO api_run;


--
-- Name: TABLE record_fork; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.record_fork TO api_run;


--
-- Name: TABLE record_past; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.record_past TO api_run;


--
-- Name: TABLE request_key; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.request_key TO api_run;


--
-- Name: TABLE session; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.session TO api_run;


--
-- Name: TABLE workspace; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.workspace TO api_run;


--
-- Name: TABLE workspace_fork; Type: ACL; Schema: api; Owner: api_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.workspace_fork TO api_run;


--
-- Name: TABLE attempt; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,INSERT ON TABLE engine.attempt TO engine_run;


--
-- Name: TABLE attempt_error; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,INSERT ON TABLE engine.attempt_error TO engine_run;


--
-- Name: TABLE board; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.board TO engine_run;


--
-- Name: TABLE bucket; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.bucket TO engine_run;


--
-- Name: TABLE budget_hold; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.budget_hold TO engine_run;


--
-- Name: TABLE budget_present; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.budget_present TO engine_run;


--
-- Name: TABLE circuit; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.circuit TO engine_run;


--
-- Name: TABLE config; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.config TO engine_run;


--
-- Name: TABLE dead_letter; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.dead_letter TO engine_run;


--
-- Name: TABLE effect; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,UPDATE ON TABLE engine.effect TO engine_run;


--
-- Name: TABLE idempotency; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.idempotency TO engine_run;


--
-- Name: TABLE inbox; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.inbox TO engine_run;


--
-- Name: TABLE key_limit; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.key_limit TO engine_run;


--
-- Name: TABLE payload; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.payload TO engine_run;


--
-- Name: TABLE plain_cancel; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.plain_cancel TO engine_run;


--
-- Name: TABLE replica; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE engine.replica TO engine_run;


--
-- Name: TABLE resolution; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE engine.resolution TO engine_run;


--
-- Name: TABLE route; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.route TO engine_run;


--
-- Name: TABLE share; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.share TO engine_run;


--
-- Name: TABLE signal; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.signal TO engine_run;


--
-- Name: COLUMN signal.tries; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(tries) ON TABLE engine.signal TO engine_run;


--
-- Name: COLUMN signal.tried_at; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(tried_at) ON TABLE engine.signal TO engine_run;


--
-- Name: TABLE start; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.start TO engine_run;


--
-- Name: TABLE start_bound; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.start_bound TO engine_run;


--
-- Name: TABLE step_result; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.step_result TO engine_run;


--
-- Name: TABLE sweep; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE engine.sweep TO engine_run;


--
-- Name: TABLE task; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,UPDATE ON TABLE engine.task TO engine_run;


--
-- Name: TABLE timer; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.timer TO engine_run;


--
-- Name: TABLE toolset; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE engine.toolset TO engine_run;


--
-- Name: TABLE wait; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.wait TO engine_run;


--
-- Name: TABLE worker; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT,DELETE ON TABLE engine.worker TO engine_run;


--
-- Name: COLUMN worker.replica; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(replica) ON TABLE engine.worker TO engine_run;


--
-- Name: COLUMN worker.queues; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(queues) ON TABLE engine.worker TO engine_run;


--
-- Name: COLUMN worker.capabilities; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(capabilities) ON TABLE engine.worker TO engine_run;


--
-- Name: COLUMN worker.slots; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(slots) ON TABLE engine.worker TO engine_run;


--
-- Name: COLUMN worker.drained_at; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(drained_at) ON TABLE engine.worker TO engine_run;


--
-- Name: COLUMN worker.leaving; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(leaving) ON TABLE engine.worker TO engine_run;


--
-- Name: COLUMN worker.silent_at; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(silent_at) ON TABLE engine.worker TO engine_run;


--
-- Name: COLUMN worker.left_at; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT UPDATE(left_at) ON TABLE engine.worker TO engine_run;


--
-- Name: TABLE workflow; Type: ACL; Schema: engine; Owner: engine_owner
--

GRANT SELECT ON TABLE engine.workflow TO engine_run;


--
-- Name: TABLE delta; Type: ACL; Schema: log; Owner: log_owner
--

GRANT SELECT ON TABLE log.delta TO log_run;


--
-- Name: TABLE event; Type: ACL; Schema: log; Owner: log_owner
--

GRANT SELECT ON TABLE log.event TO log_run;


--
-- Name: TABLE head; Type: ACL; Schema: log; Owner: log_owner
--

GRANT SELECT ON TABLE log.head TO log_run;


--
-- Name: TABLE store; Type: ACL; Schema: log; Owner: log_owner
--

GRANT SELECT ON TABLE log.store TO log_run;


--
-- Name: TABLE schema_migrations; Type: ACL; Schema: public; Owner: mainspring
--

GRANT SELECT ON TABLE public.schema_migrations TO api_run;
GRANT SELECT ON TABLE public.schema_migrations TO engine_run;
GRANT SELECT ON TABLE public.schema_migrations TO log_run;
GRANT SELECT ON TABLE public.schema_migrations TO scheduler_run;


--
-- Name: TABLE duty; Type: ACL; Schema: scheduler; Owner: scheduler_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE scheduler.duty TO scheduler_run;


--
-- Name: TABLE schedule; Type: ACL; Schema: scheduler; Owner: scheduler_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE scheduler.schedule TO scheduler_run;


--
-- Name: TABLE slot; Type: ACL; Schema: scheduler; Owner: scheduler_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE scheduler.slot TO scheduler_run;


--
-- PostgreSQL database dump complete
--
