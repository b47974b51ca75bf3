import pytest

from tests.unit.builtin_tools.calling import Caller


async def test_a_session_is_named_and_told(caller: Caller) -> None:
    await caller.result("session", "write_session_title", title="  A  plan ")

    told = await caller.result("session", "get_session_info")
    assert told["title"] == "A plan"
    assert str(told["session_id"]).startswith("session_")


@pytest.mark.parametrize(
    ("statuses", "warning"),
    [
        ([], None),
        (["completed"], None),
        (["in_progress", "pending"], None),
        (["pending"], "no item is in_progress although some are pending"),
        (["in_progress", "in_progress"], "more than one item is in_progress"),
    ],
)
async def test_a_todo_list_is_counted(
    caller: Caller, statuses: list[str], warning: str | None
) -> None:
    todos = [{"content": "x", "activeForm": "xing", "status": status} for status in statuses]

    told = await caller.result("stateless_todo_list", "write_todos", todos=todos)
    assert told["total"] == len(statuses)
    assert told["in_progress"] == statuses.count("in_progress")
    assert told.get("warning") == warning
