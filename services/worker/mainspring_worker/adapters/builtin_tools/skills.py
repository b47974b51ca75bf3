"""Finds and opens the skills of a workspace."""

from collections.abc import Mapping
from typing import Final

from mainspring_harness.builtin.skills import FOLDER
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.holdings import (
    ChangeFiles,
    FileEntry,
    PutFile,
    ReadFile,
    ReadFiles,
)
from mainspring_schema.limits import HELD_READ_BYTES_MAX
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.files.places import shown
from mainspring_worker.adapters.builtin_tools.files.walking import entries
from mainspring_worker.adapters.builtin_tools.function import error
from mainspring_worker.domain.archives import BadArchive, unpacked
from mainspring_worker.domain.skill import BadSkill, filled, parsed
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

SKILLS_MAX: Final = 100
"""Listed at once; each costs the model a few lines."""
_FILES_SHOWN: Final = 100
_FILE: Final = "SKILL.md"
_ARCHIVES: Final = (".zip", ".skill")


async def list_skills(_arguments: Json, context: ToolContext) -> ToolOutcome:
    """Names and descriptions; what is no skill is listed with its problem."""
    found = await _everything(context)
    names = sorted({_name_of(path) for path in found if _is_skill(path)})[:SKILLS_MAX]
    texts = await context.resources.ask(
        ReadFiles(
            paths=tuple(f"{FOLDER}/{name}/{_FILE}" for name in names),
            bytes_max=HELD_READ_BYTES_MAX,
        )
    )
    read = {part.entry.path: part.content for part in texts.files}
    skills: list[Json] = []
    broken: list[Json] = []
    for name in names:
        content = read.get(f"{FOLDER}/{name}/{_FILE}")
        if content is None:
            skills.append({"name": name, "description": "An archive; activate it to unpack it."})
            continue
        try:
            about = parsed(content.decode(errors="replace"), folder=name).about
        except BadSkill as problem:
            broken.append({"name": name, "problem": str(problem)})
            continue
        if not about.disable_model_invocation:
            skills.append({"name": about.name, "description": about.description})
    result: Json = {"skills": skills}
    if broken:
        result["not_usable"] = broken
    return ToolOutcome(result=result)


async def activate_skill(arguments: Json, context: ToolContext) -> ToolOutcome:
    """The instructions. The same call again gives the same."""
    name = str(arguments["name"])
    try:
        text = await _instructions(name, context)
        skill = parsed(text, folder=name)
    except (BadSkill, BadArchive) as problem:
        return error(f"the skill {name!r} cannot be used: {problem}")
    except NotFound:
        return error(f"there is no skill {name!r}; list_skills tells which there are")
    folder = f"{FOLDER}/{name}"
    others = [
        shown(path)
        for path in await _everything(context)
        if path.startswith(f"{folder}/") and path != f"{folder}/{_FILE}"
    ]
    instructions = filled(
        skill.instructions,
        arguments=str(arguments.get("arguments", "")),
        session_id=to_wire(Prefix.SESSION, context.session_id),
        folder=shown(folder),
    )
    result: Json = {
        "name": name,
        "instructions": instructions,
        "skill_dir": shown(folder),
        "files": others[:_FILES_SHOWN],
    }
    return ToolOutcome(result=result)


async def _everything(context: ToolContext) -> Mapping[str, FileEntry]:
    """Files below the folder of skills by path; none where it is not there."""
    try:
        return {
            entry.path: entry
            async for entry in entries(context.resources, FOLDER, recursive=True)
            if not entry.is_directory
        }
    except NotFound:
        return {}


def _is_skill(path: str) -> bool:
    parts = path.removeprefix(f"{FOLDER}/").split("/")
    return (len(parts) == 2 and parts[1] == _FILE) or (  # noqa: PLR2004 - a folder and a file
        len(parts) == 1 and parts[0].endswith(_ARCHIVES)
    )


def _name_of(path: str) -> str:
    name = path.removeprefix(f"{FOLDER}/").partition("/")[0]
    for ending in _ARCHIVES:
        name = name.removesuffix(ending)
    return name


async def _instructions(name: str, context: ToolContext) -> str:
    """Raises NotFound, BadArchive."""
    wanted = ReadFile(path=f"{FOLDER}/{name}/{_FILE}", bytes_max=HELD_READ_BYTES_MAX)
    try:
        return (await context.resources.ask(wanted)).content.decode(errors="replace")
    except NotFound:
        await _unpack(name, context)
    return (await context.resources.ask(wanted)).content.decode(errors="replace")


async def _unpack(name: str, context: ToolContext) -> None:
    """An archive becomes a folder beside it. Raises NotFound, BadArchive."""
    found = await _everything(context)
    paths = [f"{FOLDER}/{name}{ending}" for ending in _ARCHIVES]
    path = next((path for path in paths if path in found), None)
    if path is None:
        raise NotFound
    packed = await context.resources.ask(ReadFile(path=path, bytes_max=HELD_READ_BYTES_MAX))
    if len(packed.content) < packed.entry.size_bytes:
        message = f"the archive has more than {HELD_READ_BYTES_MAX} bytes"
        raise BadArchive(message)
    files = unpacked(packed.content)
    if _FILE not in files:
        message = f"the archive holds no {_FILE}"
        raise BadArchive(message)
    puts = tuple(
        PutFile(path=f"{FOLDER}/{name}/{inner}", content=content)
        for inner, content in sorted(files.items())
    )
    await context.resources.change(ChangeFiles(changes=puts))
