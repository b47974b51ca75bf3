import base64
from typing import cast

from mainspring_schema.messages import Json
from tests.unit.builtin_tools.calling import Caller
from tests.unit.worker.test_skills import TEXT, zipped

HIDDEN = b"---\nname: hidden\ndescription: x\ndisable-model-invocation: true\n---\n"
FOLDER = "/workspace/.agents/skills"


async def put(caller: Caller, path: str, content: bytes) -> None:
    await caller.result(
        "session_file_system",
        "write_file",
        path=f"{FOLDER}/{path}",
        content=base64.b64encode(content).decode(),
        encoding="base64",
    )


async def test_a_workspace_without_skills_has_none(caller: Caller) -> None:
    assert await caller.result("skills", "list_skills") == {"skills": []}
    assert "no skill 'x'" in await caller.refusal("skills", "activate_skill", name="x")


async def test_skills_are_disclosed_step_by_step(caller: Caller) -> None:
    await put(caller, "pdf-forms/SKILL.md", TEXT.encode() + b"Fill $ARGUMENTS in ${SKILL_DIR}.")
    await put(caller, "pdf-forms/scripts/fill.py", b"print(1)")
    await put(caller, "broken/SKILL.md", b"nothing")
    await put(caller, "hidden/SKILL.md", HIDDEN)

    listed = await caller.result("skills", "list_skills")
    opened = await caller.result("skills", "activate_skill", name="pdf-forms", arguments="a.pdf")
    assert listed["skills"] == [{"name": "pdf-forms", "description": "Fills forms."}]
    assert [one["name"] for one in cast("list[Json]", listed["not_usable"])] == ["broken"]
    assert opened == {
        "name": "pdf-forms",
        "instructions": f"Do it.\nFill a.pdf in {FOLDER}/pdf-forms.",
        "skill_dir": f"{FOLDER}/pdf-forms",
        "files": [f"{FOLDER}/pdf-forms/scripts/fill.py"],
    }
    assert "front matter" in await caller.refusal("skills", "activate_skill", name="broken")


async def test_an_archive_is_unpacked_when_it_is_activated(caller: Caller) -> None:
    await put(caller, "pdf-forms.zip", zipped({"SKILL.md": TEXT.encode(), "a/b.txt": b"2"}))

    first = await caller.result("skills", "activate_skill", name="pdf-forms")
    again = await caller.result("skills", "activate_skill", name="pdf-forms")
    read = await caller.result(
        "session_file_system", "read_file", path=f"{FOLDER}/pdf-forms/a/b.txt"
    )
    assert first == again
    assert (first["instructions"], read["content"]) == ("Do it.", "2")


async def test_an_archive_with_a_way_out_writes_nothing(caller: Caller) -> None:
    await put(caller, "evil.zip", zipped({"SKILL.md": TEXT.encode(), "../../x": b"2"}))

    refusal = await caller.refusal("skills", "activate_skill", name="evil")
    listed = await caller.result("session_file_system", "glob", pattern="**/*")
    assert "leads outside" in refusal
    assert listed["paths"] == [f"{FOLDER}/evil.zip"]
