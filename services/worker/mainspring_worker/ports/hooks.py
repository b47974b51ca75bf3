"""Code of the user that is asked at points of a turn."""

from typing import Protocol

from mainspring_schema.agents import NetworkAccess
from mainspring_schema.hooks import Hook


class HookFailed(Exception):
    """The hook did not answer, or not in a way that can be read. The text is for people."""


class HookRunner(Protocol):
    """Runs hooks; each call once, within the hook's own time."""

    async def ask(
        self, hook: Hook, subject: bytes, network: NetworkAccess | None, secret: str | None = None
    ) -> bytes:
        """The answer to a subject (JSON), which a webhook gets signed. Raises HookFailed."""
        ...
