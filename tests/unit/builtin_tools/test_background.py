"""`spawn_background` starts what can be called alone, within its bounds, and refuses the rest."""

import pytest
from msgspec import structs

from mainspring_harness.builtin import background_execution as capability
from mainspring_harness.builtin import builtin_registry
from mainspring_schema.agents import CapabilityRef, ToolDefinition
from mainspring_schema.messages import Json
from mainspring_schema.session_tasks import StartCall
from mainspring_worker.adapters.builtin_tools.background import spawn_background
from mainspring_worker.adapters.builtin_tools.sandbox.running import patience_s
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from tests.unit.builtin_tools.test_tasks import Session, context

SPAWN = spawn_background(builtin_registry())
DESK = ToolDefinition(name="ask_desk", kind="client_side", description="x", parameters={})


def within(session: Session, config: Json | None = None) -> ToolContext:
    """A call of an agent that has a shell, children, and a tool that its client makes."""
    bare = context(session)
    assert bare.agent is not None
    refs = (
        CapabilityRef(ref="bashkit_shell"),
        CapabilityRef(ref="subagents"),
        CapabilityRef(ref=capability.ID, config=config),
    )
    agent = structs.replace(bare.agent, capabilities=refs, tools=(DESK,))
    return structs.replace(bare, agent=agent)


async def spawned(
    session: Session, tool: str, config: Json | None = None, **more: object
) -> ToolOutcome:
    arguments: Json = {"name": "build", "tool": tool, "arguments": {"commands": "make"}, **more}
    return await SPAWN(arguments, within(session, config))


async def test_a_tool_of_the_agent_is_called_in_the_background() -> None:
    session = Session("running")

    outcome = await spawned(session, "bash")

    assert outcome.result == {"task_id": "task_1", "name": "look", "state": "running"}
    (order,) = session.orders
    assert isinstance(order, StartCall)
    assert (order.tool, order.arguments) == ("bash", {"commands": "make"})
    assert (order.limit_s, order.width, order.wakes) == (600, 5, True)


async def test_the_configuration_bounds_time_and_number() -> None:
    session = Session("running")
    config: Json = {"max_width": 1, "max_seconds": 7200}

    await spawned(session, "bash", config)
    await spawned(session, "bash", config, timeout_seconds=30, wake=False)

    orders = [one for one in session.orders if isinstance(one, StartCall)]
    assert [(one.limit_s, one.width, one.wakes) for one in orders] == [
        (7200, 1, True),
        (30, 1, False),
    ]


@pytest.mark.parametrize(
    ("tool", "why"),
    [
        ("nonsense", "there is no tool 'nonsense'"),
        ("ask_desk", "there is no tool 'ask_desk'"),
        ("spawn_agent", "cannot be called in the background"),
        ("spawn_background", "cannot be called in the background"),
        ("wait_task", "cannot be called in the background"),
    ],
)
async def test_what_cannot_be_called_alone_is_refused(tool: str, why: str) -> None:
    session = Session("running")

    outcome = await spawned(session, tool)

    assert outcome.status == "error"
    assert why in str(outcome.error)
    assert session.orders == []


def test_a_script_in_the_background_has_the_time_of_its_call() -> None:
    behind = structs.replace(context(Session("running")), background_s=900)

    assert patience_s({}, behind, 30) == 895
    assert patience_s({"timeout_seconds": 10}, behind, 30) == 10
    assert patience_s({}, context(Session("running")), 30) == 30
