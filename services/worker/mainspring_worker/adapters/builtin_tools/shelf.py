"""The tools of this worker, found by name."""

from collections.abc import Iterable, Mapping
from typing import Final

from mainspring_harness.builtin.arithmetic import TEST_MATH
from mainspring_harness.builtin.background_execution import BACKGROUND_CALLS
from mainspring_harness.builtin.bash import BASHKIT_SHELL
from mainspring_harness.builtin.budgeting import BUDGETING
from mainspring_harness.builtin.current_time import CURRENT_TIME
from mainspring_harness.builtin.infinity_context import INFINITY_CONTEXT
from mainspring_harness.builtin.python import PYTHON_SANDBOX
from mainspring_harness.builtin.session import SESSION
from mainspring_harness.builtin.session_file_system import SESSION_FILE_SYSTEM
from mainspring_harness.builtin.session_schedule import SESSION_SCHEDULE
from mainspring_harness.builtin.session_sql_database import SESSION_SQL_DATABASE
from mainspring_harness.builtin.session_storage import SESSION_STORAGE
from mainspring_harness.builtin.session_tasks import SESSION_TASKS
from mainspring_harness.builtin.skills import SKILLS
from mainspring_harness.builtin.stateless_todo_list import STATELESS_TODO_LIST
from mainspring_harness.builtin.subagents import SUBAGENTS
from mainspring_harness.builtin.tool_output_persistence import TOOL_OUTPUT_PERSISTENCE
from mainspring_harness.builtin.tool_search import TOOL_SEARCH
from mainspring_harness.builtin.weather import TEST_WEATHER
from mainspring_harness.builtin.web_fetch import WEB_FETCH
from mainspring_harness.capability import Capability
from mainspring_harness.registry import Registry
from mainspring_worker.adapters.builtin_tools.arithmetic import OPERATIONS, operation
from mainspring_worker.adapters.builtin_tools.background import spawn_background
from mainspring_worker.adapters.builtin_tools.budgets import check_budget
from mainspring_worker.adapters.builtin_tools.current_time import get_current_time
from mainspring_worker.adapters.builtin_tools.files.shelf import FILE_TOOLS
from mainspring_worker.adapters.builtin_tools.function import Function, FunctionTool
from mainspring_worker.adapters.builtin_tools.history import query_history
from mainspring_worker.adapters.builtin_tools.outputs import read_tool_output
from mainspring_worker.adapters.builtin_tools.own import own_tools
from mainspring_worker.adapters.builtin_tools.sandbox.interpreter import python
from mainspring_worker.adapters.builtin_tools.sandbox.shell import bash
from mainspring_worker.adapters.builtin_tools.schedules import SCHEDULE_TOOLS
from mainspring_worker.adapters.builtin_tools.session import get_session_info, write_session_title
from mainspring_worker.adapters.builtin_tools.skills import activate_skill, list_skills
from mainspring_worker.adapters.builtin_tools.sql.tools import SQL_TOOLS
from mainspring_worker.adapters.builtin_tools.storage import kv_store, secret_store
from mainspring_worker.adapters.builtin_tools.tasks import SESSION_TASK_TOOLS, spawn_agent
from mainspring_worker.adapters.builtin_tools.todos import write_todos
from mainspring_worker.adapters.builtin_tools.tool_search import tool_search
from mainspring_worker.adapters.builtin_tools.weather import get_forecast, get_weather
from mainspring_worker.adapters.builtin_tools.web.fetching import Fetcher
from mainspring_worker.adapters.builtin_tools.web.tool import web_fetch
from mainspring_worker.ports.tool import Tool


class Shelf:
    """A `ToolBox` over a fixed set. A name may come once per capability."""

    def __init__(self, tools: Iterable[FunctionTool]) -> None:
        self._tools = {(tool.capability_id, tool.definition.name): tool for tool in tools}

    def find(self, name: str, capability_id: str | None) -> Tool | None:
        # A tool that no capability brought has no code here: a tier can name tools, not make them.
        return None if capability_id is None else self._tools.get((capability_id, name))


def all_tools(registry: Registry) -> Shelf:
    """Every tool of the built-in capabilities, and of people's own in process."""
    over: tuple[tuple[Capability, Mapping[str, Function]], ...] = (
        (BACKGROUND_CALLS, {"spawn_background": spawn_background(registry)}),
        (SUBAGENTS, {"spawn_agent": spawn_agent(registry)}),
        (TOOL_SEARCH, {"tool_search": tool_search(registry)}),
    )
    built_in = (
        FunctionTool(definition, capability.info.id, functions[definition.name])
        for capability, functions in (*_CODE, *over)
        for definition in capability.tools({})
    )
    return Shelf((*built_in, *own_tools(registry)))


_CODE: Final[tuple[tuple[Capability, Mapping[str, Function]], ...]] = (
    (BASHKIT_SHELL, {"bash": bash}),
    (BUDGETING, {"check_budget": check_budget}),
    (CURRENT_TIME, {"get_current_time": get_current_time}),
    (INFINITY_CONTEXT, {"query_history": query_history}),
    (PYTHON_SANDBOX, {"python": python}),
    (SESSION, {"get_session_info": get_session_info, "write_session_title": write_session_title}),
    (SESSION_FILE_SYSTEM, FILE_TOOLS),
    (SESSION_SCHEDULE, SCHEDULE_TOOLS),
    (SESSION_SQL_DATABASE, SQL_TOOLS),
    (SESSION_STORAGE, {"kv_store": kv_store, "secret_store": secret_store}),
    (SESSION_TASKS, SESSION_TASK_TOOLS),
    (SKILLS, {"activate_skill": activate_skill, "list_skills": list_skills}),
    (STATELESS_TODO_LIST, {"write_todos": write_todos}),
    (TEST_MATH, {name: operation(name) for name in OPERATIONS}),
    (TEST_WEATHER, {"get_weather": get_weather, "get_forecast": get_forecast}),
    (TOOL_OUTPUT_PERSISTENCE, {"read_tool_output": read_tool_output}),
    (WEB_FETCH, {"web_fetch": web_fetch(Fetcher())}),
)
"""A capability's tools by name, each with the function that carries it out."""
