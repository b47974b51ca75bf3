"""Which of many have ended, as clients ask for it."""

from typing import Annotated

from msgspec import Meta, Struct

from mainspring_api.domain import limits
from mainspring_schema.open_work import OPEN_IDS_PER_QUESTION_MAX

Text = Annotated[str, Meta(max_length=limits.NAME_CHARS_MAX)]


class EndedBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ids` are of plain tasks (`task_…`) and of workflows (`workflow_…`), mixed as you like."""

    ids: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=OPEN_IDS_PER_QUESTION_MAX)]


class EndedList(Struct, frozen=True, kw_only=True):
    """In no order. One that is not known here is not open either: it is among them."""

    data: tuple[str, ...]
