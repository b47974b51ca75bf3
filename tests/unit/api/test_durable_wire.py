"""Whose a task is, as callers see it."""

from uuid import UUID

import pytest

from mainspring_api.adapters.http.wire.durable import owner_id, session_id
from mainspring_schema.operations import TaskWord

ID = UUID(int=7)


@pytest.mark.parametrize(
    ("kind", "owner", "session"),
    [
        ("tool", f"turn_{ID.hex}", f"session_{ID.hex}"),
        ("step", f"workflow_{ID.hex}", f"session_{ID.hex}"),
        ("task", None, None),
    ],
)
def test_a_plain_task_belongs_to_itself_alone(
    kind: TaskWord, owner: str | None, session: str | None
) -> None:
    assert (owner_id(ID, kind), session_id(ID, kind)) == (owner, session)
