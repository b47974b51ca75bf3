"""Rebuilds a session's model requests from its log and compares them with what was recorded."""

import msgspec

from mainspring_api.ports.log import Log
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.ports.store import Store
from mainspring_api.usecases.events import check_session, event_pages
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
    digests: dict[bytes, bytes | None] = {b"": None}
    replayed = Replay(digests.get)
    async for events in event_pages(log, org_id, session_id):
        for hash_ in {config_of(event) for event in events} - digests.keys():
            # One by one: many of them together are more than one answer holds.
            asked = GetConfigs(org_id=org_id, hashes=(hash_,))
            body = (await operator.inspect(asked)).bodies.get(hash_)
            digests[hash_] = None if body is None else _digest(body, registry)
        replayed.take(events)
    return tuple(replayed.calls)


def _digest(body: bytes, registry: Registry) -> bytes | None:
    """None where only a worker could tell: a capability of its own, or tools of MCP servers."""
    try:
        plan = blueprint(decode_runtime_agent(body), registry)
    except (MainspringError, msgspec.MsgspecError):
        return None
    return None if plan.agent.mcp_servers else stable_digest(plan)
