"""What a workspace says to every agent that works in it: its AGENTS.md, put before the prompt.

The text travels with the configuration of a turn, so that every attempt of a model call has the
same prompt, and so has whoever rebuilds it later. A message sees the file as it was when it came.
"""

from typing import Final

from mainspring_harness.capability import Capability, Info

ID: Final = "agent_instructions"
FILE: Final = "/AGENTS.md"
TEXT_BYTES_MAX: Final = 64 * 1024
"""It stands in every prompt; what is longer is cut, and says so."""

AGENT_INSTRUCTIONS: Final = Capability(
    info=Info(
        id=ID,
        name="Agent Instructions",
        description="Puts the workspace's AGENTS.md before the prompt.",
        status="available",
        category="core",
        icon="file-text",
        features=("file_system",),
    )
)


def shown(content: bytes) -> str | None:
    """The file as the prompt has it; None for an empty one."""
    text = content[:TEXT_BYTES_MAX].decode(errors="ignore").strip()
    if len(content) > TEXT_BYTES_MAX:
        text = f"{text}\n\n(cut after {TEXT_BYTES_MAX} bytes)"
    return text or None
