"""Tasks of a session: who was told to do what, and where. How they stand, their own log says."""

from typing import ClassVar
from uuid import UUID

import msgspec
from msgspec import structs

from mainspring_api.domain.records import Record
from mainspring_api.domain.resources import Session, Tier
from mainspring_harness.builtin import subagents
from mainspring_harness.builtin.background_execution import Relayed
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.session_tasks import SessionTaskKind, SpawnAgent, StartCall


class SessionTask(Record, frozen=True, kw_only=True):
    """Its owner is the session that spawned it, its key a digest of the call's.

    `turn_id` is the newest turn it was given; None where that is not known yet. `work` is what the
    wire calls its kind. One that is `stopped` was cancelled before its child was told anything.
    """

    kind: ClassVar[str] = "session_task"

    name: str
    instructions: str
    child_id: UUID
    message_id: UUID
    turn_id: UUID | None = None
    work: SessionTaskKind = "subagent"
    stopped: bool = False


def instructions_of(order: SpawnAgent | StartCall) -> str:
    """What the child is told."""
    if isinstance(order, SpawnAgent):
        return order.instructions
    relayed = Relayed(tool=order.tool, arguments=order.arguments)
    return msgspec.json.encode(relayed).decode()


def child_tier(parent: Session, order: SpawnAgent | StartCall) -> Tier:
    """What a child's own tier says: its parent's, narrowed.

    Tools that a client carries out are left behind: no client watches a child.
    """
    tier = structs.replace(
        parent.tier,
        tools=tuple(tool for tool in parent.tier.tools if tool.kind != "client_side"),
        initial_files=(),
        ancestors=(*parent.tier.ancestors, to_wire(Prefix.SESSION, parent.id)),
    )
    if isinstance(order, StartCall):
        only = _narrowed(tier.allowed_tools, (order.tool,))
        return structs.replace(tier, allowed_tools=only, call_limit_s=order.limit_s)
    ref = CapabilityRef(ref=subagents.ID, config=subagents.below(order.depth, order.width))
    others = tuple(one for one in tier.capabilities if one.ref != subagents.ID)
    return structs.replace(
        tier,
        capabilities=(*others, ref),
        allowed_tools=_narrowed(tier.allowed_tools, order.tools),
    )


def _narrowed(
    allowed: tuple[str, ...] | None, asked: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    if allowed is None or asked is None:
        return allowed if asked is None else asked
    return tuple(name for name in asked if name in allowed)
