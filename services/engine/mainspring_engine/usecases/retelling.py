"""Records again the spans that an engine had not exported when it was killed.

The spans of turns and attempts are the parents of what workers and the api recorded, and their ids
and times follow from rows. So the next engine that starts can make the same spans again; those that
had been exported are then simply there twice.
"""

import logging
from collections.abc import Sequence

from mainspring_engine.domain.limits import RETOLD_MS, RETOLD_ROWS_MAX
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.ports.outside import AttemptEnd, TurnEnd, Witness
from mainspring_engine.ports.store import Ended, Store
from mainspring_engine.usecases.agents import Agents
from mainspring_kernel.errors import MainspringError
from mainspring_schema.frames import Held

_log = logging.getLogger(__name__)


async def tell_again(store: Store, agents: Agents, witness: Witness) -> None:
    """Of what ended shortly before this engine's start. Spans are no reason not to start."""
    try:
        ended = await store.ended_lately(within_ms=RETOLD_MS, limit=RETOLD_ROWS_MAX)
        turns = _turns(ended)
        await agents.bodies(tuple({turn.config_hash for turn in turns}))
    except MainspringError as error:
        _log.warning("spans of a predecessor are not recorded again: %s", error.detail)
        return
    for one in ended:
        witness.attempt_again(_attempt(one))
    for turn in turns:
        witness.turn_again(turn)


def _attempt(ended: Ended) -> AttemptEnd:
    return AttemptEnd(
        held=Held(ended.task_id, ended.fence),
        session_id=ended.session_id,
        workflow_id=ended.workflow_id,
        traceparent=ended.traceparent,
        closing=ended.closing,
        claimed_ms=ended.claimed_ms,
        ended_ms=ended.ended_ms,
    )


def _turns(ended: Sequence[Ended]) -> list[TurnEnd]:
    """Those with an outcome: each ends with its last attempt, in the same transaction."""
    last: dict[object, Ended] = {}
    for one in ended:
        if one.outcome is not Outcome.RUNNING:
            known = last.get(one.workflow_id)
            if known is None or known.ended_ms < one.ended_ms:
                last[one.workflow_id] = one
    return [
        TurnEnd(
            org_id=one.org_id,
            session_id=one.session_id,
            workflow_id=one.workflow_id,
            outcome=one.outcome,
            config_hash=one.config_hash,
            traceparent=one.traceparent,
            started_ms=one.started_ms,
            ended_ms=one.ended_ms,
        )
        for one in last.values()
    ]
