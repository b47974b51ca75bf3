"""What is left to tell of a session's end: kept with its deletion, gone once it was handed over."""

from typing import ClassVar

from mainspring_api.domain.records import Record
from mainspring_schema.session_ends import SessionEnd


class Farewell(Record, frozen=True, kw_only=True):
    """One hook's; its owner is the session, its key says which, its id the task that tells."""

    kind: ClassVar[str] = "farewell"

    end: SessionEnd
