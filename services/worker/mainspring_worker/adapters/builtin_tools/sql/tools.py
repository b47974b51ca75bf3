"""`sql_query`, `sql_execute` and `sql_schema`: a database is a file of the workspace.

It is read, worked on in memory and written back on the content that was read, so that two calls at
once cannot lose each other's rows: the second one is done again on what the first one left.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias, cast

import msgspec

from mainspring_harness.builtin.session_sql_database import FOLDER, ROWS_DEFAULT
from mainspring_kernel.errors import Conflict, NotFound
from mainspring_kernel.limits import KIB, MIB
from mainspring_schema.codec import to_json
from mainspring_schema.holdings import ChangeFiles, PutFile, ReadFile
from mainspring_schema.limits import HELD_READ_BYTES_MAX
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import Function, error
from mainspring_worker.adapters.builtin_tools.sql import engine
from mainspring_worker.adapters.builtin_tools.sql.engine import SqlFailed, Value
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

SHOWN_BYTES_MAX: Final = 40 * KIB
"""Of all rows in one result."""
_ROUNDS: Final = 5
"""Calls that meet in one database; more of them at once is a mistake."""
_NAME: Final = "main"
_SCHEMA: Final = """
    select m.type, m.name, c.name, c.type, c."notnull", c.pk
    from sqlite_master as m join pragma_table_info(m.name) as c
    where m.type in ('table', 'view') and m.name not like 'sqlite_%'
    order by m.name, c.cid
"""


_Parameter: TypeAlias = str | int | float | bool | None


class _Kept(NamedTuple):
    data: bytes
    content_hash: str


async def sql_query(arguments: Json, context: ToolContext) -> ToolOutcome:
    """One statement that reads."""
    limit = arguments.get("limit", ROWS_DEFAULT)
    wanted = limit if isinstance(limit, int) else ROWS_DEFAULT
    kept = await _read(arguments, context)
    try:
        with engine.opened(kept.data, writes=False) as database:
            columns, rows = engine.select(
                database,
                str(arguments["sql"]),
                _parameters(arguments),
                limit=wanted,
                chars_max=SHOWN_BYTES_MAX,
            )
    except SqlFailed as problem:
        return error(str(problem))
    return ToolOutcome(result=_shown(columns, rows, wanted))


async def sql_execute(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Statements that change. What an attempt did is not done again by another one."""
    noted = await context.resources.recall()
    if noted is not None:
        return ToolOutcome(result=cast("object", msgspec.json.decode(noted)))
    for _ in range(_ROUNDS):
        kept = await _read(arguments, context)
        try:
            with engine.opened(kept.data, writes=True) as database:
                count = engine.change(database, str(arguments["sql"]), _parameters(arguments))
                after = engine.kept(database)
        except SqlFailed as problem:
            return error(str(problem))
        result: Json = {"success": True, "rows_changed": count, "size_bytes": len(after)}
        put = PutFile(path=_path(arguments), content=after, expected=kept.content_hash)
        order = ChangeFiles(changes=(put,), note=to_json(result))
        try:
            await context.resources.change(order)
        except Conflict:
            continue  # a refused change keeps no key: the next round may have the same
        return ToolOutcome(result=result)
    return error("the database is changed by others all the time; nothing was changed")


async def sql_schema(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Tables and views with their columns."""
    kept = await _read(arguments, context)
    try:
        with engine.opened(kept.data, writes=False) as database:
            database.set_authorizer(None)  # the statement is ours, and asks a pragma
            _, rows = engine.select(database, _SCHEMA, (), limit=10_000, chars_max=MIB)
    except SqlFailed as problem:
        return error(str(problem))
    tables: dict[str, Json] = {}
    for kind, name, column, type_, required, key in rows:
        table = tables.setdefault(str(name), {"name": name, "type": kind, "columns": list[Json]()})
        about: Json = {"name": column, "type": type_, "not_null": required == 1}
        if key:
            about["primary_key"] = True
        cast("list[Json]", table["columns"]).append(about)
    return ToolOutcome(result={"tables": list(tables.values())})


def _path(arguments: Json) -> str:
    return f"{FOLDER}/{arguments.get('database', _NAME)}.sqlite"


def _parameters(arguments: Json) -> list[_Parameter]:
    return msgspec.convert(arguments.get("parameters", []), list[_Parameter])


async def _read(arguments: Json, context: ToolContext) -> _Kept:
    try:
        part = await context.resources.ask(
            ReadFile(path=_path(arguments), bytes_max=HELD_READ_BYTES_MAX)
        )
    except NotFound:
        return _Kept(b"", "")
    return _Kept(part.content, hashlib.sha256(part.content).hexdigest())


def _shown(columns: list[str], rows: list[tuple[Value, ...]], limit: int) -> Json:
    shown: list[list[object]] = []
    room = SHOWN_BYTES_MAX
    for row in rows[:limit]:
        values = [_value(value) for value in row]
        room -= len(to_json(values))
        if room < 0:
            break
        shown.append(values)
    result: Json = {"columns": columns, "rows": shown, "row_count": len(shown)}
    if len(shown) < len(rows):
        reason = "row_cap" if len(shown) == limit else "size_cap"
        result |= {"truncated": True, "reason": reason, "resume_hint": "use limit and offset"}
    return result


def _value(value: Value) -> object:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else value


SQL_TOOLS: Final[Mapping[str, Function]] = {
    "sql_execute": sql_execute,
    "sql_query": sql_query,
    "sql_schema": sql_schema,
}
