-- name: enter
-- Names the organization of this transaction for the row-level policies.
select set_config('mainspring.org_id', $1::uuid::text, true);

-- name: basis
-- The revisions that sessions' configurations rest on: the one statement of the message path.
-- repeatable
select session_id, tier, org_rev, harness_id, harness_rev, agent_id, agent_rev
from api.basis_many($1::uuid, $2::uuid[]);

-- name: organization
-- The organization of this transaction.
select id, name, default_model_id, default_harness_id, rev, created_ms, updated_ms
from api.organization;

-- name: list_organizations
-- All organizations, oldest first: their ids begin with the time.
select id, name, default_model_id, default_harness_id, rev, created_ms, updated_ms
from api.organizations($1::int, $2::int);

-- name: count_organizations
-- How many there are.
select api.count_organizations();

-- name: insert_organization
-- A new organization; its transaction is named for it.
insert into api.organization (
    id, name, default_model_id, default_harness_id, rev, created_ms, updated_ms
) values ($1, $2, $3, $4, $5, $6, $7);

-- name: renew_configurations
-- Raises the revision that every folded configuration of this organization rests on.
update api.organization set rev = rev + 1;

-- name: harness_by_id
-- A harness that is not deleted.
select
    org_id, id, name, display_name, description, parent_id, tier, status, rev, created_ms,
    updated_ms, archived_ms
from api.harness
where id = $1 and status <> 'deleted';

-- name: harness_by_name
-- The harness that bears a name, archived or not.
select
    org_id, id, name, display_name, description, parent_id, tier, status, rev, created_ms,
    updated_ms, archived_ms
from api.harness
where name = $1 and status <> 'deleted';

-- name: list_harnesses
-- Harnesses that hold all words of a search, by name.
select
    org_id, id, name, display_name, description, parent_id, tier, status, rev, created_ms,
    updated_ms, archived_ms
from api.harness
where
    (status = 'active' or ($2::boolean and status = 'archived'))
    and not exists (
        select from unnest($1::text[]) as w (word)
        where position(
            lower(upper(w.word))
            in lower(upper(concat_ws(chr(10), name, display_name, description)))
        ) = 0
    )
order by name collate "C"
limit $3;

-- name: put_harness
-- Inserts a harness or replaces it by id.
insert into api.harness (
    org_id, id, name, display_name, description, parent_id, tier, status, rev, created_ms,
    updated_ms, archived_ms
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (org_id, id) do update set
    name = excluded.name, display_name = excluded.display_name,
    description = excluded.description, parent_id = excluded.parent_id, tier = excluded.tier,
    status = excluded.status, rev = excluded.rev, updated_ms = excluded.updated_ms,
    archived_ms = excluded.archived_ms;

-- name: raise_heirs
-- A change of a harness is a change of all that inherit from it.
with recursive heirs as (
    select h.id from api.harness as h where h.parent_id = $1
    union
    select h.id from api.harness as h inner join heirs on h.parent_id = heirs.id
)

update api.harness set rev = rev + 1 where id in (select heirs.id from heirs);

-- name: generations
-- How many generations of heirs a harness has; a circle that was made before ends the count.
with recursive heirs as (
    select h.id, 1 as depth from api.harness as h where h.parent_id = $1 and h.status <> 'deleted'
    union
    select h.id, heirs.depth + 1 as depth
    from api.harness as h inner join heirs on h.parent_id = heirs.id
    where h.status <> 'deleted' and heirs.depth < 100
)

select coalesce(max(heirs.depth), 0) from heirs;

-- name: rests_on
-- How many agents and harnesses name a harness.
select
    (select count(*) from api.harness as h where h.parent_id = $1 and h.status <> 'deleted')
    + (select count(*) from api.agent as a where a.harness_id = $1 and a.status <> 'deleted');

-- name: agent_by_id
-- An agent that is not deleted.
select
    org_id, id, name, display_name, description, harness_id, tier, status, rev, created_ms,
    updated_ms, archived_ms, default_version_id, forked_from_agent_id, forked_from_version_id,
    root_agent_id
from api.agent
where id = $1 and status <> 'deleted';

-- name: lock_agent_by_id
-- The same, kept from others until the transaction ends.
select
    org_id, id, name, display_name, description, harness_id, tier, status, rev, created_ms,
    updated_ms, archived_ms, default_version_id, forked_from_agent_id, forked_from_version_id,
    root_agent_id
from api.agent
where id = $1 and status <> 'deleted'
for no key update;

-- name: agent_by_name
-- The agent that bears a name, archived or not.
select
    org_id, id, name, display_name, description, harness_id, tier, status, rev, created_ms,
    updated_ms, archived_ms, default_version_id, forked_from_agent_id, forked_from_version_id,
    root_agent_id
from api.agent
where name = $1 and status <> 'deleted';

-- name: lock_agent_by_name
-- The same, kept from others until the transaction ends.
select
    org_id, id, name, display_name, description, harness_id, tier, status, rev, created_ms,
    updated_ms, archived_ms, default_version_id, forked_from_agent_id, forked_from_version_id,
    root_agent_id
from api.agent
where name = $1 and status <> 'deleted'
for no key update;

-- name: list_agents
-- A page of agents that hold all words of a search, newest first.
select
    org_id, id, name, display_name, description, harness_id, tier, status, rev, created_ms,
    updated_ms, archived_ms, default_version_id, forked_from_agent_id, forked_from_version_id,
    root_agent_id
from api.agent
where
    (status = 'active' or ($2::boolean and status = 'archived'))
    and not exists (
        select from unnest($1::text[]) as w (word)
        where position(
            lower(upper(w.word))
            in lower(upper(concat_ws(chr(10), name, display_name, description)))
        ) = 0
    )
order by created_ms desc, id desc
limit $4 offset $3;

-- name: count_agents
-- How many agents the same search finds.
select count(*)
from api.agent
where
    (status = 'active' or ($2::boolean and status = 'archived'))
    and not exists (
        select from unnest($1::text[]) as w (word)
        where position(
            lower(upper(w.word))
            in lower(upper(concat_ws(chr(10), name, display_name, description)))
        ) = 0
    );

-- name: put_agent
-- Inserts an agent or replaces it by id.
insert into api.agent (
    org_id, id, name, display_name, description, harness_id, tier, status, rev, created_ms,
    updated_ms, archived_ms, default_version_id, forked_from_agent_id, forked_from_version_id,
    root_agent_id
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
on conflict (org_id, id) do update set
    name = excluded.name, display_name = excluded.display_name,
    description = excluded.description, harness_id = excluded.harness_id, tier = excluded.tier,
    status = excluded.status, rev = excluded.rev, updated_ms = excluded.updated_ms,
    archived_ms = excluded.archived_ms, default_version_id = excluded.default_version_id,
    forked_from_agent_id = excluded.forked_from_agent_id,
    forked_from_version_id = excluded.forked_from_version_id,
    root_agent_id = excluded.root_agent_id;
