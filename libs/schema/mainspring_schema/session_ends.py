"""What a webhook is told of a session that was deleted. A plain task brings it there."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from mainspring_schema.agents import NetworkAccess
from mainspring_schema.hooks import TIMEOUT_MS_MAX, TIMEOUT_MS_MIN

SESSION_END: Final = "mainspring.session_end"
"""The type of the task that tells; its input is a `SessionEnd`."""


class SessionEnd(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A request as it is sent, again and again until it was taken.

    `body` is the JSON that the webhook reads, `signature` the header under the session's secret,
    made while there was one. `network` are the rules of the agent that the session had.
    """

    url: str
    body: str
    hook_id: str
    timeout_ms: Annotated[int, Meta(ge=TIMEOUT_MS_MIN, le=TIMEOUT_MS_MAX)]
    signature: Annotated[str, Meta(pattern=r"\A(t=\d{1,12},v1=[0-9a-f]{64})?\Z")] = ""
    network: NetworkAccess | None = None
