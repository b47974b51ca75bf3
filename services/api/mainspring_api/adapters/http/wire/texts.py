"""An agent's members as they stand in a text."""

import msgspec

from mainspring_api.adapters.http.wire.resources import agent_view
from mainspring_api.domain.resources import Agent
from mainspring_schema.messages import Json

_MEMBERS = (
    "name",
    "display_name",
    "description",
    "default_model_id",
    "max_iterations",
    "parallel_tool_calls",
    "tags",
    "capabilities",
    "tools",
    "initial_files",
    "mcpServers",
    "network_access",
    "hints",
    "system_prompt",
)


def exported(agent: Agent, harness_name: str) -> Json:
    """What another organization could import: the harness by its name, and no ids of ours."""
    shown = msgspec.json.decode(msgspec.json.encode(agent_view(agent)), type=Json)
    written = {name: shown[name] for name in _MEMBERS if shown.get(name) not in (None, [], {})}
    return {"name": written.pop("name"), "harness_name": harness_name, **written}
