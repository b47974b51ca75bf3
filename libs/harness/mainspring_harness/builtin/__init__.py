"""The capabilities that every installation has."""

from collections.abc import Iterable

from mainspring_harness.builtin.agent_instructions import AGENT_INSTRUCTIONS
from mainspring_harness.builtin.arithmetic import TEST_MATH
from mainspring_harness.builtin.ask_user import ASK_USER
from mainspring_harness.builtin.background_execution import BACKGROUND_CALLS
from mainspring_harness.builtin.bash import BASHKIT_SHELL
from mainspring_harness.builtin.budgeting import BUDGETING
from mainspring_harness.builtin.compaction import COMPACTION
from mainspring_harness.builtin.current_time import CURRENT_TIME
from mainspring_harness.builtin.guardrails import GUARDRAILS
from mainspring_harness.builtin.human_intent import HUMAN_INTENT
from mainspring_harness.builtin.infinity_context import INFINITY_CONTEXT
from mainspring_harness.builtin.loop_detection import LOOP_DETECTION
from mainspring_harness.builtin.mcp_servers import MCP
from mainspring_harness.builtin.noop import NOOP
from mainspring_harness.builtin.python import PYTHON_SANDBOX
from mainspring_harness.builtin.session import SESSION
from mainspring_harness.builtin.session_file_system import SESSION_FILE_SYSTEM
from mainspring_harness.builtin.session_schedule import SESSION_SCHEDULE
from mainspring_harness.builtin.session_sql_database import SESSION_SQL_DATABASE
from mainspring_harness.builtin.session_storage import SESSION_STORAGE
from mainspring_harness.builtin.session_tasks import SESSION_TASKS
from mainspring_harness.builtin.skills import SKILLS
from mainspring_harness.builtin.stateless_todo_list import STATELESS_TODO_LIST
from mainspring_harness.builtin.structured_output import STRUCTURED_OUTPUT
from mainspring_harness.builtin.subagents import SUBAGENTS
from mainspring_harness.builtin.tool_approval import TOOL_APPROVAL
from mainspring_harness.builtin.tool_output_persistence import TOOL_OUTPUT_PERSISTENCE
from mainspring_harness.builtin.tool_search import TOOL_SEARCH
from mainspring_harness.builtin.user_hooks import USER_HOOKS
from mainspring_harness.builtin.weather import TEST_WEATHER
from mainspring_harness.builtin.web_fetch import WEB_FETCH
from mainspring_harness.capability import Capability
from mainspring_harness.registry import Registry


def builtin_registry(own: Iterable[Capability] = ()) -> Registry:
    """All built-in capabilities, and `own` ones. Raises ValueError for a name that is taken."""
    return Registry(
        (
            AGENT_INSTRUCTIONS,
            ASK_USER,
            BACKGROUND_CALLS,
            BASHKIT_SHELL,
            BUDGETING,
            COMPACTION,
            CURRENT_TIME,
            GUARDRAILS,
            HUMAN_INTENT,
            INFINITY_CONTEXT,
            LOOP_DETECTION,
            MCP,
            NOOP,
            PYTHON_SANDBOX,
            SESSION,
            SESSION_FILE_SYSTEM,
            SESSION_SCHEDULE,
            SESSION_SQL_DATABASE,
            SESSION_STORAGE,
            SESSION_TASKS,
            SKILLS,
            STATELESS_TODO_LIST,
            STRUCTURED_OUTPUT,
            SUBAGENTS,
            TEST_MATH,
            TEST_WEATHER,
            TOOL_APPROVAL,
            TOOL_OUTPUT_PERSISTENCE,
            TOOL_SEARCH,
            USER_HOOKS,
            WEB_FETCH,
            *own,
        )
    )
