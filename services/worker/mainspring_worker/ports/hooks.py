"""Code of the user that is asked at points of a turn."""

from typing import Protocol

from mainspring_schema.agents import NetworkAccess
from mainspring_schema.hooks import Hook
from mainspring_schema.session_ends import SessionEnd


class HookFailed(Exception):
    """The hook did not answer, or not in a way that can be read. The text is for people."""


class HookRefused(HookFailed):
    """It may not be asked: its address is none of the public network, or against the rules."""


class HookRunner(Protocol):
    """Runs hooks; each call once, within the hook's own time."""

    async def ask(
        self, hook: Hook, subject: bytes, network: NetworkAccess | None, secret: str | None = None
    ) -> bytes:
        """The answer to a subject (JSON), which a webhook gets signed. Raises HookFailed."""
        ...

    async def tell(self, end: SessionEnd, *, once: str) -> None:
        """Brings a webhook what was signed before; its answer says nothing. Raises HookFailed.

        Who is told twice, because a worker was lost, can tell by `once`.
        """
        ...
