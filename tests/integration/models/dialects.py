"""Every provider's way of speaking."""

from tests.integration.models.anthropic_words import Anthropic
from tests.integration.models.gemini_words import Gemini
from tests.integration.models.openai_words import Completions, Responses
from tests.integration.models.said import Dialect

DIALECTS: tuple[Dialect, ...] = (Completions(), Responses(), Anthropic(), Gemini())
