"""What a migration reads out of rows that were written before it."""

from pathlib import Path
from uuid import UUID

import msgspec

from mainspring_schema.schedules import Cron, MessageTarget, Spec, Target, WorkflowTarget
from mainspring_testkit.fixtures import Database

ROOT = Path(__file__).resolve().parents[3]
OF_SESSIONS = ROOT / "migrations/20261129150010_post_scheduler_of_sessions.sql"
SESSION = UUID("0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
OTHER = "0193a1b2-c3d4-7e5f-8a9b-ffffffffffff"
CONFUSING = b'{"session_id":"' + OTHER.encode() + b'"}'
TARGETS: tuple[Target, ...] = (
    MessageTarget(session_id=SESSION, session=CONFUSING, message=CONFUSING),
    MessageTarget(session=CONFUSING, message=CONFUSING),
    WorkflowTarget(workflow_type="report", input=CONFUSING),
)


def test_schedules_of_before_get_the_session_that_they_write_to(database: Database) -> None:
    for number, target in enumerate(TARGETS):
        spec = Spec(
            name=f"\u00aasession_id {OTHER}",
            description=f"session_id\u0664$ {OTHER}",
            timing=Cron(expression="0 3 * * *"),
            target=target,
        )
        kind = "message" if isinstance(target, MessageTarget) else "workflow"
        database.sql(
            "insert into scheduler.schedule ("
            "id, org_id, name, target, spec, paused, rev, created_ms, updated_ms"
            f") values ('{UUID(int=number)}', '{UUID(int=1)}', '{number}', '{kind}',"
            f" '\\x{msgspec.msgpack.encode(spec).hex()}', false, 1, {number}, 0)"
        )

    database.sql(OF_SESSIONS.read_text().partition("-- migrate:down")[0])

    found = database.sql(
        "select string_agg(coalesce(session_id::text, '-'), ' ' order by created_ms)"
        " from scheduler.schedule"
    )
    assert found.split() == [str(SESSION), "-", "-"]
