"""Schemas as they are told to programs that make clients of them."""
# The document is free-form JSON, whose members nobody could type.
# pyright: reportAny=false, reportExplicitAny=false

import inspect
import json
from typing import Any, Final

Json = dict[str, Any]
_TWICE: Final = {"mcp_servers": "mcpServers"}
"""An older spelling that is read as well: in most languages both are one name."""


def tidied(found: Json) -> Json:
    return {name: _tidied(schema) for name, schema in found.items()}


def _tidied(schema: Json) -> Json:
    known = dict(schema)
    if "description" in known:
        known["description"] = inspect.cleandoc(known["description"])
    if "properties" in known:
        members = known["properties"]
        known["properties"] = {
            name: _without_default(member)
            for name, member in members.items()
            if _TWICE.get(name) not in members
        }
    return known


def _without_default(member: Json) -> Json:
    """What stands for a member that is left out is told in words.

    Generators take a `default` for a promise that the member is there, and ask for it in a body.
    """
    if "default" not in member:
        return member
    kept = {key: value for key, value in member.items() if key != "default"}
    default = member["default"]
    if default in (None, [], {}):
        return kept
    said = f"{json.dumps(default)} where it is left out."
    told = kept.get("description")
    return kept | {"description": f"{told} {said}" if told else said}
