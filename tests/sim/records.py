"""What the engine's tables have of the steps that programs called."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.adapters.memory.tables import StepRow, Tables
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import StepRecord
from tests.sim.programs import Token, token_of

_RECORD: Final = msgspec.msgpack.Decoder(StepRecord)
_PLAIN: Final = msgspec.msgpack.Decoder(PlainResult)


def recorded(tables: Tables) -> Iterator[tuple[tuple[UUID, str, int], StepRow]]:
    """By workflow, key and number."""
    for (owner, _), row in tables.steps.items():
        found = token(row) if row.fence else None
        if found is not None:
            yield (owner, found.key, found.n), row


def token(row: StepRow) -> Token | None:
    """Of what a step returned; None of a workflow's end, and of what no step of ours made."""
    try:
        kept = _RECORD.decode(row.body) if row.checkpoint else _PLAIN.decode(row.body)
    except msgspec.ValidationError:
        return None
    return token_of(msgspec.json.decode(kept.result))


def tokens_of(tables: Tables, id_: UUID) -> set[Token]:
    """Of one workflow."""
    found = (token(row) for (owner, _), row in tables.steps.items() if owner == id_ and row.fence)
    return {one for one in found if one is not None}
