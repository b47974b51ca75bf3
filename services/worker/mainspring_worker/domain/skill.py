"""A SKILL.md: what its front matter says, and its instructions with their places filled in."""

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from mainspring_harness.plain_yaml import NotPlain, read_yaml

FRONT_MATTER_CHARS_MAX: Final = 16_000
"""Names and descriptions are short; a parser should not meet more."""
_FRONT: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


class BadSkill(ValueError):
    """The text says what is wrong with the file."""


class FrontMatter(Struct, frozen=True, kw_only=True, rename="kebab"):
    """What the format knows of; anything else is passed over."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    description: Annotated[str, Meta(min_length=1, max_length=1024)]
    disable_model_invocation: bool = False


class Skill(Struct, frozen=True, kw_only=True):
    about: FrontMatter
    instructions: str


def parsed(text: str, *, folder: str) -> Skill:
    """`folder` is its folder's name, which the format wants to be the skill's. Raises BadSkill."""
    found = _FRONT.match(text[:FRONT_MATTER_CHARS_MAX])
    if found is None:
        message = "SKILL.md does not begin with front matter between --- lines"
        raise BadSkill(message)
    try:
        about = msgspec.convert(read_yaml(found.group(1)), FrontMatter)
    except (NotPlain, msgspec.ValidationError) as error:
        message = f"the front matter is wrong: {str(error).splitlines()[0][:200]}"
        raise BadSkill(message) from error
    if about.name != folder:
        message = f"the skill is named {about.name!r} but lies in {folder!r}"
        raise BadSkill(message)
    return Skill(about=about, instructions=text[found.end() :].strip())


def filled(instructions: str, *, arguments: str, session_id: str, folder: str) -> str:
    """With what stands for the places of the format, in one pass: what is filled in stays text."""
    values = {"$ARGUMENTS": arguments, "${SESSION_ID}": session_id, "${SKILL_DIR}": folder}
    pattern = "|".join(re.escape(place) for place in values)
    return re.sub(pattern, lambda match: values[match.group(0)], instructions)
