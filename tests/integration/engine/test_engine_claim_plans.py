"""Claims among ten thousand keys: they touch pages by what they take, and not by how many wait."""

import re

import pytest

from mainspring_testkit.fixtures import Database as OwnDatabase

KEYS = 10_000
ROUTES = 64
"""Of one claim."""
FILL = f"""
insert into engine.route (queue, capability, build, model)
select 'default', 'task:note', '', E'\\nkey/bench:' || n from generate_series(1, {KEYS}) as n;
insert into engine.worker (incarnation, attach_number, name, build, attached_at)
values ('00000000-0000-7000-8000-000000000001', 1, 'w', '', now());
insert into engine.task (
    id, workflow_id, session_id, org_id, route, kind, effect, state, run_at, step, input_hash,
    lease_until, incarnation, attach_number, counted
)
select
    uuidv7(), gen_random_uuid(), gen_random_uuid(), '00000000-0000-7000-8000-00000000000a', r.id,
    5, 2, s.state, now(), '', '',
    case when s.state = 2 then now() + interval '1 hour' end,
    case when s.state = 2 then '00000000-0000-7000-8000-000000000001'::uuid end, 1, s.state = 2
from engine.route as r
cross join (values (1), (1), (2)) as s (state)
where r.model like E'\\nkey/bench:%';
insert into engine.payload (task_id, org_id, step, payload, input_hash)
select t.id, t.org_id, '', 'p', '' from engine.task as t;
analyze engine.route, engine.task, engine.payload
"""
SOME = f"select r.* from engine.route as r where r.model like '%bench:%' limit {ROUTES}"
CLAIM = f"""
select count(c.task_id)
from (
    select
        array_agg(
            row(r.id, '00000000-0000-7000-8000-000000000001', 1, 1)::engine.claim_slots
        ) as slots,
        array_agg(
            row(
                r.id, '00000000-0000-7000-8000-00000000000a', 0,
                '00000000-0000-0000-0000-000000000000', 3
            )::engine.claim_group
        ) as groups,
        array_agg(row(r.id, 'key/' || split_part(r.model, '/', 2), 5)::engine.claim_limit) as limits
    from ({SOME}) as r
) as a
cross join lateral engine.claim_v2(
    10000, 60000, 9, a.slots, a.groups, '{{}}'::engine.claim_share[], a.limits
) as c
"""
GROUPS = """
select count(*)
from engine.ready_groups_v1(0, '00000000-0000-0000-0000-000000000000', 0, 1000)
"""
RUNNING = "select engine.running_v1('key/bench:7')"


@pytest.fixture(scope="module")
def filled(module_database: OwnDatabase) -> OwnDatabase:
    module_database.sql(FILL)
    return module_database


@pytest.mark.parametrize(
    ("statement", "found", "most"),
    [(RUNNING, "1", 40), (GROUPS, "1000", 1000 * 12), (CLAIM, str(ROUTES), ROUTES * 60)],
    ids=["running of one key", "a pass over 1,000 groups", "a claim of 64 keys"],
)
def test_it_reads_few_pages_whatever_waits(
    filled: OwnDatabase, statement: str, found: str, most: int
) -> None:
    """Counted the second time in a session: what is planned is planned then."""
    told = filled.sql(
        f"begin; {statement}; explain (analyze, buffers, timing off) {statement}; rollback"
    )

    pages = re.search(r"Buffers: shared hit=(\d+)(?: read=(\d+))?", told)
    assert told.split()[0] == found
    assert pages is not None, told
    assert sum(int(count or 0) for count in pages.groups()) < most
