"""Messages by their ids, and how a row stores the mode in which its message was sent."""

from typing import Final, cast
from uuid import UUID

import msgspec

from mainspring_engine.domain.rows import NOBODY
from mainspring_engine.ports.inbox import Known
from mainspring_postgres import Database, Row, load_queries
from mainspring_schema.codec import pack
from mainspring_schema.delivery import Delivery, DeliveryMode
from mainspring_schema.messages import Controls

INBOX: Final = load_queries("mainspring_engine.adapters.postgres", "inbox.sql")
_NOTHING: Final = Controls()


class Handling(Controls, frozen=True, kw_only=True, omit_defaults=True):
    """What the column `controls` holds. A version that knows no modes reads it as Controls."""

    mode: DeliveryMode = "steer"


_HANDLING: Final = msgspec.msgpack.Decoder(Handling)
_CONTROLS: Final = msgspec.msgpack.Decoder(Controls)


def packed(controls: Controls | None, mode: DeliveryMode) -> bytes | None:
    if mode != "steer":
        asked = msgspec.convert(controls or _NOTHING, Handling, from_attributes=True)
        return pack(msgspec.structs.replace(asked, mode=mode))
    return None if controls is None else pack(controls)


def unpacked(kept: bytes | None) -> tuple[Controls | None, DeliveryMode]:
    if kept is None:
        return None, "steer"
    mode, controls = _HANDLING.decode(kept).mode, _CONTROLS.decode(kept)
    return None if mode != "steer" and controls == _NOTHING else controls, mode


class PostgresInbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def delivery(self, org_id: UUID, session_id: UUID, message_id: UUID) -> Delivery | None:
        rows = await self._database.fetch(INBOX["delivery"], org_id, session_id, message_id)
        return _delivery(rows[0]) if rows else None

    async def known(self, session_id: UUID, message_id: UUID, key: str | None) -> Known | None:
        rows = await self._database.fetch_as(Known, INBOX["known"], session_id, message_id, key)
        return rows[0] if rows else None

    async def waiting(self, org_id: UUID, session_id: UUID) -> tuple[Delivery, ...]:
        rows = await self._database.fetch(INBOX["waiting"], org_id, session_id)
        return tuple(map(_delivery, rows))


def _delivery(row: Row) -> Delivery:
    taken = cast("UUID | None", row["workflow_id"])
    gone = taken == NOBODY
    return Delivery(
        message_id=cast(UUID, row["message_id"]),
        mode=unpacked(cast("bytes | None", row["controls"]))[1],
        state="waiting" if taken is None else "withdrawn" if gone else "consumed",
        seq=cast(int, row["seq"]),
        accepted_ms=cast(int, row["ts_ms"]),
        turn_id=None if gone else taken,
        place=cast(int, row["place"]) if taken is None else None,
    )
