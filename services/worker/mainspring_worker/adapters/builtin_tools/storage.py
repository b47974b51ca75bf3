"""`kv_store` and `secret_store`: what a session keeps beside its files."""

from typing import Final

from mainspring_schema.holdings import (
    DropSecret,
    DropValue,
    GetValue,
    ListKeys,
    ListSecrets,
    MakeSecret,
    OpenSecret,
    PutValue,
)
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import error
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

_NEEDS_NOTHING: Final = "list"


async def kv_store(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Values in the open."""
    resources, key = context.resources, str(arguments.get("key", ""))
    action = arguments["action"]
    if not key and action != _NEEDS_NOTHING:
        return error(f"{action} needs a key")
    match action:
        case "set":
            return await _set(key, arguments, context)
        case "get":
            found = await resources.ask(GetValue(key=key))
            if found.value is None:
                return error(f"nothing is stored under {key!r}; list tells what there is")
            return ToolOutcome(result={"key": key, "value": found.value})
        case "delete":
            gone = await resources.change(DropValue(key=key))
            return ToolOutcome(result={"success": gone.dropped, "key": key})
        case _:
            listed = await resources.ask(ListKeys(prefix=str(arguments.get("prefix", ""))))
            return ToolOutcome(result={"keys": list(listed.keys)})


async def _set(key: str, arguments: Json, context: ToolContext) -> ToolOutcome:
    if "value" not in arguments:
        return error("set needs a value")
    await context.resources.change(PutValue(key=key, value=str(arguments["value"])))
    return ToolOutcome(result={"success": True, "key": key})


async def secret_store(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Secrets. A value leaves it only by `get`, which an agent has where its owner said so."""
    resources, name = context.resources, str(arguments.get("name", ""))
    action = arguments["action"]
    if not name and action != _NEEDS_NOTHING:
        return error(f"{action} needs a name")
    match action:
        case "generate":
            made = await resources.change(MakeSecret(name=name))
            return ToolOutcome(result={"success": True, "name": name, "names": list(made.keys)})
        case "get":
            opened = await resources.ask(OpenSecret(name=name))
            if opened.value is None:
                return error(f"there is no secret {name!r}; list tells which there are")
            return ToolOutcome(result={"name": name, "value": opened.value})
        case "delete":
            gone = await resources.change(DropSecret(name=name))
            return ToolOutcome(result={"success": gone.dropped, "name": name})
        case _:
            listed = await resources.ask(ListSecrets())
            return ToolOutcome(result={"names": list(listed.keys)})
