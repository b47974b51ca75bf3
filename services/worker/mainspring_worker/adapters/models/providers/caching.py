"""What a provider is asked to keep of a prompt, so that the next call reads it from a cache.

A prompt only grows at its end: tools, system prompt and all messages of one call stand at the
beginning of the next one's, byte for byte, and facts that change with time stay where they were
told. So three marks are enough, of the four that the provider takes: whatever follows the tools, or
the system prompt, may be another session's; behind the last message goes on this one. None of it is
part of what a request is known by.
"""

from typing import Final

from pydantic_ai.models.anthropic import AnthropicModelSettings
from pydantic_ai.settings import ModelSettings

from mainspring_worker.adapters.models.providers.driver import DriverName

_ANTHROPIC: Final = AnthropicModelSettings(
    anthropic_cache_tool_definitions=True,
    anthropic_cache_instructions=True,
    # Marks the last block, which servers that speak like this provider know as well; they need not
    # know the member of a whole request that asks for the same.
    anthropic_cache_messages=True,
)


def marks(name: DriverName) -> ModelSettings:
    """Those who are not named here keep prompts unasked, or not at all."""
    return _ANTHROPIC if name == "anthropic" else ModelSettings()
