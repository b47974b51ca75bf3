"""The file tools as a model meets them: over api's own files, on the threads they run on."""

import base64
from typing import cast

import pytest

from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files import text
from mainspring_worker.ports.tool import ToolOutcome
from tests.unit.builtin_tools.calling import Caller

FILES = "session_file_system"


async def write(caller: Caller, path: str, content: str) -> Json:
    return await caller.result(FILES, "write_file", path=path, content=content)


async def test_what_was_written_is_read_with_the_hash_an_edit_needs(caller: Caller) -> None:
    written = await write(caller, "src/a.py", "one\ntwo\n")

    read = await caller.result(FILES, "read_file", path="./src/a.py")
    edits = [{"old_string": "two", "new_string": "2"}]
    edited = await caller.result(
        FILES, "edit_file", path="src/a.py", content_hash=read["content_hash"], edits=edits
    )
    after = await caller.result(FILES, "read_file", path="/workspace/src/a.py")
    assert written["created"] is True
    assert (read["path"], read["content"]) == ("/workspace/src/a.py", "one\ntwo\n")
    assert read["content_hash"] == written["content_hash"]
    assert edited["replacements"] == 1
    assert (after["content"], after["content_hash"]) == ("one\n2\n", edited["content_hash"])


async def test_an_edit_of_stale_content_is_refused_with_a_way_out(caller: Caller) -> None:
    written = await write(caller, "a", "one\n")
    await write(caller, "a", "another\n")

    refusal = await caller.refusal(
        FILES,
        "edit_file",
        path="a",
        content_hash=written["content_hash"],
        edits=[{"old_string": "one", "new_string": "1"}],
    )
    assert "changed since it was read" in refusal
    assert "read it again" in refusal


async def test_a_second_attempt_of_a_write_gets_the_first_ones_answer(caller: Caller) -> None:
    wanted: Json = {"path": "a", "content": "1"}
    first = await caller.call(FILES, "write_file", wanted)
    await caller.result(FILES, "delete_file", path="a")

    again = await caller.call(FILES, "write_file", wanted, attempt_of=1)
    listed = await caller.result(FILES, "list_directory")
    assert again == first
    assert listed == {"entries": [], "total": 0}


async def test_a_long_file_is_read_piece_by_piece(caller: Caller) -> None:
    lines = [f"line {number}\n" for number in range(1, 9_001)]
    await write(caller, "long", "".join(lines))

    read, offset = "", 1
    while True:
        part = await caller.result(FILES, "read_file", path="long", offset=offset)
        read += str(part["content"])
        if "truncated" not in part:
            break
        assert part["reason"] in {"line_cap", "size_cap"}
        offset = cast("int", part["next_offset"])
    assert read == "".join(lines)
    beyond = await caller.refusal(FILES, "read_file", path="long", offset=9_001)
    assert "9000 lines" in beyond


async def test_one_endless_line_is_cut(caller: Caller) -> None:
    await write(caller, "long", "é" * text.SHOWN_BYTES_MAX)

    read = await caller.result(FILES, "read_file", path="long")
    assert str(read["content"]) == "é" * (text.SHOWN_BYTES_MAX // 2)
    assert (read["truncated"], read["reason"]) == (True, "size_cap")


async def test_binary_files_are_read_and_written_as_base64(caller: Caller) -> None:
    content = base64.b64encode(b"\x00\x01\xff").decode()
    await caller.result(FILES, "write_file", path="b", content=content, encoding="base64")

    read = await caller.result(FILES, "read_file", path="b")
    assert (read["binary"], read["encoding"], read["content"]) == (True, "base64", content)
    assert await caller.result(FILES, "grep", pattern=".") == {"matches": []}
    bad = await caller.refusal(
        FILES, "write_file", path="b", content="no base64!", encoding="base64"
    )
    assert bad == "content is not base64"


async def test_several_files_are_read_at_once(caller: Caller) -> None:
    await write(caller, "a", "1")
    await write(caller, "d/b", "2" * text.SHOWN_BYTES_MAX)
    await write(caller, "d/c", "3")

    read = await caller.result(FILES, "read_many_files", paths=["a", "d/b", "d/c", "gone"])
    rows = cast("list[Json]", read["files"])
    assert [row["path"] for row in rows] == ["/workspace/a", "/workspace/d/b", "/workspace/d/c"]
    assert rows[0]["content"] == "1"
    assert (rows[1]["truncated"], rows[2]["truncated"]) == (True, True)
    assert read["not_read"] == ["gone"]


async def test_files_and_lines_are_found(caller: Caller) -> None:
    await write(caller, "src/a.py", "import os\nprint('Hi')\n\nend\n")
    await write(caller, "src/sub/b.py", "print('hi')\n")
    await write(caller, "notes.txt", "print this\n")

    paths = await caller.result(FILES, "glob", pattern="**/*.py", path="src")
    found = await caller.result(
        FILES, "grep", pattern="^print.*hi", glob="*.py", ignore_case=True, context_lines=1
    )
    counted = await caller.result(FILES, "grep_files", pattern="print")
    assert paths["paths"] == ["/workspace/src/a.py", "/workspace/src/sub/b.py"]
    assert found["matches"] == [
        {
            "path": "/workspace/src/a.py",
            "line_number": 2,
            "line": "print('Hi')",
            "before": ["import os"],
            "after": [""],
        },
        {
            "path": "/workspace/src/sub/b.py",
            "line_number": 1,
            "line": "print('hi')",
            "before": [],
            "after": [],
        },
    ]
    assert [row["matches"] for row in cast("list[Json]", counted["files"])] == [1, 1, 1]


async def test_a_search_stops_at_its_limit_and_says_so(caller: Caller) -> None:
    await write(caller, "a", "x\n" * 10)

    found = await caller.result(FILES, "grep", pattern="x", limit=3)
    assert len(cast("list[Json]", found["matches"])) == 3
    assert (found["truncated"], found["reason"]) == (True, "item_cap")
    assert "regular expression" in await caller.refusal(FILES, "grep", pattern="(")


async def test_files_are_moved_copied_described_and_removed(caller: Caller) -> None:
    await write(caller, "d/a", "1")

    await caller.result(FILES, "copy_file", source="d/a", destination="d/b")
    await caller.result(FILES, "move_file", source="d", destination="e")
    stat = await caller.result(FILES, "stat_file", path="e/b")
    root = await caller.result(FILES, "stat_file", path=".")
    refusal = await caller.refusal(FILES, "delete_file", path="e")
    await caller.result(FILES, "delete_file", path="e", recursive=True)
    assert (stat["type"], stat["size_bytes"]) == ("file", 1)
    assert (root["type"], root["path"]) == ("directory", "/workspace")
    assert "not empty" in refusal
    assert "no such" in await caller.refusal(FILES, "stat_file", path="e")


@pytest.mark.parametrize("path", ["../etc/passwd", "/workspace/../../etc/passwd", "a/../../b"])
@pytest.mark.parametrize("name", ["read_file", "stat_file", "list_directory", "delete_file"])
async def test_no_path_leads_outside(caller: Caller, name: str, path: str) -> None:
    assert "not a path inside the workspace" in await caller.refusal(FILES, name, path=path)


async def test_an_absolute_path_of_the_host_is_a_path_of_the_workspace(caller: Caller) -> None:
    outcome = await caller.call(FILES, "read_file", {"path": "/etc/passwd"})

    assert outcome == ToolOutcome(status="error", error="no such file")
