"""Files of the workspace of a task's session, for as long as the task is held."""

from typing import Protocol

from mainspring_schema.frames import Held


class SessionFiles(Protocol):
    """Who keeps them: only for the holder of a task."""

    async def write(self, held: Held, *, key: str, path: str, content: bytes) -> str:
        """Makes or replaces a file; its path in the one spelling files have.

        The same `key` again changes nothing. Raises Unavailable where nobody answers, and
        LeaseLost, Conflict, PayloadTooLarge, ValidationFailed or another refusal for good.
        """
        ...
