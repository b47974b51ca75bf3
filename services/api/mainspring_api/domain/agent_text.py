"""An agent as text: Markdown with front matter, YAML, JSON, or nothing but a prompt.

What comes out is Markdown whose body is the prompt; what goes in are the members of an agent as the
wire has them. What was written is read back as the same agent, to the last blank.
"""

import re
from typing import Final

import msgspec
import yaml

from mainspring_harness.plain_yaml import NotPlain, read_yaml
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.messages import Json

_FRONT: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_WORDS: Final = re.compile(r"[a-z0-9]+")
_MEMBERS: Final = {"name", "system_prompt"}
"""A text is YAML where it has one of these; any other text may be a prompt."""
_PROMPT_NAME: Final = "imported-agent"
_NAME_WORDS_MAX: Final = 6


def read(text: str) -> Json:
    """The members of an agent; of what is nothing but a prompt, the prompt alone.

    Raises ValidationFailed for front matter or JSON that is none.
    """
    front = _FRONT.match(text)
    if front is not None:
        prompt = text[front.end() :].removeprefix("\n").removesuffix("\n")
        return {"system_prompt": prompt, **_members(front[1])}
    if text.lstrip().startswith("{"):
        return _object(text)
    members = _yaml_or_none(text)
    if members is not None:
        return members
    prompt = text.strip()
    if not prompt:
        msg = "there is nothing to import"
        raise ValidationFailed(msg)
    return {"system_prompt": prompt}


def name_for(prompt: str) -> str:
    """What an agent may be called whose text says no name: its heading, if it has one."""
    first = prompt.partition("\n")[0].lower()
    words = _WORDS.findall(first)[:_NAME_WORDS_MAX] if first.startswith("#") else []
    return "-".join(words)[:64].strip("-") or _PROMPT_NAME


def write(members: Json) -> str:
    """Markdown: the prompt below the other members."""
    head = {name: value for name, value in members.items() if name != "system_prompt"}
    return f"---\n{write_yaml(head)}---\n\n{members.get('system_prompt') or ''}\n"


def write_yaml(members: Json) -> str:
    """All members, the prompt too."""
    text: str = yaml.safe_dump(members, sort_keys=False, allow_unicode=True, width=100)
    return text


def _members(text: str) -> Json:
    try:
        return msgspec.convert(_yaml(text), Json)
    except msgspec.ValidationError as error:
        msg = f"the front matter has no members: {error}"
        raise ValidationFailed(msg) from error


def _object(text: str) -> Json:
    try:
        return msgspec.json.decode(text, type=Json)
    except msgspec.MsgspecError as error:
        msg = f"not a JSON object: {error}"
        raise ValidationFailed(msg) from error


def _yaml_or_none(text: str) -> Json | None:
    try:
        members = msgspec.convert(_yaml(text), Json)
    except (ValidationFailed, msgspec.ValidationError):
        return None
    return members if _MEMBERS & members.keys() else None


def _yaml(text: str) -> object:
    try:
        return read_yaml(text)
    except NotPlain as error:
        raise ValidationFailed(str(error)) from error
