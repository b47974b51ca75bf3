"""Tools of all four effect classes that users announce, on workers of their own."""

from typing import Final

from mainspring import ToolContext, tool
from mainspring.calling import Announced
from mainspring_schema.toolsets import REF
from tests.sim.tools import Outside

SET: Final = "theirs"
CAPABILITY: Final = f"{REF}{SET}"
LONG: Final = "x" * 2_000
"""More than goes without a worker of the house, which reads it first."""


def announced(outside: Outside) -> Announced:
    @tool(effect="pure")
    async def their_look(context: ToolContext, n: int = 0) -> str:
        """Looks."""
        await outside.apply("their_look", context.idempotency_key)
        return LONG[: 10 * n] if n < 2 else LONG

    @tool(effect="idempotent")
    async def their_lamp(context: ToolContext, n: int = 0) -> int:
        """Sets a lamp."""
        await outside.apply("their_lamp", context.idempotency_key)
        return n

    @tool(effect="at_most_once")
    async def their_letter(context: ToolContext, n: int = 0) -> str:
        """Sends a letter."""
        await outside.apply("their_letter", context.idempotency_key)
        return LONG if n else "sent"

    async def ask(context: ToolContext, n: int = 0) -> int:
        if not outside.applied["their_bill"][context.idempotency_key]:
            message = "it may still be under way"
            raise RuntimeError(message)
        return n

    @tool(effect="verifiable", probe=ask)
    async def their_bill(context: ToolContext, n: int = 0) -> int:
        """Pays a bill."""
        await outside.apply("their_bill", context.idempotency_key)
        return n

    return Announced((their_look, their_lamp, their_letter, their_bill), SET)
