"""Paths as agents write and see them."""

from typing import Final

ROOT: Final = "/workspace"


def stored(path: object) -> str:
    """What an agent wrote, for api, which refuses what leads outside."""
    text = str(path).strip() or "."
    while text.startswith("./"):
        text = text[2:].lstrip("/") or "."
    return "/" if text in {".", ROOT} else text


def shown(path: str) -> str:
    """The path in full, as the agent sees it."""
    return ROOT if path == "/" else f"{ROOT}{path}"
