"""Rebuilds a session's model requests from its log and compares them with what was recorded."""

import msgspec

from mainspring_api.ports.log import Log
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.ports.store import Store
from mainspring_api.usecases.events import all_events, check_session
from mainspring_harness.hashing import stable_digest
from mainspring_harness.prompt import blueprint
from mainspring_harness.registry import Registry
from mainspring_harness.replaying import Replay, Replayed, config_of
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import OrgId, SessionId
from mainspring_schema.agents import decode_runtime_agent
from mainspring_schema.configs import GetConfigs


async def replay(
    store: Store, log: Log, operator: OperatorDoor, registry: Registry, at: tuple[OrgId, SessionId]
) -> tuple[Replayed, ...]:
    """Every model call of the session, in order. Raises NotFound, TranscriptBroken."""
    org_id, session_id = at
    await check_session(store, org_id, session_id)
    events = await all_events(log, org_id, session_id)
    hashes = {hash_ for event in events if (hash_ := config_of(event))}
    asked = GetConfigs(org_id=org_id, hashes=tuple(sorted(hashes)))
    bodies = (await operator.inspect(asked)).bodies if hashes else {}
    digests = {hash_: _digest(body, registry) for hash_, body in bodies.items()}
    replayed = Replay(digests.get)
    replayed.take(events)
    return tuple(replayed.calls)


def _digest(body: bytes, registry: Registry) -> bytes | None:
    """None where only a worker could tell: a capability of its own, or tools of MCP servers."""
    try:
        plan = blueprint(decode_runtime_agent(body), registry)
    except (MainspringError, msgspec.MsgspecError):
        return None
    return None if plan.agent.mcp_servers else stable_digest(plan)
